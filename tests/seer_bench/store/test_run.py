from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import DamagedRecordError, RunMismatchError, StoreError, UnknownNameError, UsageError
from seer_bench.store import Manifest, RunData, RunWriter, canonical_lines, export, find_runs, merge_runs, read_run

MakeResult = Callable[..., UnitResult]


@pytest.fixture
def record(tmp_path: Path, manifest: Manifest, actions: Array) -> Callable[..., RunData]:
    """Write results into `<tmp_path>/<name>` and read the run back."""

    def write(name: str, *results: UnitResult, of: Manifest = manifest) -> RunData:
        with RunWriter.open(tmp_path / name, of) as writer:
            writer.start_session({"name": name})
            for result in results:
                writer.append(result, None if result.outcome == "error" else actions)
        return read_run(tmp_path / name)

    return write


def test_shards_merge_into_the_run_that_one_process_would_have_made(record, make_result: MakeResult) -> None:
    whole = record("whole", *(make_result(i) for i in range(9)))
    shards = [record(f"shard-{s}", *(make_result(i) for i in range(s, 9, 3))) for s in range(3)]
    merged = merge_runs(shards)
    assert canonical_lines(merged.results.values()) == canonical_lines(whole.results.values())
    assert len(merged.sessions) == 3
    for order in range(5):
        random.Random(order).shuffle(shards)
        assert merge_runs(shards) == merged


def test_an_error_gives_way_to_an_outcome_whatever_the_order(record, make_result: MakeResult, actions) -> None:
    failed = record("a", make_result(0, error=True, attempt=1), make_result(0, error=True, attempt=2))
    played = record("b", make_result(0))
    for merged in (merge_runs([failed, played]), merge_runs([played, failed])):
        assert merged.results == played.results
        assert merged.origins == {make_result(0).unit_id: played.path}
        assert np.array_equal(merged.actions(make_result(0).unit_id), actions)


def test_one_run_named_twice_is_one_run(record, make_result: MakeResult) -> None:
    run = record("a", make_result(0))
    assert merge_runs([run, run]) == run


def test_two_different_outcomes_are_refused_with_both_directories(record, make_result: MakeResult) -> None:
    one, two = record("one", make_result(0)), record("two", make_result(0, seed=12))
    with pytest.raises(DamagedRecordError) as refused:
        merge_runs([two, one])
    assert str(one.path) in str(refused.value)
    assert str(two.path) in str(refused.value)


def test_different_runs_are_not_merged(record, manifest: Manifest, make_result: MakeResult) -> None:
    one = record("one", make_result(0))
    with pytest.raises(RunMismatchError, match="seed"):
        merge_runs([one, record("two", make_result(1), of=replace(manifest, seed=1))])
    mixed = record("three", make_result(1), of=replace(manifest, simulation={"assets": "zzzz"}))
    with pytest.raises(RunMismatchError, match="--allow-mixed"):
        merge_runs([one, mixed])
    assert len(merge_runs([one, mixed], allow_mixed=True).results) == 2
    with pytest.raises(UsageError, match="no run to merge"):
        merge_runs([])


def test_runs_are_found_where_they_are_and_below(tmp_path: Path, record, manifest: Manifest) -> None:
    for name in ("a", "deep/er/b", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        record(name)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("of another program")
    (tmp_path / "c" / "units.jsonl").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "c")
    assert find_runs([tmp_path, tmp_path / "a"]) == [tmp_path / "a", tmp_path / "c", tmp_path / "deep/er/b"]
    assert find_runs([tmp_path / "a"]) == [tmp_path / "a"]
    assert find_runs([tmp_path / "other"]) == []
    with pytest.raises(StoreError, match="no such directory"):
        find_runs([tmp_path / "nowhere"])


def test_no_run_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}: no run directory"):
        read_run(tmp_path)


def test_small_damage_is_reported_and_the_rest_is_read(tmp_path: Path, record, make_result: MakeResult) -> None:
    record("a", make_result(0))
    (tmp_path / "a" / "sessions" / "20000101T000000Z-aaaaaa.json").write_text("{")
    data = read_run(tmp_path / "a")
    assert len(data.results) == len(data.sessions) == len(data.problems) == 1
    assert "20000101T000000Z-aaaaaa.json" in data.problems[0]
    (tmp_path / "a" / "units.jsonl").unlink()
    assert any("is missing" in problem for problem in read_run(tmp_path / "a").problems)


def test_a_run_without_its_manifest_is_found_and_told(tmp_path: Path, record, make_result: MakeResult) -> None:
    lost, kept = record("lost", make_result(0)), record("kept", make_result(1))
    (lost.path / "manifest.json").unlink()
    assert find_runs([tmp_path]) == [kept.path, lost.path]
    with pytest.raises(StoreError, match=r"no manifest\.json.*holds records of which nothing says what was run"):
        read_run(lost.path)


def test_a_directory_in_place_of_a_file_is_told(tmp_path: Path, record, make_result: MakeResult) -> None:
    run = record("a", make_result(0))
    (run.path / "sessions" / "20000101T000000Z-aaaaaa.json").mkdir()
    data = read_run(run.path)
    assert data.results == run.results
    assert "Is a directory. The session is left out" in data.problems[0]
    (run.path / "units.jsonl").unlink()
    (run.path / "units.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"units\.jsonl: cannot be read: Is a directory"):
        read_run(run.path)


@pytest.mark.parametrize(
    ("key", "value"), [("table", ["table2"]), ("comparable", None), ("summary", 3), ("name", {}), ("settings", [])]
)
def test_a_protocol_with_a_wrong_field_is_refused(record, key: str, value: object) -> None:
    path = record("a").path / "manifest.json"
    tree = json.loads(path.read_text())
    tree["protocol"][key] = value
    path.write_text(json.dumps(tree))
    with pytest.raises(DamagedRecordError, match=rf"manifest\.json: protocol: {key} is "):
        read_run(path.parent)


def test_many_shards_take_time_in_proportion(record, make_result: MakeResult) -> None:
    """What is touched is counted: every result once, however many shards there are."""
    run = record("a", *(make_result(i) for i in range(40)))
    looked: list[str] = []

    class Counted(dict):  # type: ignore[type-arg]
        def items(self):
            looked.extend(self)
            return super().items()

    units = list(run.results)
    shards = [
        replace(
            run,
            path=run.path.with_name(f"s{i:02d}"),
            results=Counted({units[i]: run.results[units[i]]}),
            origins={units[i]: run.path},
        )
        for i in range(40)
    ]
    assert merge_runs(shards).results == run.results
    assert len(looked) <= 40


def test_a_newer_session_is_refused(tmp_path: Path, record) -> None:
    record("a")
    (tmp_path / "a" / "sessions" / "x.json").write_text('{"schema": "seer-bench/session/9"}')
    with pytest.raises(DamagedRecordError, match="newer"):
        read_run(tmp_path / "a")


def test_actions_of_an_unknown_unit(record, make_result: MakeResult) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'toy/v1:chain=0000'"):
        record("a", make_result(0)).actions("toy/v1:chain=0001")


def test_export_gives_a_row_a_unit_or_a_subtask(tmp_path: Path, record, make_result: MakeResult) -> None:
    run = record("a", make_result(0), make_result(1, error=True))
    export(run, tmp_path / "units.csv")
    units = pd.read_csv(tmp_path / "units.csv", keep_default_na=False)
    assert units[["protocol", "policy", "unit_id", "outcome", "solved", "steps", "error"]].to_numpy().tolist() == [
        ["toy/v1", "push", "toy/v1:chain=0000", "failure", 1, 3, ""],
        ["toy/v1", "push", "toy/v1:chain=0001", "error", 0, 0, "attempt 1 died"],
    ]
    export(run, tmp_path / "subtasks.csv", rows="subtasks")
    subtasks = pd.read_csv(tmp_path / "subtasks.csv")
    assert subtasks["task"].tolist() == ["open_drawer", "lift_red"]
    assert subtasks["position"].tolist() == [1, 2]
    assert subtasks["instruction"].tolist() == [s.instruction for s in make_result(0).subtasks]


def test_export_of_an_empty_run_has_its_columns(tmp_path: Path, record) -> None:
    export(record("a"), tmp_path / "units.csv")
    assert "unit_id" in pd.read_csv(tmp_path / "units.csv").columns


def test_parquet_holds_what_csv_holds_or_names_its_package(
    tmp_path: Path, record, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pyarrow installed the file is read back; without it the message is checked, and so it is with it hidden."""
    run = record("a", make_result(0))
    try:
        import pyarrow  # noqa: F401 - whether it is there decides what is checked
    except ImportError:
        pass
    else:
        export(run, tmp_path / "units.parquet")
        assert pd.read_parquet(tmp_path / "units.parquet")["unit_id"].tolist() == ["toy/v1:chain=0000"]
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        export(run, tmp_path / "hidden.parquet")


def test_export_refuses_in_words(tmp_path: Path, record) -> None:
    run = record("a")
    with pytest.raises(UsageError, match=r"'\.xlsx' is unknown"):
        export(run, tmp_path / "units.xlsx")
    with pytest.raises(StoreError, match="mkdir -p"):
        export(run, tmp_path / "missing" / "units.csv")
