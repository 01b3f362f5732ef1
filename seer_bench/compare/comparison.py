"""Arms against one another on the same protocol: the first against each of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seer_bench.compare.arm import ComparedArm, arm_notes, load_arm, pair_notes, unit_noun
from seer_bench.compare.difference import Difference, as_estimate, compare_paired, compare_unpaired
from seer_bench.compare.measures import Measure, measures
from seer_bench.compare.protocols import check_same_protocol
from seer_bench.compare.tasks import TaskDifference, correct_tasks, paired_tasks, unpaired_tasks
from seer_bench.compare.units import (
    ClusterOf,
    Groups,
    case_of,
    common_units,
    finished,
    group_units,
    other_starts,
    same_actions,
)
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.counts import Estimate
from seer_bench.report.document import counted
from seer_bench.stats import clustered_mean, holm, paired_bootstrap, select_best, stratified_mean
from seer_bench.store import identity_differences

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Row:
    """One arm's own score."""

    arm: ComparedArm
    estimate: Estimate
    """Over all of its units with an outcome under every checkpoint."""
    n: int
    """Units that it is about."""
    notes: tuple[str, ...]
    """What a reader must know of it."""


@dataclass(frozen=True)
class PairComparison:
    """Two arms: A, the first one, against another one (B here, whatever its letter is)."""

    a: ComparedArm
    b: ComparedArm
    paired: bool
    """Whether units were paired."""
    only_in: tuple[int, int]
    """Units of A and of B that the other has no outcome of; paired, they are left out."""
    common: int
    """Units with an outcome in both."""
    clustered: bool
    """Whether repeated trials were counted as one."""
    lines: tuple[tuple[Measure, Difference], ...]
    """By measure; the first one decides."""
    p_holm: float
    """p of the first measure with Holm's correction for all arms compared with A."""
    p_rates: tuple[float, ...]
    """p of the other measures with Holm's correction among themselves."""
    tests: int
    """Comparisons that share the level of 5 %."""
    tasks: tuple[TaskDifference, ...]
    """The smallest p first."""
    same_actions: int | None
    """Common units that both played with the very same actions; None where an arm has several checkpoints."""
    other_starts: int
    """Common units that began in different start states."""
    differ_in: tuple[str, ...]
    """Fields of the manifests that differ, e.g. "policy.name"; empty for the same run."""
    notes: tuple[str, ...]
    """What else a reader must know."""

    @property
    def measure(self) -> Measure:
        """What decides."""
        return self.lines[0][0]

    @property
    def difference(self) -> Difference:
        """The difference that decides."""
        return self.lines[0][1]

    @property
    def alike(self) -> bool:
        """Whether every unit was played with the very same actions."""
        return self.same_actions == self.common and (self.paired or self.only_in == (0, 0))


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found."""

    protocol: EvaluationProtocol
    rows: tuple[Row, ...]
    """In the order given."""
    pairs: tuple[PairComparison, ...]
    """The first arm against each of the others."""


def compare_runs(paths: Sequence[Path], *, unpaired: bool = False, cluster: ClusterOf = case_of) -> Comparison:
    """Read two or more arms and compare the first with each of the others.

    Args:
        paths: of each arm a run directory, or a folder with its shards and checkpoints.
        unpaired: take the units of each arm as its own, also where both have the same ones.
        cluster: gives the cluster of a unit; by default, trials of one case belong together.

    Raises:
        UsageError: fewer than two paths, a folder that is not one arm, different protocols, or no unit in common.
        StoreError: a run cannot be read or merged.
    """
    if not 2 <= len(paths) <= len(LETTERS):
        raise UsageError(f"{counted(len(paths), 'arm')} given; name 2 to {len(LETTERS)}: seer-bench compare A B")
    arms = [load_arm(path, letter) for path, letter in zip(paths, LETTERS, strict=False)]
    return compare_arms(arms, unpaired=unpaired, cluster=cluster)


def compare_arms(arms: Sequence[ComparedArm], *, unpaired: bool = False, cluster: ClusterOf = case_of) -> Comparison:
    """As `compare_runs`, for at least two arms that were read."""
    first, *others = arms
    for other in others:
        check_same_protocol(first, other)
    rows = tuple(_row(arm, cluster) for arm in arms)
    pairs = [_compare(first, other, len(others), unpaired=unpaired, cluster=cluster) for other in others]
    adjusted = holm(p_values=[pair.difference.p_value for pair in pairs])
    tasks = correct_tasks([pair.tasks for pair in pairs])
    corrected = (replace(pair, p_holm=p, tasks=t) for pair, p, t in zip(pairs, adjusted, tasks, strict=True))
    return Comparison(first.protocol, rows, tuple(corrected))


def _row(arm: ComparedArm, cluster: ClusterOf) -> Row:
    """One arm's own score; raises UsageError where no case of a real robot is finished."""
    units = finished(arm.protocol, arm.units)
    if not units:
        raise UsageError(f"{arm.paths[0]}: no case has an outcome of all its trials yet. Finish a case first.")
    estimate = _own_score(arm, units, cluster)
    notes = arm_notes(arm)
    if len(units) < len(arm.units):
        notes.append(f"Left out: {counted(len(arm.units) - len(units), 'trial')} of cases that are not finished.")
    if estimate.low is not None and estimate.low == estimate.high:
        noun = unit_noun(arm.protocol)
        notes.append(f"Every {noun} ended alike, so resampling shows no spread; n says how much that is worth.")
    return Row(arm, estimate, len(units), tuple(notes))


def _compare(a: ComparedArm, b: ComparedArm, tests: int, *, unpaired: bool, cluster: ClusterOf) -> PairComparison:
    """One pair of arms, not yet corrected for the others."""
    common = common_units(a, b)
    only_in = len(a.units) - len(common), len(b.units) - len(common)
    if not common and not unpaired:
        raise UsageError(_nothing_in_common(a, b))
    notes = pair_notes(a, b)
    if unpaired:
        lines, tasks, clustered = _unpaired_lines(a, b, tests, cluster, notes)
    else:
        groups = group_units(a, common, cluster=cluster)
        clustered = groups.clustered
        lines = _paired_lines(a, b, common, groups, tests)
        tasks = paired_tasks(a, b, common, cluster=cluster)
    return PairComparison(
        a=a,
        b=b,
        paired=not unpaired,
        only_in=only_in,
        common=len(common),
        clustered=clustered,
        lines=lines,
        p_holm=math.nan,
        p_rates=holm(p_values=[line.p_value for _, line in lines[1:]]),
        tests=tests,
        tasks=tasks,
        same_actions=same_actions(a, b, common),
        other_starts=other_starts(a, b, common),
        differ_in=_differ_in(a, b),
        notes=tuple(notes),
    )


def _paired_lines(
    a: ComparedArm, b: ComparedArm, units: Sequence[str], groups: Groups, tests: int
) -> tuple[tuple[Measure, Difference], ...]:
    """Every measure on the units of both."""
    lines = []
    for measure in measures(a.protocol):
        ours, theirs = (arm.scores(units, measure.score) for arm in (a, b))
        lines.append((measure, compare_paired(ours, theirs, groups, top=measure.top, tests=tests)))
    return tuple(lines)


def _unpaired_lines(
    a: ComparedArm, b: ComparedArm, tests: int, cluster: ClusterOf, notes: list[str]
) -> tuple[tuple[tuple[Measure, Difference], ...], tuple[TaskDifference, ...], bool]:
    """Every measure and every task on units of their own; `notes` takes the tasks that one arm alone tried."""
    units_a, units_b = (finished(arm.protocol, arm.units) for arm in (a, b))
    if a.protocol.chain_length == 1:
        tried = [{arm.task_of(unit) for unit in units} for arm, units in ((a, units_a), (b, units_b))]
        if not tried[0] & tried[1]:
            raise UsageError(f"{a.letter} and {b.letter} have no task in common; play the same units with both.")
        if lone := sorted(tried[0] ^ tried[1]):
            notes.append(f"Left out, because one arm alone tried them: {', '.join(lone)}.")
            units_a = tuple(unit for unit in units_a if a.task_of(unit) not in lone)
            units_b = tuple(unit for unit in units_b if b.task_of(unit) not in lone)
    groups_a, groups_b = (group_units(arm, u, cluster=cluster) for arm, u in ((a, units_a), (b, units_b)))
    lines = []
    for measure in measures(a.protocol):
        ours, theirs = a.scores(units_a, measure.score), b.scores(units_b, measure.score)
        lines.append((measure, compare_unpaired(ours, theirs, groups_a, groups_b, top=measure.top, tests=tests)))
    return tuple(lines), unpaired_tasks(a, b, units_a, units_b), groups_a.clustered or groups_b.clustered


def _own_score(arm: ComparedArm, units: Sequence[str], cluster: ClusterOf) -> Estimate:
    """The first measure of one arm, with its interval."""
    measure = measures(arm.protocol)[0]
    scores = arm.scores(units, measure.score)
    groups = group_units(arm, units, cluster=cluster)
    means = groups.means(scores)
    if groups.clustered:
        shares = [[[float(means[i]) / measure.top] for i in rows] for rows in groups.rows()]
        found = clustered_mean(clusters=shares)
        return Estimate(*(measure.top * end for end in found))
    if len(scores) > 1:
        strata = None if groups.strata is None else groups.strata[groups.members]
        return as_estimate(select_best(scores=scores, best=len(scores), top=measure.top, strata=strata).unselected)
    if groups.strata is None:
        return as_estimate(paired_bootstrap(differences=means))
    tasks = [means[rows] for rows in groups.rows()]
    ends = stratified_mean(successes=[int(task.sum()) for task in tasks], n=[task.size for task in tasks])
    return Estimate(float(np.mean([task.mean() for task in tasks])), *ends)


def _differ_in(a: ComparedArm, b: ComparedArm) -> tuple[str, ...]:
    """Fields of the manifests that differ."""
    lines = identity_differences(a.checkpoints[0].manifest, b.checkpoints[0].manifest)
    return tuple(dict.fromkeys(line.split(":")[0] for line in lines))


def _nothing_in_common(a: ComparedArm, b: ComparedArm) -> str:
    """Why two arms cannot be paired, and what to do."""
    noun = unit_noun(a.protocol)
    return (
        f"{a.letter} ({a.paths[0]}) and {b.letter} ({b.paths[0]}) have no {noun} in common: {a.letter} has "
        f"{len(a.units):,}, from {a.units[0]} on, and {b.letter} {len(b.units):,}, from {b.units[0]} on. Play the same "
        f"units with both (see --units of `seer-bench run`), or compare them without pairs by adding --unpaired, which "
        "takes more units to find the same difference."
    )
