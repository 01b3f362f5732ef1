"""What a campaign on a real robot came to: SR and score of every task, with intervals that know of its cases.

The trials of one case share its initial state, so chance drew the cases; intervals are about them (see
`seer_bench.stats.clustered_mean`). Only cases whose every trial has an outcome count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seer_bench.contracts import UnitResult
from seer_bench.errors import UsageError
from seer_bench.real_robot import TABLE, Campaign, TaskPlan, Trial, aggregate
from seer_bench.report.checkpoints import BEST, ArmRow, Choice, merged
from seer_bench.report.counts import Estimate, RunSummary, TaskScore, count_run
from seer_bench.report.paper_real_robot import CASES, load_real_robot_table
from seer_bench.report.paper_table import Source
from seer_bench.stats import clustered_mean, select_best
from seer_bench.store import RunData, merge_runs


@dataclass(frozen=True)
class CaseResult:
    """One case whose every trial has an outcome, after aggregation."""

    success: tuple[float, ...]
    """0 or 1, one a trial for "mean", else one for the case; of several checkpoints those of each."""
    stages: tuple[float, ...]
    """Completed stages, likewise."""


@dataclass(frozen=True)
class TaskResult:
    """One task of a campaign."""

    plan: TaskPlan
    cases: Mapping[int, CaseResult]
    """Finished cases by number."""
    trials: int
    """Trials with an outcome, those of unfinished cases among them."""
    errors: int
    """Trials without one because they were void; repeated ones are not among them."""

    @property
    def success(self) -> Estimate | None:
        """SR as a fraction of the finished cases; None without any."""
        return mean_success([self])

    @property
    def score(self) -> Estimate | None:
        """Completed stages, summed over the finished cases; None without any."""
        return total_score([self])

    @property
    def most(self) -> int:
        """The highest score that the finished cases could have."""
        return len(self.cases) * len(self.plan.stages)


@dataclass(frozen=True)
class RealRobotSummary(RunSummary):
    """One row of a table of the real robot; the unit is the trial."""

    campaign: Campaign
    results: tuple[TaskResult, ...]
    """The tasks that the row is about, in the campaign's order; n, planned and errors are about these."""
    everything: tuple[TaskResult, ...]
    """All tasks of the campaign."""
    remarks: tuple[str, ...]
    """What whoever recorded the campaign wants said of it."""

    @property
    def average_success(self) -> Estimate | None:
        """Mean of the tasks' SRs, a fraction; None until every task has a finished case."""
        return mean_success(self.results)

    @property
    def average_score(self) -> Estimate | None:
        """Mean of the tasks' scores; None until every task has a finished case."""
        return total_score(self.results, parts=len(self.results))

    @property
    def cases(self) -> int:
        """Finished cases."""
        return sum(len(result.cases) for result in self.results)

    @property
    def planned_cases(self) -> int:
        """Cases of the tasks."""
        return sum(result.plan.cases for result in self.results)

    @property
    def unlike_paper(self) -> tuple[str, ...]:
        """Where the tasks are not the paper's, although they may be called so."""
        stages = {task.id: len(task.stages) for task in load_real_robot_table().tasks}
        plans = [result.plan for result in self.results]
        reasons = []
        played = {plan.id for plan in plans}
        if not any(plan.disturbance for plan in plans) and played != set(stages):
            some = f"{len(played)} of the paper's {len(stages)} tasks"
            reasons.append(some if played < set(stages) else "other tasks than the paper's")
        for plan in plans:
            wanted = stages.get(plan.of if plan.disturbance else plan.id)
            if wanted is not None and len(plan.stages) != wanted:
                reasons.append(f"{plan.id} has {len(plan.stages)} stages, in the paper {wanted}")
        for cases in sorted({plan.cases for plan in plans} - {CASES}):
            few = [plan.id for plan in plans if plan.cases == cases]
            reasons.append(
                f"{cases} cases instead of {CASES} of {'every task' if len(few) == len(plans) else ', '.join(few)}"
            )
        return tuple(reasons)


def summarise(runs: Sequence[RunData]) -> RealRobotSummary | None:
    """Merge the runs of one identity and count; None where no trial has an outcome.

    Raises:
        RunMismatchError: they are different runs.
        DamagedRecordError: two of them hold different outcomes of one trial, or a trial is none of the campaign's.
        UsageError: the protocol declares no campaign.
    """
    run = merge_runs(runs, allow_mixed=True)
    campaign = Campaign.of(run.manifest.protocol)
    if not any(result.outcome != "error" for result in run.results.values()):
        return None
    results = count_tasks(campaign, run.results.values())
    counts = count_run(run, [run.path for run in runs], planned=len(campaign.trials()))
    fields = {**vars(counts), "tasks": _scores(results)}
    return RealRobotSummary(
        **fields, campaign=campaign, results=tuple(results), everything=tuple(results), remarks=_remarks(run)
    )


def count_tasks(campaign: Campaign, results: Iterable[UnitResult]) -> list[TaskResult]:
    """The tasks of a campaign, in its order; raises DamagedRecordError for a unit that is no trial of it."""
    found: defaultdict[str, defaultdict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    errors: defaultdict[str, int] = defaultdict(int)
    for result in results:
        trial = campaign.trial_of(result)
        if result.outcome == "error":
            errors[trial.task] += 1
        else:
            found[trial.task][trial.case].append((int(result.outcome == "success"), result.solved))
    counted = []
    for plan in campaign.tasks:
        played = found[plan.id]
        finished = {case: trials for case, trials in sorted(played.items()) if len(trials) == plan.trials}
        cases = {
            case: CaseResult(
                aggregate([success for success, _ in trials], campaign.aggregation),
                aggregate([stages for _, stages in trials], campaign.aggregation),
            )
            for case, trials in finished.items()
        }
        counted.append(TaskResult(plan, cases, sum(map(len, played.values())), errors[plan.id]))
    return counted


def combine(runs: Sequence[RealRobotSummary]) -> tuple[RealRobotSummary, Choice]:
    """One row for several checkpoints: means over the best by their SR, averaged over the tasks.

    Undisturbed tasks decide where there are any. All values are about the cases that every checkpoint finished.

    Raises:
        UsageError: there is no such case.
    """
    several = [[run.everything[i] for run in runs] for i in range(len(runs[0].everything))]
    calm = [results for results in several if not results[0].plan.disturbance] or several
    table = [
        ([float(np.mean(result.cases[case].success)) for result in results], results[0].plan, case)
        for results in calm
        for case in _common(results)
    ]
    if not table:
        raise UsageError(f"No case was finished with all {len(runs)} checkpoints of the arm; play the same cases.")
    found = select_best(
        scores=np.array([values for values, _, _ in table]).T,
        best=min(BEST, len(runs)),
        strata=[plan.id for _, plan, _ in table],
    )
    units = tuple(
        Trial(plan.id, case, number).unit_id(runs[0].protocol.name)
        for _, plan, case in table
        for number in range(plan.trials)
    )
    choice = Choice.among(len(runs), found, units)
    together = tuple(_together(results, choice.chosen) for results in several)
    remarks = tuple(dict.fromkeys(remark for i in found.chosen for remark in runs[i].remarks))
    row = merged(runs, choice, tasks=_scores(together), results=together, everything=together, remarks=remarks)
    return replace(row, n=sum(result.trials for result in together)), choice


SOURCE: Source[RealRobotSummary] = Source(TABLE, "trial", summarise, combine)


def rows_about(
    rows: Sequence[ArmRow[RealRobotSummary]], wanted: Callable[[TaskPlan], bool]
) -> list[ArmRow[RealRobotSummary]]:
    """Those rows that have some of the wanted tasks, restricted to these."""
    return [
        replace(
            row,
            summary=_restricted(row.summary, wanted),
            runs=tuple(_restricted(run, wanted) for run in row.runs),
        )
        for row in rows
        if any(wanted(result.plan) for result in row.summary.everything)
    ]


def _remarks(run: RunData) -> tuple[str, ...]:
    """The sentences in the facts of the last session; none where they have another form."""
    facts = run.sessions[-1].facts.get("real_robot") if run.sessions else None
    remarks = facts.get("remarks") if isinstance(facts, Mapping) else None
    return tuple(str(remark) for remark in remarks) if isinstance(remarks, list) else ()


def _restricted(summary: RealRobotSummary, wanted: Callable[[TaskPlan], bool]) -> RealRobotSummary:
    """The same row about some of its tasks."""
    results = tuple(result for result in summary.everything if wanted(result.plan))
    return replace(
        summary,
        results=results,
        tasks=_scores(results),
        n=sum(result.trials for result in results),
        planned=sum(result.plan.cases * result.plan.trials for result in results),
        errors=sum(result.errors for result in results),
    )


def _together(results: Sequence[TaskResult], chosen: Sequence[int]) -> TaskResult:
    """One task with the values of several checkpoints on their common cases."""
    cases = {
        case: CaseResult(
            tuple(value for i in chosen for value in results[i].cases[case].success),
            tuple(value for i in chosen for value in results[i].cases[case].stages),
        )
        for case in _common(results)
    }
    plan = results[0].plan
    return TaskResult(plan, cases, len(cases) * plan.trials, sum(results[i].errors for i in chosen))


def _common(results: Sequence[TaskResult]) -> list[int]:
    """The cases that all of them finished."""
    return [case for case in results[0].cases if all(case in result.cases for result in results[1:])]


def mean_success(results: Sequence[TaskResult]) -> Estimate | None:
    """Mean SR of some tasks, a fraction; None while one of them has no finished case."""
    if not results or not all(result.cases for result in results):
        return None
    return Estimate(*clustered_mean(clusters=[[case.success for case in r.cases.values()] for r in results]))


def total_score(results: Sequence[TaskResult], *, parts: int = 1) -> Estimate | None:
    """Completed stages, summed over cases and tasks and divided by `parts`; None as for `mean_success`."""
    if not results or not all(result.cases for result in results):
        return None
    shares = [[_shares(case, len(r.plan.stages)) for case in r.cases.values()] for r in results]
    mean = clustered_mean(clusters=shares, weights=[result.most for result in results])
    most = sum(result.most for result in results) / parts
    return Estimate(*(most * end for end in mean))


def _shares(case: CaseResult, stages: int) -> list[float]:
    """The completed stages of a case as fractions."""
    return [value / stages for value in case.stages]


def _scores(results: Sequence[TaskResult]) -> tuple[TaskScore, ...]:
    """The tasks that have a finished case, by name: what was solved of what the SR is a fraction of."""
    scores = []
    for result in sorted(results, key=lambda result: result.plan.id):
        values: list[Any] = [value for case in result.cases.values() for value in case.success]
        rate = result.success
        if rate is not None:
            scores.append(TaskScore(result.plan.id, int(sum(values)), len(values), rate))
    return tuple(scores)
