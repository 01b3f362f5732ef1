from __future__ import annotations

import io

from rich.console import Console

from seer_bench.report import print_summary
from seer_bench.report.summary import summary_lines
from seer_bench.store import read_run


def test_score_errors_place_and_next_commands(fake, write_run):
    path = write_run("a b", [fake.chain(0, 5), fake.chain(1, 3), fake.broken(2)])
    text = "\n".join(summary_lines(read_run(path)))
    assert text.startswith("seer · epoch_19.pth on calvin-abc-d/v1: 2 units scored")
    assert "1: 100.0, 2: 100.0, 3: 100.0, 4: 50.0, 5: 50.0" in text
    assert "Avg. Len. 4.00 [" in text
    assert "1 unit without an outcome" in text
    assert f"records: {path}" in text
    assert f"seer-bench report '{path}'" in text
    assert f"seer-bench video '{path}'" in text
    assert "interrupted" not in text


def test_a_flawless_run_offers_no_film_of_failures(fake, write_run):
    text = "\n".join(summary_lines(read_run(write_run("a", [fake.chain(0, 5)])), interrupted=True))
    assert "seer-bench video" not in text
    assert "the same command continues" in text


def test_single_subtasks_show_a_rate(fake, write_run):
    protocol = fake.make_protocol("libero-long/v1", table="table1", settings={"trials": 20})
    path = write_run("a", [fake.chain(0, 1, length=1), fake.chain(1, 0, length=1)], fake.make_manifest(protocol))
    assert "success rate 50.0 % [9.5–90.5] (1/2)" in summary_lines(read_run(path))


def test_rollouts_of_several_tasks_show_their_mean_and_each_of_them(fake, write_run):
    path = write_run("a", fake.rollouts(2, 1), fake.make_manifest(fake.task_protocol()))
    lines = summary_lines(read_run(path))
    assert lines[1].startswith("Avg. Success 75.0 % [")
    assert lines[1].endswith("over 2 tasks (3/4)")
    assert [line.split()[0] for line in lines[2:4]] == ["2/2", "1/2"]
    assert lines[3].endswith(fake.LIBERO_TASKS[1])


def test_what_went_wrong_first_is_told_of_the_infrastructure_and_of_the_policy(fake, write_run):
    units = [fake.broken(3), fake.broken(1), fake.chain(2, 0, policy_error=True), fake.chain(0, 0, policy_error=True)]
    lines = summary_lines(read_run(write_run("a", units)))
    first = next(i for i, line in enumerate(lines) if line.startswith("2 units without an outcome: the infrastructure"))
    ids = sorted(unit.unit_id for unit in units)
    assert lines[first + 1 : first + 4] == [
        f"  the first of them, {ids[1]}: SimulationError: no GL (traceback in units.jsonl)",
        "2 units failed by the policy's own fault",
        f"  the first of them, {ids[0]}: InvalidActionError: nan (traceback in units.jsonl)",
    ]


def test_a_run_without_outcomes_says_so(fake, write_run):
    text = "\n".join(summary_lines(read_run(write_run("a", [fake.broken(0)]))))
    assert "0 units scored" in text
    assert "Avg. Len." not in text


def test_printing_reads_no_markup_and_keeps_lines_whole(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)], fake.make_manifest(policy="[red]p"))
    console = Console(file=io.StringIO(), width=30)
    print_summary(path, console)
    assert "[red]p · epoch_19.pth on calvin-abc-d/v1: 1 unit scored" in console.file.getvalue().splitlines()
