"""Which tasks moved from one arm to another.

The rate of a task over all its attempts does not compare arms on chains: a later subtask is tried only after the
earlier ones were solved, so the arms try it in different chains and from different states. What compares are the places
(subtasks of a chain) that both arms reached. There, one of them may solve what the other does not, and then the chain
has ended for the other: a pair of chains parts at most once. So the counts of those places come from independent pairs
of chains, and McNemar's test applies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from seer_bench.compare.arm import ComparedArm
from seer_bench.compare.difference import as_estimate, compare_paired
from seer_bench.compare.measures import success
from seer_bench.compare.units import ClusterOf, group_units
from seer_bench.report.counts import Estimate
from seer_bench.stats import Pairs, fisher, holm, mcnemar, paired_difference, unpaired_difference


@dataclass(frozen=True)
class Tries:
    """How often a task was tried in one arm."""

    successes: int
    attempts: int

    @property
    def rate(self) -> float | None:
        """Fraction of attempts; None without any."""
        return self.successes / self.attempts if self.attempts else None


@dataclass(frozen=True)
class TaskDifference:
    """One task in two arms, A minus B."""

    task: str
    a: Tries
    """All attempts of A, in the units compared."""
    b: Tries
    """All attempts of B."""
    both: int | None
    """Places (subtasks of a unit) at which both arms tried it; None without pairs."""
    only_a: int | None
    """Places at which A alone solved it, or scored higher; None without pairs."""
    only_b: int | None
    """Places at which B alone solved it, or scored higher; None without pairs."""
    estimate: Estimate | None
    """Difference of the rates with its 95 % interval: over the places of both, and without pairs over all attempts.
    None where there are none."""
    p_value: float | None
    """None where nothing can be tested."""
    p_holm: float | None = None
    """The same with Holm's correction for all tasks that were tested, in all comparisons."""

    @property
    def moved(self) -> bool:
        """Whether anything speaks for a change: a place where one arm alone solved it, or without pairs other rates."""
        if self.only_a is None or self.only_b is None:
            return self.a.rate != self.b.rate
        return self.only_a + self.only_b > 0


class _Found(NamedTuple):
    """What a comparison of one task says: the fields of `TaskDifference` of the same names."""

    both: int | None
    only_a: int | None
    only_b: int | None
    estimate: Estimate | None
    p_value: float | None


def paired_tasks(
    a: ComparedArm, b: ComparedArm, units: Sequence[str], *, cluster: ClusterOf
) -> tuple[TaskDifference, ...]:
    """Every task that was tried in `units`, which both arms played; the smallest p first."""
    tries_a, tries_b = _count_tries(a, units), _count_tries(b, units)
    tasks = sorted(tries_a.keys() | tries_b.keys())
    if a.protocol.chain_length > 1:
        found = {} if several_checkpoints(a, b) else _at_places(a, b, units)
    else:
        found = _within_tasks(a, b, units, cluster)
    none, nothing = _Found(None, None, None, None, None), Tries(0, 0)
    return _ordered(
        TaskDifference(task, tries_a.get(task, nothing), tries_b.get(task, nothing), *found.get(task, none))
        for task in tasks
    )


def unpaired_tasks(
    a: ComparedArm, b: ComparedArm, units_a: Sequence[str], units_b: Sequence[str]
) -> tuple[TaskDifference, ...]:
    """Every task that was tried, over all attempts of arms with units of their own; the smallest p first."""
    tries_a, tries_b = _count_tries(a, units_a), _count_tries(b, units_b)
    single = not several_checkpoints(a, b)
    nothing = Tries(0, 0)
    lines = []
    for task in sorted(tries_a.keys() | tries_b.keys()):
        ours, theirs = tries_a.get(task, nothing), tries_b.get(task, nothing)
        estimate, p_value = None, None
        if ours.attempts and theirs.attempts and single:
            counts = {
                "successes_a": ours.successes, "n_a": ours.attempts,
                "successes_b": theirs.successes, "n_b": theirs.attempts,
            }  # fmt: skip
            estimate, p_value = as_estimate(unpaired_difference(**counts)), fisher(**counts)
        lines.append(TaskDifference(task, ours, theirs, None, None, None, estimate, p_value))
    return _ordered(lines)


def correct_tasks(tables: Sequence[Sequence[TaskDifference]]) -> list[tuple[TaskDifference, ...]]:
    """The tasks of every comparison, with Holm's correction for all that were tested in any of them."""
    tested = [line.p_value for lines in tables for line in lines if line.p_value is not None]
    adjusted = iter(holm(p_values=tested))
    return [
        tuple(line if line.p_value is None else replace(line, p_holm=next(adjusted)) for line in lines)
        for lines in tables
    ]


def several_checkpoints(a: ComparedArm, b: ComparedArm) -> bool:
    """Whether either arm has more than one checkpoint, so that places of its chains have no one outcome."""
    return len(a.checkpoints) > 1 or len(b.checkpoints) > 1


def _count_tries(arm: ComparedArm, units: Sequence[str]) -> dict[str, Tries]:
    """Successes and attempts of every task, over all checkpoints."""
    attempts: Counter[str] = Counter()
    successes: Counter[str] = Counter()
    chains = arm.protocol.chain_length > 1
    for checkpoint in arm.checkpoints:
        for unit in units:
            result = checkpoint.outcomes[unit]
            # A unit of a single task is one attempt at it, whatever stages its record tells apart.
            tried = [(s.task, s.success) for s in result.subtasks] if chains else [(arm.task_of(unit), success(result))]
            for task, solved in tried:
                attempts[task] += 1
                successes[task] += int(solved)
    return {task: Tries(successes[task], attempts[task]) for task in attempts}


def _places(a: ComparedArm, b: ComparedArm, units: Sequence[str]) -> Iterator[tuple[str, bool, bool]]:
    """Task and outcomes at every place that both arms reached."""
    first, second = a.checkpoints[0].outcomes, b.checkpoints[0].outcomes
    for unit in units:
        for ours, theirs in zip(first[unit].subtasks, second[unit].subtasks, strict=False):
            if ours.task != theirs.task:
                break  # never under one protocol; what follows would not be the same place
            yield ours.task, ours.success, theirs.success


def _at_places(a: ComparedArm, b: ComparedArm, units: Sequence[str]) -> dict[str, _Found]:
    """The tasks of chains, by the places that both arms reached."""
    counts: Counter[tuple[str, bool, bool]] = Counter(_places(a, b, units))
    found = {}
    for task in {task for task, _, _ in counts}:
        pairs = Pairs(*(counts[task, ours, theirs] for ours in (True, False) for theirs in (True, False)))
        p_value = mcnemar(only_a=pairs.only_a, only_b=pairs.only_b)
        estimate = as_estimate(paired_difference(pairs=pairs))
        found[task] = _Found(pairs.n, pairs.only_a, pairs.only_b, estimate, p_value)
    return found


def _within_tasks(a: ComparedArm, b: ComparedArm, units: Sequence[str], cluster: ClusterOf) -> dict[str, _Found]:
    """The tasks of rollouts, each compared as the whole is."""
    by_task: dict[str, list[str]] = {}
    for unit in units:
        by_task.setdefault(a.task_of(unit), []).append(unit)
    found = {}
    for task, members in by_task.items():
        ours, theirs = (arm.scores(members, success) for arm in (a, b))
        line = compare_paired(ours, theirs, group_units(a, members, cluster=cluster), top=1)
        found[task] = _Found(line.n_a, line.ahead_a, line.ahead_b, line.estimate, line.p_value)
    return found


def _ordered(lines: Iterable[TaskDifference]) -> tuple[TaskDifference, ...]:
    """The smallest p first, then the largest difference."""

    def order(line: TaskDifference) -> tuple[float, float, str]:
        size = 0.0 if line.estimate is None else abs(line.estimate.value)
        return (2.0 if line.p_value is None else line.p_value, -size, line.task)

    return tuple(sorted(lines, key=order))
