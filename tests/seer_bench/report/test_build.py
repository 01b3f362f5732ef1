from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UsageError
from seer_bench.report import build_report, report_json, write_report


def test_without_runs_the_paper_rows_and_a_command_remain(tmp_path):
    report = build_report([tmp_path])
    groups = report.table("table2").document.tables[0].groups
    assert [row[0].text for group in groups for row in group][-1] == "Seer"
    assert {row[-2].text for group in groups for row in group} == {"not run"}
    assert "seer-bench run calvin" in report.table("table2").document.hints[0]
    assert "seer-bench run libero" in report.table("table1").document.hints[0]
    assert "holds no run" in report.problems[0]


def test_a_missing_directory_and_a_damaged_run_are_problems_and_the_rest_is_reported(tmp_path, fake, write_run):
    good = write_run("good", [fake.chain(0, 5)])
    bad = write_run("bad", [fake.chain(0, 5)])
    (bad / "manifest.json").write_text("{")
    report = build_report([good.parent, tmp_path / "nowhere"])
    assert [summary.n for summary in report.table("table2").summaries] == [1]
    assert len(report.problems) == 2
    assert any("nowhere" in problem for problem in report.problems)
    assert any(str(bad) in problem for problem in report.problems)
    hint = report.table("table2").document.hints[0]
    assert "9 chains of 10 to go" in hint
    assert "--ckpt epoch_19.pth" in hint
    assert f"--out {good}" in hint


def test_damaged_lines_are_reported_beside_the_row(fake, write_run):
    path = write_run("a", [fake.chain(0, 5), fake.chain(1, 5)])
    with (path / "units.jsonl").open("a") as file:
        file.write("no record\n")
    write_run("b", [fake.broken(0)], fake.make_manifest(policy="other"))
    report = build_report([path.parent])
    assert [summary.n for summary in report.table("table2").summaries] == [2]
    assert any("units.jsonl" in problem for problem in report.problems)
    assert any("no chain has an outcome" in problem for problem in report.problems)


def test_a_run_without_its_records_is_left_out_in_words_and_was_found(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)])
    (path / "units.jsonl").unlink()
    report = build_report([path])
    assert report.found == 1
    assert f"{path / 'units.jsonl'}: is missing" in report.problems[0]
    assert "no chain has an outcome yet" in report.problems[1]
    assert "had to be left out" in report.table("table2").document.hints[0]


def test_contradicting_shards_are_left_out_in_words(fake, write_run):
    write_run("s0", [fake.chain(0, 5)])
    path = write_run("s1", [fake.chain(0, 1)])
    report = build_report([path.parent])
    assert report.table("table2").summaries == ()
    assert "s0" in report.problems[0]
    assert "s1" in report.problems[0]


def test_runs_of_another_table_are_left_out_in_words(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)], fake.make_manifest(fake.make_protocol("other/v1", table="table9")))
    report = build_report([path])
    assert report.table("table2").summaries == ()
    assert "other/v1 belongs to 'table9', and the tables are table1, table2" in report.problems[0]


@pytest.mark.parametrize(
    ("chain_settings", "solved", "message"),
    [
        ({"length": 3, "count": 10}, 2, "chains of 3 subtasks; the table is about chains of 5"),
        ({"length": 3, "count": 10}, 4, "solved 4 subtasks of a chain of 3"),
        ({"length": 5}, 2, "declares no chain.length and chain.count"),
        (None, 2, "declares no chain.length and chain.count"),
    ],
)
def test_protocols_that_do_not_fit_the_table_are_left_out_in_words(fake, write_run, chain_settings, solved, message):
    protocol = fake.make_protocol("other/v1", settings={"chain": chain_settings, "x": 1})
    path = write_run("a", [fake.chain(0, solved)], fake.make_manifest(protocol))
    write_run("good", [fake.chain(0, 5)])
    report = build_report([path.parent])
    assert [summary.protocol.name for summary in report.table("table2").summaries] == ["calvin-abc-d/v1"]
    assert message in report.problems[0]


def test_one_directory_named_twice_counts_once(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)])
    report = build_report([path, path.parent, path])
    assert [(summary.n, len(summary.paths)) for summary in report.table("table2").summaries] == [(1, 1)]


def test_protocols_are_rows_of_their_own_and_comparable_ones_come_first(fake, write_run):
    embedded = fake.make_protocol("calvin-embedded/v1", comparable="another play table")
    write_run("a", [fake.chain(0, 1)], fake.make_manifest(embedded))
    path = write_run("b", [fake.chain(0, 5)])
    report = build_report([path.parent])
    assert [s.protocol.name for s in report.table("table2").summaries] == ["calvin-abc-d/v1", "calvin-embedded/v1"]
    assert [s.average_length.value for s in report.table("table2").summaries] == [5.0, 1.0]


def test_equal_names_are_told_apart_by_what_differs(fake, write_run):
    write_run("a", [fake.chain(0, 1)], fake.make_manifest(seed=1, arm={"data": "10%"}))
    write_run("b", [fake.chain(0, 1)], fake.make_manifest(seed=2, arm={"data": "10%"}))
    path = write_run("c", [fake.chain(0, 1)], fake.make_manifest(policy="other", checkpoint=None))
    report = build_report([path.parent])
    assert [s.label for s in report.table("table2").summaries] == [
        "other",
        "seer · epoch_19.pth · data=10% (seed 1)",
        "seer · epoch_19.pth · data=10% (seed 2)",
    ]


def test_the_order_of_directories_changes_nothing(fake, write_run):
    paths = [
        write_run("a", [fake.chain(0, 1)], fake.make_manifest(seed=1)),
        write_run("b", [fake.chain(0, 2)], fake.make_manifest(seed=2)),
        write_run("s0", [fake.chain(0, 3)], fake.make_manifest(policy="other")),
        write_run("s1", [fake.chain(1, 4)], fake.make_manifest(policy="other")),
    ]
    trees = [report_json(build_report(order)) for order in permutations(paths)]
    assert all(tree == trees[0] for tree in trees)
    assert [run["n"] for run in trees[0]["tables"]["table2"]["runs"]] == [2, 1, 1]


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written to .*file/report.*--out"):
        write_report(build_report([tmp_path]).only("table3a"), tmp_path / "file" / "report")


def test_files_are_replaced_whole(tmp_path):
    report = build_report([tmp_path]).only("table2")
    first = write_report(report, tmp_path / "out")
    contents = [path.read_bytes() for path in first]
    assert write_report(report, tmp_path / "out") == first
    assert [path.read_bytes() for path in first] == contents
    own = {path for path in first if path.parent == tmp_path / "out"}
    assert {path for path in (tmp_path / "out").iterdir() if path.name != "html"} == own


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scores=st.lists(st.integers(0, 5), min_size=1, max_size=8), data=st.data())
def test_the_order_of_records_changes_nothing(fake, tmp_path_factory, scores, data):
    from seer_bench.store import RunWriter

    results = [fake.chain(i, solved) for i, solved in enumerate(scores)]
    trees = []
    for order in (results, data.draw(st.permutations(results))):
        path = tmp_path_factory.mktemp("run") / "run"
        with RunWriter.open(path, fake.make_manifest()) as writer:
            for result in order:
                writer.append(result, fake.ACTIONS)
        tree = report_json(build_report([path]))
        trees.append([{**run, "paths": None} for run in tree["tables"]["table2"]["runs"]])
    assert trees[0] == trees[1]


def test_the_command_fails_where_a_run_is_left_out_or_damaged_and_still_writes(tmp_path, fake, write_run):
    def exit_code(*arguments: object) -> int:
        command = ["report", *map(str, arguments), "--only", "table2", "--out", str(tmp_path / "out")]
        return CliRunner().invoke(app, command).exit_code

    good = write_run("good", [fake.chain(0, 5)])
    assert exit_code(good) == 0
    assert exit_code(good, "--format", "json") == 0
    gone = write_run("gone", [fake.chain(0, 5)], fake.make_manifest(seed=1))
    (gone / "units.jsonl").unlink()
    assert exit_code(good, gone) == 1
    assert exit_code(good, gone, "--format", "json") == 1
    assert exit_code(tmp_path / "nowhere") == 1
    with (good / "units.jsonl").open("a") as file:
        file.write("no record\n")
    (tmp_path / "out" / "table2.md").unlink()
    assert exit_code(good) == 1
    assert "seer · epoch" in (tmp_path / "out" / "table2.md").read_text()


def test_the_command_without_any_run_shows_the_paper_and_succeeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report"])
    assert done.exit_code == 0
    assert "Table 1: no runs were found" in " ".join(done.output.split())
    assert "Table 2: no runs were found" in " ".join(done.output.split())
