from __future__ import annotations

import pytest

from seer_bench.errors import DamagedRecordError, UsageError
from seer_bench.report.counts import score_tasks
from seer_bench.report.rollouts import summarise
from seer_bench.stats import stratified_mean
from seer_bench.store import read_run


@pytest.fixture
def summarised(fake, write_run):
    """The summary of one run of so many tasks."""

    def summarise_results(results, **protocol):
        path = write_run("a", results, fake.make_manifest(fake.task_protocol(**protocol)))
        return summarise([read_run(path)], known=fake.LIBERO_TASKS)

    return summarise_results


def test_counts_by_hand(fake, summarised):
    summary = summarised(fake.rollouts(4, 3, 0, per_task=4), tasks=3, per_task=4)
    assert (summary.n, summary.planned, summary.complete, summary.successes) == (12, 12, True, 7)
    assert summary.average.value == pytest.approx((1 + 0.75 + 0) / 3)
    assert (summary.average.low, summary.average.high) == stratified_mean(successes=[4, 3, 0], n=[4, 4, 4])
    by_task = {score.task: (score.successes, score.attempts) for score in summary.tasks}
    assert by_task == {task: (k, 4) for task, k in zip(fake.LIBERO_TASKS, (4, 3, 0), strict=False)}
    # Wilson for 3 of 4 at 95 %, by the closed form.
    (score,) = (score for score in summary.tasks if score.successes == 3)
    assert (score.rate.low, score.rate.high) == pytest.approx((0.3006, 0.9544), abs=1e-4)


def test_every_task_counts_the_same_however_many_rollouts_it_has(fake, summarised):
    results = [fake.rollout(0, i, True) for i in range(8)] + [fake.rollout(1, 0, False)]
    assert summarised(results, tasks=2, per_task=8).average.value == 0.5


def test_there_is_no_average_until_every_task_was_played(fake, summarised):
    summary = summarised(fake.rollouts(2, 2), tasks=3)
    assert summary.average is None
    assert (summary.n, summary.planned, summary.complete) == (4, 6, False)


def test_errors_are_excluded_and_bound_the_average(fake, summarised):
    results = [*fake.rollouts(2, per_task=2), fake.rollout(1, 0, True), fake.lost(1, 1)]
    summary = summarised(results, tasks=2, per_task=2)
    assert (summary.n, summary.errors, summary.average.value) == (3, 1, 1.0)
    # Had the lost rollout failed, the tasks would stand at 2/2 and 1/2; had it been solved, at 2/2 and 2/2.
    assert summary.solved_bounds == (0.75, 1.0)


def test_policy_errors_are_failures(fake, summarised):
    summary = summarised([fake.rollout(0, 0, False, policy_error=True)], tasks=1, per_task=1)
    assert (summary.policy_errors, summary.average.value) == (1, 0.0)


def test_shards_are_merged(fake, write_run):
    manifest = fake.make_manifest(fake.task_protocol(tasks=2))
    paths = [
        write_run("s0", [*fake.rollouts(2), fake.lost(1, 0)], manifest),
        write_run("s1", [fake.rollout(1, 0, False), fake.rollout(1, 1, False)], manifest),
    ]
    summary = summarise([read_run(path) for path in reversed(paths)], known=fake.LIBERO_TASKS)
    assert (summary.n, summary.errors, summary.average.value, summary.complete) == (4, 0, 0.5, True)


def test_no_outcome_no_summary(fake, summarised):
    assert summarised([fake.lost(0, 0)]) is None


def test_what_does_not_fit_is_refused_in_words(fake, write_run, summarised):
    with pytest.raises(UsageError, match="'open_drawer' is no task of the table"):
        summarised([fake.chain(0, 1, length=1)])
    with pytest.raises(DamagedRecordError, match="tried 2 tasks; a rollout is about one"):
        summarised([fake.chain(1, 1)])
    path = write_run("chains", [fake.chain(0, 1, length=1)], fake.make_manifest())
    with pytest.raises(UsageError, match=r"declares no trials\.tasks and trials\.per_task"):
        summarise([read_run(path)], known=fake.LIBERO_TASKS)


def test_tasks_are_in_the_order_of_their_names(fake):
    assert [score.task for score in score_tasks(fake.rollouts(1, 1, 1))] == sorted(fake.LIBERO_TASKS[:3])
