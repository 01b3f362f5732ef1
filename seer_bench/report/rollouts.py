"""What a run of a benchmark of single tasks came to: a rate for every task, and their mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seer_bench.errors import DamagedRecordError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.checkpoints import Choice, choose, common_units, joint_rate, merged
from seer_bench.report.counts import Estimate, RunSummary, TaskScore, count_run, declared, scored
from seer_bench.stats import rate_bounds, stratified_mean
from seer_bench.store import RunData, merge_runs


@dataclass(frozen=True)
class RolloutSummary(RunSummary):
    """One row of a table of tasks; the unit is one rollout of one task."""

    tasks_planned: int
    """Tasks of the protocol."""
    average: Estimate | None
    """Mean of the tasks' rates, with a stratified interval; None until every task has an outcome."""
    solved_bounds: tuple[float, float]
    """Share of solved rollouts if every one of `errors` had failed, or been solved; bounds of `average` too, where
    nothing else is missing."""
    task_of: Mapping[str, str]
    """The task of every unit with an outcome."""

    @property
    def successes(self) -> int:
        """Solved rollouts."""
        return sum(score.successes for score in self.tasks)


def estimate_average(tasks: Sequence[TaskScore]) -> Estimate:
    """Mean of the rates of some tasks, each counting the same, with its 95 % interval; `tasks` must not be empty."""
    bounds = stratified_mean(successes=[t.successes for t in tasks], n=[t.attempts for t in tasks])
    return Estimate(sum(task.rate.value for task in tasks) / len(tasks), bounds.low, bounds.high)


def summarise(runs: Sequence[RunData], *, known: Iterable[str]) -> RolloutSummary | None:
    """Merge the runs of one identity and count; None where no rollout has an outcome.

    Args:
        runs: shards of one run.
        known: the tasks that the table is about.

    Raises:
        RunMismatchError: they are different runs.
        DamagedRecordError: two of them hold different outcomes of one rollout, or one tried more than one task.
        UsageError: the protocol declares no rollouts, or a task is none of `known`.
    """
    run = merge_runs(runs, allow_mixed=True)
    tasks_planned, each = _shape(run.manifest.protocol)
    results = scored(run.results.values())
    if not results:
        return None
    if other := next((r for r in results if len(r.subtasks) != 1), None):
        raise DamagedRecordError(f"{other.unit_id} tried {len(other.subtasks)} tasks; a rollout is about one.")
    counts = count_run(run, [run.path for run in runs], planned=tasks_planned * each)
    if strange := {score.task for score in counts.tasks} - set(known):
        raise UsageError(f"'{min(strange)}' is no task of the table.")
    bounds = rate_bounds(successes=sum(t.successes for t in counts.tasks), n=counts.n, errors=counts.errors)
    return RolloutSummary(
        **vars(counts),
        tasks_planned=tasks_planned,
        average=estimate_average(counts.tasks) if len(counts.tasks) == tasks_planned else None,
        solved_bounds=(bounds.low, bounds.high),
        task_of={result.unit_id: result.subtasks[0].task for result in results},
    )


def combine(runs: Sequence[RolloutSummary]) -> tuple[RolloutSummary, Choice]:
    """One row for several checkpoints: means over those that `choose` picks by the mean of their tasks' rates.

    Raises:
        UsageError: no rollout has an outcome with all of them.
    """
    units = common_units(runs)
    labels = np.array([runs[0].task_of[unit] for unit in units])
    choice, solved = choose(runs, top=1, strata=labels)
    chosen = [runs[i] for i in choice.chosen]
    tasks = []
    for task in sorted(set(labels)):
        of_task = solved[:, labels == task]
        tasks.append(TaskScore(str(task), int(of_task.sum()), of_task.size, joint_rate(of_task == 1)))
    low, high = (sum(run.solved_bounds[end] for run in chosen) / len(chosen) for end in (0, 1))
    row = merged(
        runs,
        choice,
        tasks=tuple(tasks),
        average=choice.selected if len(tasks) == runs[0].tasks_planned else None,
        solved_bounds=(low, high),
    )
    return row, choice


def _shape(protocol: EvaluationProtocol) -> tuple[int, int]:
    """Tasks of the protocol, and rollouts of each."""
    tasks, rollouts = declared(protocol, "trials", "tasks", "per_task")
    return tasks, rollouts
