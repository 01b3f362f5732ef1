from __future__ import annotations

import pytest

from seer_bench.store import read_run
from seer_bench.trackers.scores import RunningScore, summarise


def test_chains_are_scored_by_length_and_position(lab):
    score = RunningScore(3, [lab.chain(0, 3), lab.chain(1, 0)])
    score.add(lab.chain(2, 1))
    assert score.progress.numbers == pytest.approx(
        {
            "units": 3,
            "errors": 0,
            "average_length": 4 / 3,
            "success_rate/1": 2 / 3,
            "success_rate/2": 1 / 3,
            "success_rate/3": 1 / 3,
        }
    )


def test_tasks_count_the_same_however_often_they_were_tried(lab):
    score = RunningScore(1, [lab.task(0, "push", True), lab.task(1, "push", True), lab.task(2, "push", False)])
    assert score.progress.scores == pytest.approx({"success_rate": 2 / 3})
    score.add(lab.task(3, "lift", False))
    assert score.progress.scores == pytest.approx({"success_rate": 1 / 3})


def test_an_error_is_not_scored_and_is_forgotten_once_the_unit_has_an_outcome(lab):
    score = RunningScore(3, [lab.broken(0)])
    assert score.progress.numbers == {"units": 0, "errors": 1}
    score.add(lab.chain(0, 3))
    assert (score.progress.units, score.progress.errors) == (1, 0)


@pytest.mark.parametrize("kind", ["chains", "tasks", "one task"])
def test_the_running_score_ends_where_the_final_values_are(lab, kind):
    if kind == "chains":
        length, results = 3, [lab.chain(0, 3), lab.chain(1, 0), lab.chain(2, 2), lab.broken(3)]
    else:
        names = ("push", "lift", "lift") if kind == "tasks" else ("push", "push", "push")
        length, results = 1, [lab.task(i, name, i != 1) for i, name in enumerate(names)]
    run = lab.run(results, length=length)
    final = summarise(read_run(run.path), complete=True)
    running = RunningScore(length, results).progress
    assert (final.units, final.errors) == (running.units, running.errors)
    values = {name: estimate.value for name, estimate in final.scores.items() if not name.startswith("task/")}
    assert values == pytest.approx(running.scores)


def test_final_values_have_the_intervals_of_the_tables(lab):
    run = lab.run([lab.chain(i, 3 if i < 6 else 0) for i in range(10)])
    numbers = summarise(read_run(run.path), complete=True).numbers
    # Wilson's interval of 6 of 10, as R's prop.test(6, 10, correct = FALSE) gives it
    assert numbers["success_rate/3_low"] == pytest.approx(0.3126738, abs=1e-6)
    assert numbers["success_rate/3_high"] == pytest.approx(0.8318197, abs=1e-6)
    assert numbers["average_length_low"] < numbers["average_length"] == 1.8 < numbers["average_length_high"]
    assert (numbers["task/push"], numbers["task/lift"]) == (0.6, 1.0)


def test_the_mean_of_one_chain_has_no_interval(lab):
    numbers = summarise(read_run(lab.run([lab.chain(0, 2)]).path), complete=False).numbers
    assert numbers["average_length"] == 2
    assert "average_length_low" not in numbers


def test_a_run_without_outcomes_has_no_score(lab):
    assert summarise(read_run(lab.run([lab.broken(0)]).path), complete=False).numbers == {"units": 0, "errors": 1}
