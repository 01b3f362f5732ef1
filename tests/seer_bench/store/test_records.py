from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seer_bench.contracts import Outcome, SubtaskResult, UnitError, UnitResult
from seer_bench.errors import DamagedRecordError, StoreError
from seer_bench.store import canonical_lines, from_line, read_records, to_line
from seer_bench.store.records import _from_usual_line, _Shared, prefer

MakeResult = Callable[..., UnitResult]

texts = st.text(st.characters(), max_size=8)  # lone surrogates and line separators among them
integers = st.integers(0, 2**63)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def results_of(draw: st.DrawFn, *outcomes: Outcome) -> UnitResult:
    """An attempt whose fields fit one another."""
    outcome = draw(st.sampled_from(outcomes))
    kind = draw(st.sampled_from(["none", "policy_error"])) if outcome == "failure" else "none"
    solved = draw(st.lists(st.builds(SubtaskResult, texts, texts, st.just(True), integers), max_size=2))
    failed = draw(st.lists(st.builds(SubtaskResult, texts, texts, st.just(False), integers), min_size=1, max_size=1))
    ended = outcome == "failure" and (kind == "none" or draw(st.booleans()))
    kind = "infrastructure_error" if outcome == "error" else kind
    return UnitResult(
        unit_id=f"toy/v1:chain={draw(st.integers(0, 5))}",
        attempt=draw(st.integers(1, 4)),
        outcome=outcome,
        subtasks=(*solved, *(failed if ended else [])),
        seed=draw(integers),
        actions_out_of_range=draw(integers),
        actions_sha256=None if outcome == "error" else "a" * 64,
        error=None if kind == "none" else UnitError(kind, draw(texts)),
        run_info=draw(st.dictionaries(texts, trees, max_size=2)),
        initial=draw(st.dictionaries(texts, trees, max_size=2)),
    )


results = results_of("success", "failure", "error")
played = results_of("success", "failure")
broken = results_of("error")


@st.composite
def histories(draw: st.DrawFn) -> list[UnitResult]:
    """Attempts as correct runs record them: one outcome a unit, at most, and any number of errors."""
    outcomes = {r.unit_id: r for r in draw(st.lists(played, max_size=6))}
    errors = draw(st.lists(broken, max_size=6))
    again = [replace(r, attempt=draw(st.integers(1, 4)), run_info={"again": 1}) for r in outcomes.values()]
    return draw(st.permutations([*outcomes.values(), *errors, *again]))


def write(path: Path, lines: list[str], torn: bytes = b"") -> Path:
    path.write_bytes("".join(line + "\n" for line in lines).encode() + torn)
    return path


@given(results)
def test_a_line_gives_the_result_back(result: UnitResult) -> None:
    line = to_line(result)
    assert from_line(line.encode()) == result
    assert line.isascii()
    assert "\n" not in line


def test_the_canonical_form_is_fixed(make_result: MakeResult) -> None:
    """The bytes that runs are compared by: a change here breaks the comparison with every recorded run."""
    result = replace(make_result(3), actions_sha256="00ff")
    assert canonical_lines([result]) == [
        '{"actions_out_of_range":0,"actions_sha256":"00ff","error":null,"outcome":"failure",'
        '"schema":"seer-bench/unit/1","seed":11,"subtasks":['
        '{"instruction":"pull the handle","steps":2,"success":true,"task":"open_drawer"},'
        '{"instruction":"\\u00f6ffne \\u2028 \\ud83d\\ude00","steps":1,"success":false,"task":"lift_red"}],'
        '"unit_id":"toy/v1:chain=0003"}'
    ]


def test_the_words_of_an_error_are_recorded_but_are_no_part_of_an_outcome(make_result: MakeResult) -> None:
    a, b = (make_result(error=UnitError("policy_error", f"bad <object at {i}>")) for i in range(2))
    assert canonical_lines([a]) == canonical_lines([b])
    assert canonical_lines([a]) != canonical_lines([make_result()])
    assert from_line(to_line(b).encode()) == b


def test_the_canonical_form_knows_no_order_and_no_volatile_facts(make_result: MakeResult) -> None:
    units = [make_result(i) for i in (2, 0, 1)]
    elsewhere = [replace(make_result(i), run_info={"worker": i}) for i in (0, 1, 2)]
    assert canonical_lines(units) == canonical_lines(elsewhere)


@pytest.mark.parametrize("value", [float("nan"), np.float32(1), object()])
def test_a_fact_that_is_no_json_is_refused(make_result: MakeResult, value: object) -> None:
    with pytest.raises(StoreError, match=r"toy/v1:chain=0000.*cannot be written as JSON"):
        to_line(make_result(run_info={"value": value}))


@given(history=histories(), seed=st.integers(0, 2**32))
def test_the_order_of_lines_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, history: list[UnitResult], seed: int
) -> None:
    path = tmp_path_factory.mktemp("run") / "units.jsonl"
    lines = [to_line(result) for result in history]
    first = read_records(write(path, lines))
    random.Random(seed).shuffle(lines)
    second = read_records(write(path, lines))
    assert first == second
    assert {r.unit_id for r in history} == set(first.results)
    with_outcome = {r.unit_id for r in history if r.outcome != "error"}
    assert all((r.outcome != "error") == (unit in with_outcome) for unit, r in first.results.items())
    assert first.attempts == {u: max(r.attempt for r in history if r.unit_id == u) for u in first.results}


@settings(max_examples=30)
@given(data=st.data())
def test_a_cut_anywhere_loses_the_torn_line_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    history = [replace(r, unit_id=f"toy/v1:chain={i}") for i, r in enumerate(data.draw(st.lists(results, max_size=4)))]
    path = write(tmp_path_factory.mktemp("run") / "units.jsonl", [to_line(r) for r in history])
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    records = read_records(path)
    kept = whole[:cut].count(b"\n")
    assert sorted(records.results.values(), key=lambda r: r.unit_id) == history[:kept]
    assert records.end == whole[:cut].rfind(b"\n") + 1
    torn = records.end < cut
    assert len(records.problems) == torn
    if torn:
        assert f"line {kept + 1}: the last line was cut off" in records.problems[0]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\0\0\0", b"\xff", b"[1]", b'"text"', b"{}", b"[" * 100_000, b'{"schema":"other/1"}'],
)
def test_a_damaged_line_is_reported_and_the_rest_counts(tmp_path: Path, make_result: MakeResult, damage: bytes) -> None:
    path = tmp_path / "units.jsonl"
    good = [to_line(make_result(i)).encode() for i in range(3)]
    path.write_bytes(b"\n".join([good[0], damage, good[1], good[2], b""]))
    records = read_records(path)
    assert list(records.results) == [f"toy/v1:chain={i:04d}" for i in range(3)]
    assert len(records.problems) == 1
    assert f"{path}, line 2" in records.problems[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"attempt":1', b'"attempt":"1"', "attempt is '1'"),
        (b'"attempt":1', b'"attempt":true', "attempt is True"),
        (b'"failure"', b'"perhaps"', "outcome is 'perhaps'"),
        (b'"success":true', b'"success":1', "success is 1"),
        (b'"steps":2', b'"stops":2', "lacks steps"),
        (b'"seed":11', b'"seed":11,"more":1', "unknown field more"),
        (b'"error":null', b'"error":{"kind":"bad","message":""}', "kind is 'bad'"),
        (b'"subtasks":[', b'"subtasks":[3,', "3 is not an object"),
    ],
)
def test_a_wrong_field_is_named(make_result: MakeResult, old: bytes, new: bytes, words: str) -> None:
    line = to_line(make_result()).encode()
    assert old in line
    with pytest.raises(DamagedRecordError, match=words):
        from_line(line.replace(old, new))


GOOD, BAD = SubtaskResult("a", "do a", True, 2), SubtaskResult("b", "do b", False, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attempt": 0}, "attempt is 0, expected 1 or more"),
        ({"subtasks": (replace(GOOD, steps=-1), BAD)}, r"subtasks\[0\].steps is -1, expected 0 or more"),
        ({"subtasks": (BAD, GOOD)}, r"subtasks\[1\] follows a subtask that failed"),
        ({"subtasks": (GOOD, GOOD)}, "outcome is 'failure', but error is null and 2 of 2"),
        ({"subtasks": ()}, "outcome is 'failure', but error is null and 0 of 0"),
        ({"outcome": "success"}, "outcome is 'success', but error is null and 1 of 2"),
        (
            {"outcome": "success", "subtasks": (GOOD,), "error": UnitError("policy_error", "nan")},
            "outcome is 'success', but error is policy_error",
        ),
        ({"actions_sha256": None}, "actions_sha256 is null, but outcome is 'failure'"),
        ({"error": UnitError("infrastructure_error", "no GL")}, "error is infrastructure_error, but outcome is 'fail"),
        ({"outcome": "error", "actions_sha256": None}, "error is null, but outcome is 'error'"),
        (
            {"outcome": "error", "error": UnitError("infrastructure_error", "no GL")},
            "actions_sha256 is given, but outcome is 'error'",
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_refused_and_the_field_named(
    make_result: MakeResult, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DamagedRecordError, match=words):
        from_line(to_line(replace(make_result(), **changes)).encode())


@pytest.mark.parametrize("subtasks", [(), (GOOD,), (GOOD, BAD), (BAD,)])
def test_a_fault_of_the_policy_may_end_a_unit_anywhere(
    make_result: MakeResult, subtasks: tuple[SubtaskResult, ...]
) -> None:
    result = replace(make_result(), subtasks=subtasks, error=UnitError("policy_error", "nan"))
    assert from_line(to_line(result).encode()) == result


def test_a_newer_schema_is_never_skipped(tmp_path: Path, make_result: MakeResult) -> None:
    newer = to_line(make_result(1)).replace("seer-bench/unit/1", "seer-bench/unit/2")
    path = write(tmp_path / "units.jsonl", [to_line(make_result(0)), newer])
    with pytest.raises(DamagedRecordError, match=r"line 2.*newer.*pip install --upgrade seer-bench"):
        read_records(path)


def test_an_outcome_supersedes_errors_and_later_errors_earlier_ones(tmp_path: Path, make_result: MakeResult) -> None:
    attempts = [
        make_result(0, error=True, attempt=1),
        make_result(0, attempt=2),
        make_result(0, error=True, attempt=3),
        make_result(1, error=True, attempt=1),
        make_result(1, error=True, attempt=2),
    ]
    records = read_records(write(tmp_path / "units.jsonl", [to_line(r) for r in attempts]))
    assert records.results == {attempts[1].unit_id: attempts[1], attempts[4].unit_id: attempts[4]}
    assert records.attempts == {attempts[1].unit_id: 3, attempts[4].unit_id: 2}


def test_two_different_outcomes_are_refused_with_both_lines(tmp_path: Path, make_result: MakeResult) -> None:
    lines = [to_line(make_result(0)), to_line(make_result(1)), to_line(make_result(0, seed=12, attempt=2))]
    path = write(tmp_path / "units.jsonl", lines)
    with pytest.raises(DamagedRecordError) as refused:
        read_records(path)
    for words in (f"{path}, line 1", f"{path}, line 3", "seed: 11 here, 12 there", "chain=0000"):
        assert words in str(refused.value)


def test_the_same_outcome_twice_is_one(tmp_path: Path, make_result: MakeResult) -> None:
    twice = [make_result(0, attempt=2, run_info={"worker": 1}), make_result(0)]
    records = read_records(write(tmp_path / "units.jsonl", [to_line(r) for r in twice]))
    assert list(records.results.values()) == [twice[1]]


def test_what_the_environment_chose_is_part_of_the_record_and_absent_where_it_chose_nothing():
    plain = UnitResult("toy/v1:chain=1", 1, "success", (SubtaskResult("a", "b", True, 3),), 1, 0, "a" * 64)
    chosen = replace(plain, initial={"stove": [0.1, 0.2]})
    assert '"initial"' not in to_line(plain)
    assert from_line(to_line(chosen).encode()) == chosen
    assert canonical_lines([plain]) != canonical_lines([chosen])
    with pytest.raises(DamagedRecordError, match="initial"):
        prefer(plain, chosen, where_a="here", where_b="there")


USUAL = UnitResult("toy/v1:chain=1", 1, "failure", (GOOD, BAD), 1, 0, "a" * 64, run_info={"seconds": 0.25})


@st.composite
def altered_lines(draw: st.DrawFn) -> bytes:
    """A line as it is written, with a few bytes or a whole value replaced."""
    line = to_line(draw(results)).encode()
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(line)))
        end = min(len(line), start + draw(st.integers(0, 3)))
        line = line[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + line[end:]
    if draw(st.booleans()):
        try:
            tree = json.loads(line)
            tree[draw(st.sampled_from([*tree, "more"]))] = draw(st.sampled_from(VALUES) | trees)
            line = json.dumps(tree).encode()
        except (ValueError, TypeError):
            pass
    return line


PIECES = [
    b"",
    b" ",
    b'"',
    b"1",
    b"-",
    b".0",
    b"e9",
    b"null",
    b"true",
    b"NaN",
    b"\\ud83d",
    b"\t",
    b"\0",
    b"\xff",
    b"{}",
    b",",
]
VALUES = [
    "seer-bench/unit/1",
    "error",
    "success",
    None,
    True,
    1.0,
    -1,
    2**70,
    [{"task": "a"}],
    {"kind": "policy_error"},
]


@settings(max_examples=300, deadline=None)
@given(altered_lines())
def test_the_quick_way_reads_nothing_that_the_thorough_one_would_read_otherwise_or_refuse(line: bytes) -> None:
    quick = _from_usual_line(line, _Shared())
    if quick is not None:
        assert from_line(line) == quick
        assert to_line(from_line(line)) == to_line(quick)


def test_usual_lines_are_read_the_quick_way_and_share_equal_subtasks(tmp_path: Path) -> None:
    assert _from_usual_line(to_line(USUAL).encode(), _Shared()) == USUAL
    others = [replace(USUAL, unit_id=f"toy/v1:chain={i}") for i in range(3)]
    path = write(tmp_path / "units.jsonl", [to_line(result) for result in others])
    found = read_records(path).results.values()
    assert list(found) == others
    assert len({id(subtask) for result in found for subtask in result.subtasks}) == 2


def test_of_many_damaged_lines_some_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "units.jsonl", [*["garbage"] * 1234, to_line(USUAL)])
    records = read_records(path)
    assert list(records.results.values()) == [USUAL]
    assert len(records.problems) == 21
    assert records.problems[-1] == f"{path}: 1,214 further lines are as damaged as these and left out."


def test_a_gigantic_line_takes_a_short_message(tmp_path: Path) -> None:
    huge = "x" * 3_000_000
    lines = [
        huge,
        to_line(USUAL).replace('"attempt":1', f'"attempt":"{huge}"'),
        to_line(USUAL).replace('"attempt":1', f'"attempt":1,"{huge}":1'),
        to_line(USUAL).replace('unit/1"', f'{huge}"'),
        to_line(USUAL).replace("unit/1", "unit/" + "9" * 5000),
        to_line(USUAL),
    ]
    records = read_records(write(tmp_path / "units.jsonl", lines, torn=huge.encode()))
    assert list(records.results.values()) == [USUAL]
    assert [f"line {i}" in problem for i, problem in enumerate(records.problems, start=1) if i < 6] == [True] * 5
    assert "3000000 bytes" in records.problems[5]
    assert max(len(problem) for problem in records.problems) < 600


def test_a_directory_in_place_of_the_records_is_named(tmp_path: Path) -> None:
    (tmp_path / "units.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"units\.jsonl: cannot be read: Is a directory"):
        read_records(tmp_path / "units.jsonl")


def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "units.jsonl", [to_line(USUAL), to_line(replace(USUAL, seed=2))])
    for switch in (gc.disable, gc.enable):
        switch()
        before = gc.isenabled()
        with pytest.raises(DamagedRecordError):
            read_records(path)
        assert gc.isenabled() == before
