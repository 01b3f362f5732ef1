from __future__ import annotations

import copy
from importlib.resources import files

import pytest
import yaml

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.report.paper_tables import load_chain_table, load_task_table
from seer_bench.report.reference import (
    load_chain_reference,
    load_task_reference,
    parse_chain_reference,
    parse_task_reference,
    reference_keys,
)
from seer_bench.report.reference_rows import ReferenceGroup

ROW = {
    "method": "m",
    "comparable": "known",
    "cameras": ["static"],
    "depth": False,
    "extra_data": None,
    "checkpoints": None,
    "source": {"title": "T", "where": "arXiv:1", "table": None},
    "verified": {"how": "authors", "seen": ["a README"]},
}
GROUPS = {
    "known": {"summary": "S", "protocols": ["p/v1"], "units": 1000, "steps": 360},
    "unknown": {"summary": "S", "protocols": [], "units": None, "steps": None},
}


def chains(**changes: object) -> dict:
    row = {**copy.deepcopy(ROW), "rates": [60.0, 40.0], "average_length": 1.0, **changes}
    row = {key: value for key, value in row.items() if value != "absent"}
    return {"kind": "chains", "benchmark": "b", "title": "T", "groups": GROUPS, "rows": [row]}


def tasks(**changes: object) -> dict:
    row = {**copy.deepcopy(ROW), "average": 50.0, "trials": 20, "seeds": None, **changes}
    return {"kind": "tasks", "benchmark": "b", "title": "T", "groups": GROUPS, "rows": [row]}


def test_every_packaged_file_is_read_and_sourced():
    assert reference_keys() == ("calvin-abc-d", "libero-long")
    for table in (load_chain_reference("calvin-abc-d"), load_task_reference("libero-long")):
        assert table.rows
        for row in table.rows:
            assert row.verified.seen, f"{row.method} was seen nowhere"
            assert row.source.where
            assert row in table.in_group(row.comparable)


@pytest.mark.parametrize(
    ("method", "length"),
    [
        ("GR-1", 3.06),
        ("Seer", 3.98),
        ("Seer-Large", 4.28),
        ("CLOVER", 3.53),
        ("3D Diffuser Actor", 3.27),
        ("OpenVLA (RoboDual's training)", 3.27),
        ("GR-MG", 4.04),
        ("UP-VLA", 4.08),
        ("VPP", 4.33),
        ("DreamVLA", 4.44),
        ("FLOWER", 4.53),
        ("X-VLA", 4.43),
    ],
)
def test_calvin_holds_the_usual_comparisons(method: str, length: float):
    rows = {row.method: row for row in load_chain_reference("calvin-abc-d").rows}
    assert rows[method].result.average_length == length
    assert len(rows[method].result.rates) == 5
    assert None not in rows[method].result.rates


@pytest.mark.parametrize(
    ("method", "average"),
    [("OpenVLA", 53.7), ("OpenVLA-OFT", 94.5), ("pi0", 85.2), ("pi0-FAST", 60.2), ("pi0.5", 92.4), ("X-VLA", 97.6)],
)
def test_libero_holds_the_usual_comparisons(method: str, average: float):
    rows = {row.method: row for row in load_task_reference("libero-long").rows}
    assert rows[method].result.average == average


def test_longer_step_limits_stand_in_groups_of_their_own():
    calvin, libero = load_chain_reference("calvin-abc-d"), load_task_reference("libero-long")
    standard = calvin.group_of("calvin-abc-d/v1")
    assert standard is calvin.group_of("calvin-abc-d/seer-v1")
    assert standard.steps == 360
    assert calvin.group_of("calvin-abc-d/diffuser-actor-v1").key == "calls-60"
    methods = {row.method: calvin.group(row.comparable).steps for row in calvin.rows}
    assert (methods["X-VLA"], methods["3D Diffuser Actor"], methods["Seer"]) == (720, 1140, 360)
    assert {libero.group_of(f"libero-long/{name}-v1").key for name in ("seer", "openvla", "openpi")} == {
        "seer-v1",
        "openvla-v1",
        "openpi-v1",
    }
    assert libero.group_of("libero-long/v1") is None


def test_groups_name_protocols_that_exist():
    for key, folder in (("calvin-abc-d", "calvin_benchmark"), ("libero-long", "libero_benchmark")):
        protocols = [yaml.safe_load(path.read_text()) for path in (files(folder) / "data" / "protocols").iterdir()]
        known = {protocol["name"]: protocol for protocol in protocols}
        groups = (load_chain_reference if key == "calvin-abc-d" else load_task_reference)(key).groups
        for group in groups:
            for name in group.protocols:
                settings = known[name]["settings"]
                plan = settings.get("chain") or settings["trials"]
                assert group.units == plan.get("count", plan.get("per_task"))
                assert group.steps == plan.get("steps_per_subtask", plan.get("steps"))


def test_rows_from_the_paper_are_the_paper_tables():
    paper = {row.method: row for row in load_chain_table("table2").rows}
    ours = {row.method: row for row in load_chain_reference("calvin-abc-d").rows if row.verified.how == "paper"}
    assert len(ours) == 5
    for method, row in ours.items():
        assert row.result.rates == paper[method].rates
        assert row.result.average_length == paper[method].average_length
    rows = [row for row in load_task_reference("libero-long").rows if row.verified.how == "paper"]
    printed = load_task_table("table1").rows
    assert [(row.result.average, row.result.tasks) for row in rows] == [(row.average, row.rates) for row in printed]


def test_contradictions_in_print_are_kept_and_said():
    rows = {row.method: row.discrepancy for row in load_chain_reference("calvin-abc-d").rows if row.discrepancy}
    assert set(rows) == {"MCIL", "DeeR-VLA", "FLOWER", "X-VLA"}
    assert rows["X-VLA"] == "the printed average length is 4.43, the printed rates sum to 4.414"


def test_a_length_that_is_not_the_sum_must_be_declared_and_only_then():
    row = parse_chain_reference("f", chains(average_length=1.2, disagrees=True)).rows[0]
    assert row.discrepancy == "the printed average length is 1.20, the printed rates sum to 1.000"
    with pytest.raises(UsageError, match=r"f\.yaml, row 1 'm': the printed average length is 1\.20.*disagrees: true"):
        parse_chain_reference("f", chains(average_length=1.2))
    with pytest.raises(UsageError, match="its numbers agree; drop the mark"):
        parse_chain_reference("f", chains(disagrees=True))
    with pytest.raises(UsageError, match="its numbers agree; drop the mark"):
        parse_chain_reference("f", chains(rates=[60.0, None], disagrees=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": [40.0, 60.0]}, "rate 2 exceeds the one before it"),
        ({"rates": [101.0, 40.0]}, r"101\.0 is not a number from 0 to 100"),
        ({"rates": ["60", 40.0]}, "'60' is not a number"),
        ({"rates": [True, 40.0]}, "True is not a number"),
        ({"average_length": 2.1}, r"2\.1 is not a number from 0 to 2"),
        ({"average_length": "absent"}, "lacks average_length"),
        ({"colour": "red"}, "has the unknown colour"),
        ({"source": {"title": "T", "where": "W", "table": None, "page": 3}}, "source, has the unknown page"),
        ({"source": "arXiv:1"}, "source, is 'arXiv:1'"),
        ({"verified": {"how": "hearsay", "seen": ["x"]}}, "verified by 'hearsay'"),
        ({"verified": {"how": "quoted", "seen": []}}, "must name where its numbers were seen"),
        ({"verified": {"how": "memory", "seen": ["x"]}}, "must name where its numbers were seen"),
        ({"comparable": "knwon"}, "Did you mean 'known'"),
    ],
)
def test_rows_of_chains_that_are_wrong_are_refused(changes: dict, message: str):
    with pytest.raises(UsageError, match=message):
        parse_chain_reference("f", chains(**changes))


def test_a_row_from_memory_says_so():
    row = parse_chain_reference("f", chains(verified={"how": "memory", "seen": []})).rows[0]
    assert row.verified.how == "memory"


def test_unknown_numbers_stay_unknown():
    row = parse_chain_reference("f", chains(rates=[60.0, None], average_length=None)).rows[0]
    assert row.result.rates == (60.0, None)
    assert row.result.average_length is None
    assert parse_task_reference("f", tasks(average=None)).rows[0].result.average is None


def test_means_of_tasks_and_suites_are_checked():
    sound = tasks(
        tasks=[100.0, 0.0] * 5, suites={"spatial": 60.0, "object": 60.0, "goal": 70.0, "long": 50.0, "average": 60.0}
    )
    result = parse_task_reference("f", sound).rows[0].result
    assert result.suites.goal == 70.0
    with pytest.raises(UsageError, match=r"tasks have the mean 60\.00, the printed average is 50\.0"):
        parse_task_reference("f", tasks(tasks=[60.0] * 10))
    assert parse_task_reference("f", tasks(tasks=[60.0] * 9 + [None])).rows[0].result.tasks[-1] is None
    with pytest.raises(UsageError, match="has 3 tasks"):
        parse_task_reference("f", tasks(tasks=[50.0] * 3))
    with pytest.raises(UsageError, match=r"suites have the mean 50\.00, the printed average is 60\.0"):
        parse_task_reference(
            "f", tasks(suites={"spatial": 50.0, "object": 50.0, "goal": 50.0, "long": 50.0, "average": 60.0})
        )
    with pytest.raises(UsageError, match=r"gives 51\.0 for LIBERO-LONG, the row itself 50\.0"):
        parse_task_reference(
            "f", tasks(suites={"spatial": 50.0, "object": 50.0, "goal": 50.0, "long": 51.0, "average": 50.3})
        )
    with pytest.raises(UsageError, match="lacks average"):
        parse_task_reference("f", tasks(suites={"spatial": 50.0, "object": 50.0, "goal": 50.0, "long": 50.0}))


@pytest.mark.parametrize("trials", [0, 2.5, True, "20"])
def test_trials_are_whole_numbers(trials: object):
    with pytest.raises(UsageError, match="positive whole number"):
        parse_task_reference("f", tasks(trials=trials))


def test_heads_groups_and_repeats_are_checked():
    with pytest.raises(UsageError, match="holds a table of chains, not of tasks"):
        parse_task_reference("f", chains())
    with pytest.raises(UsageError, match=r"f\.yaml has the unknown licence"):
        parse_chain_reference("f", {**chains(), "licence": "MIT"})
    with pytest.raises(UsageError, match="group 'known' lacks steps"):
        parse_chain_reference("f", {**chains(), "groups": {"known": {"summary": "S", "protocols": [], "units": 1}}})
    twice = chains()
    twice["rows"] *= 2
    with pytest.raises(UsageError, match="row 2 'm' repeats a method"):
        parse_chain_reference("f", twice)
    with pytest.raises(UsageError, match="row 1 is 3"):
        parse_chain_reference("f", {**chains(), "rows": [3]})


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'calvin-abc-d'"):
        load_chain_reference("calvin-abcd")
    with pytest.raises(UnknownNameError, match="Known: known, unknown"):
        parse_chain_reference("f", chains()).in_group("all")


def test_only_a_known_protocol_is_ranked():
    table = parse_chain_reference("f", chains())
    assert [group.ranked for group in table.groups] == [True, False]
    assert not ReferenceGroup("k", "S", (), 100, None).ranked
