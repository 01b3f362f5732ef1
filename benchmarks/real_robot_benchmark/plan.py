"""Who is tried when: a seeded order in which every policy meets the same case close in time.

The order is made of blocks, one for each task, case and repeated trial. Within a block every policy is tried once, so
that light, wear and the operator's mood are the same for all; the order of the policies within the blocks comes from
random Latin squares, so that each policy is as often first as any other. The order is about letters and is made from
a printed seed; who a letter stands for is drawn elsewhere and from no seed.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from real_robot_benchmark.tasks import RealTask
from seer_bench.errors import UsageError

GroupBy = Literal["task", "nothing"]
"""Keep the trials of a task together, since its scene takes time to set up, or mix all tasks."""


@dataclass(frozen=True)
class PlannedTrial:
    """One trial of one policy."""

    number: int
    """Position in the order, from 1."""
    task: str
    case: int
    """From 1."""
    trial: int
    """Which repetition of the case, from 1."""
    arm: str
    """Letter of the policy."""


@dataclass(frozen=True)
class Plan:
    """All trials of a campaign in their order."""

    tasks: tuple[RealTask, ...]
    trials: tuple[PlannedTrial, ...] = field(repr=False)
    arms: tuple[str, ...]
    """Letters of the policies."""

    def task(self, name: str) -> RealTask:
        """The task called `name`."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, RealTask]:
        """Tasks by name."""
        return {task.name: task for task in self.tasks}


def letters(count: int) -> tuple[str, ...]:
    """Letters for so many policies; raises UsageError beyond Z."""
    if not 1 <= count <= len(string.ascii_uppercase):
        raise UsageError(f"{count} policies; a campaign compares 1 to {len(string.ascii_uppercase)}, one letter each.")
    return tuple(string.ascii_uppercase[:count])


def make_plan(
    tasks: Sequence[RealTask], arms: Sequence[str], *, trials: int, seed: int, group_by: GroupBy = "task"
) -> Plan:
    """The order of a campaign; equal arguments give an equal order.

    Args:
        tasks: what is played.
        arms: letters of the policies.
        trials: repetitions of every case.
        seed: of the order.
        group_by: whether the trials of a task stay together.
    """
    rng = random.Random(seed)
    rows = _rows(arms, rng)
    order: list[PlannedTrial] = []
    for task, case, trial in _blocks(tasks, trials, group_by, rng):
        for arm in next(rows):
            order.append(PlannedTrial(len(order) + 1, task, case, trial, arm))
    return Plan(tuple(tasks), tuple(order), tuple(arms))


def check_order(plan: Plan, trials: int) -> str:
    """Why the order is not one of every trial once, in words; empty where it is."""
    wanted = {
        (task.name, case.number, trial, arm)
        for task in plan.tasks
        for case in task.cases
        for trial in range(1, trials + 1)
        for arm in plan.arms
    }
    held = [(entry.task, entry.case, entry.trial, entry.arm) for entry in plan.trials]
    if unknown := set(held) - wanted:
        return f"it holds {sorted(unknown)[0]}, which is no trial of these tasks"
    if len(held) != len(wanted) or set(held) != wanted:
        return f"it holds {len(held)} trials, of which {len(set(held))} are different, instead of {len(wanted)}"
    return ""


def _blocks(
    tasks: Sequence[RealTask], trials: int, group_by: GroupBy, rng: random.Random
) -> Iterator[tuple[str, int, int]]:
    """(task, case, trial) in a random order: all cases once, then all of them again."""
    groups = [[task] for task in tasks] if group_by == "task" else [list(tasks)]
    rng.shuffle(groups)
    for group in groups:
        for trial in range(1, trials + 1):
            cases = [(task.name, case.number, trial) for task in group for case in task.cases]
            rng.shuffle(cases)
            yield from cases


def _rows(arms: Sequence[str], rng: random.Random) -> Iterator[list[str]]:
    """Endless orders of the policies: the rows of one random Latin square after another."""
    size = len(arms)
    while True:
        names, rows, columns = (rng.sample(range(size), size) for _ in range(3))
        for row in rows:
            yield [arms[names[(row + column) % size]] for column in columns]
