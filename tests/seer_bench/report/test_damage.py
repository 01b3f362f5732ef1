"""Whatever is damaged, the report is made, says so, and shows the other runs as they are."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from seer_bench.report import build_report, print_report, report_json
from seer_bench.store import to_line

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FILES = ("manifest.json", "units.jsonl", "sessions/only.json")


@pytest.fixture(scope="module")
def whole(fake, tmp_path_factory):
    """A chain run that will be damaged, another in two shards, and one of single tasks."""
    folder = tmp_path_factory.mktemp("whole")
    victim = fake.make_manifest(policy="victim")
    fake.write_session(folder / "victim", [*(fake.chain(i, i % 6) for i in range(6)), fake.broken(6)], victim)
    (session,) = (folder / "victim" / "sessions").iterdir()
    session.rename(folder / "victim" / "sessions" / "only.json")
    for shard in range(2):
        results = [fake.chain(i, 3) for i in range(shard, 8, 2)]
        fake.write_session(folder / f"shard-{shard}", results, fake.make_manifest(policy="good"))
    tasks = fake.make_manifest(fake.task_protocol(), policy="good")
    fake.write_session(folder / "tasks", fake.rollouts(*(1,) * 10), tasks)
    return folder


@pytest.fixture(scope="module")
def expected(whole):
    """The other runs before any damage."""
    return others(whole)


def others(folder: Path) -> list[object]:
    """The runs that nobody damages, as the report gives them."""
    report = build_report([folder])
    print_report(report, Console(file=io.StringIO(), width=80))
    tables = report_json(report)["tables"]
    runs = [run for key in ("table1", "table2") for run in tables[key]["runs"] if run["policy"]["name"] == "good"]
    for run in runs:
        run["paths"] = [Path(path).name for path in run["paths"]]
    return runs


def put(tree: object, value: object, data: st.DataObject) -> object:
    """The tree with one of its values, somewhere, replaced."""
    if isinstance(tree, dict) and tree and data.draw(st.integers(0, 3)):
        key = data.draw(st.sampled_from(sorted(tree)))
        return {**tree, key: put(tree[key], value, data)}
    if isinstance(tree, list) and tree and data.draw(st.integers(0, 3)):
        i = data.draw(st.integers(0, len(tree) - 1))
        return [*tree[:i], put(tree[i], value, data), *tree[i + 1 :]]
    return value


def damage(path: Path, data: st.DataObject) -> None:
    """Do one thing to a file that no run does."""
    if not path.is_file():
        return
    before = path.read_bytes()
    kind = data.draw(st.sampled_from(["bytes", "cut", "repeat", "value", "missing", "empty", "folder", "garbage"]))
    if kind in ("missing", "folder"):
        path.unlink()
        if kind == "folder":
            path.mkdir()
        return
    start = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(start, len(before)))
    after = {
        "bytes": before[:start] + data.draw(st.binary(max_size=4)) + before[min(len(before), start + 2) :],
        "cut": before[:start],
        "repeat": before + before[start:end],
        "value": before,
        "empty": b"",
        "garbage": data.draw(st.binary(max_size=300)) + b"\n" + before,
    }[kind]
    if kind == "value":
        lines = before.split(b"\n") if path.suffix == ".jsonl" else [before]
        at = data.draw(st.integers(0, len(lines) - 1))
        try:
            lines[at] = json.dumps(put(json.loads(lines[at]), data.draw(trees), data)).encode()
        except ValueError:
            return
        after = b"\n".join(lines)
    path.write_bytes(after)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_the_other_runs_are_reported_as_before(whole, expected, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged") / "runs"
    shutil.copytree(whole, folder)
    for name in data.draw(st.lists(st.sampled_from(FILES), min_size=1, max_size=3)):
        damage(folder / "victim" / name, data)
    assert others(folder) == expected
    shutil.rmtree(folder)


def test_records_of_other_runs_are_no_part_of_one(fake, whole, expected, tmp_path):
    """Lines of another protocol, of single tasks, or of a longer chain leave the run out and nothing else."""
    for name, line in {
        "tasks": fake.rollout(0, 0, True),
        "longer": fake.chain(90, 6, length=7, tasks=[*fake.TASKS, *fake.TASKS]),
        "other": replace(fake.chain(0, 1), unit_id="calvin-abc-d/v1:chain=0003", seed=99),
    }.items():
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        with (folder / "victim" / "units.jsonl").open("a") as file:
            file.write(to_line(line) + "\n")
        assert others(folder) == expected


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("manifest.json", None, "has no manifest.json). It holds records of which nothing says what was run"),
        ("manifest.json", '{"schema": "seer-bench/manifest/2"}', "schema 'seer-bench/manifest/2' is newer than"),
        ("manifest.json", "", "manifest.json: not readable as JSON"),
        ("units.jsonl", None, "units.jsonl: is missing, so the run holds no result"),
        ("units.jsonl", "", "left out, because no chain has an outcome yet"),
        (
            "units.jsonl",
            '{"schema": "seer-bench/unit/2"}\n',
            "units.jsonl, line 1: schema 'seer-bench/unit/2' is newer",
        ),
        ("units.jsonl", '{"schema": "seer-', "units.jsonl, line 1: the last line was cut off"),
        ("sessions/only.json", '{"schema": "seer-bench/session/2"}', "pip install --upgrade seer-bench"),
        ("sessions/only.json", "[]", "only.json: holds a JSON list, not an object. The session is left out"),
    ],
)
def test_each_damage_is_told_with_its_file(whole, expected, tmp_path, file, content, words):
    folder = tmp_path / "runs"
    shutil.copytree(whole, folder)
    path = folder / "victim" / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    problems = build_report([folder]).problems
    assert any(words in problem and str(folder / "victim") in problem for problem in problems)
    assert others(folder) == expected


def test_a_shard_that_cannot_be_read_leaves_the_others_to_the_run(whole, tmp_path):
    folder = tmp_path / "runs"
    shutil.copytree(whole, folder)
    (folder / "shard-1" / "units.jsonl").unlink()
    (folder / "shard-1" / "units.jsonl").mkdir()
    report = build_report([folder])
    (run,) = (s for s in report.table("table2").summaries if s.manifest.policy.name == "good")
    assert (run.n, [path.name for path in run.paths]) == (4, ["shard-0"])
    assert any("shard-1: left out" in problem and "Is a directory" in problem for problem in report.problems)


def test_shards_of_different_protocols_policies_or_seeds_stay_apart(fake, tmp_path):
    manifests = [
        fake.make_manifest(),
        fake.make_manifest(seed=1),
        fake.make_manifest(policy="other"),
        fake.make_manifest(fake.make_protocol(count=20)),
        fake.make_manifest(backend="other"),
    ]
    for i, manifest in enumerate(manifests):
        fake.write_session(tmp_path / "runs" / f"r{i}", [fake.chain(0, i)], manifest)
        fake.write_session(tmp_path / "runs" / f"s{i}", [fake.chain(1, i)], manifest)
    report = build_report([tmp_path / "runs"])
    assert report.problems == ()
    summaries = report.table("table2").summaries
    assert sorted(s.average_length.value for s in summaries) == [0, 1, 2, 3, 4]
    assert {(s.n, len(s.paths)) for s in summaries} == {(2, 2)}
    assert len({s.label + s.protocol.fingerprint for s in summaries}) == 5
