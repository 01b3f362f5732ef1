"""One pass over the units of a run: where its failures broke, and how long successes took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seer_bench.contracts import Unit, UnitResult
from seer_bench.errors import SeerBenchError
from seer_bench.report.counts import RunSummary
from seer_bench.store import Session, merge_runs, read_run

KEPT = 1000
"""Failures of one task that are kept; the others are counted."""


@dataclass(frozen=True)
class Failure:
    """A unit that failed, and the subtask that broke it."""

    result: UnitResult
    position: int
    """Of the broken subtask in the unit, from 0."""
    origin: Path
    """The run directory that holds it."""

    @property
    def slug(self) -> str:
        """Short name of the unit."""
        return Unit(self.result.unit_id, 0).slug

    @property
    def task(self) -> str:
        """The broken subtask's task."""
        return self.result.subtasks[self.position].task

    @property
    def sentence(self) -> str:
        """What the policy was told."""
        return self.result.subtasks[self.position].instruction

    @property
    def steps(self) -> int:
        """Control steps taken in the broken subtask."""
        return self.result.subtasks[self.position].steps

    @property
    def steps_before(self) -> int:
        """Control steps of the subtasks before it."""
        return sum(subtask.steps for subtask in self.result.subtasks[: self.position])

    @property
    def fault(self) -> str:
        """The policy's own fault, where that ended the unit; else nothing."""
        return self.result.error.message if self.result.error else ""


@dataclass(frozen=True)
class FailureGroup:
    """Everything that broke at one task."""

    task: str
    broken: int
    """Units that ended there."""
    attempts: int
    """Units that tried the task."""
    faults: int
    """Of `broken`, those that the policy's own fault ended."""
    failures: tuple[Failure, ...]
    """The first of them, by unit; at most `KEPT`."""


@dataclass(frozen=True)
class Quartiles:
    """How a set of numbers is spread."""

    low: float
    first: float
    median: float
    third: float
    high: float


@dataclass(frozen=True)
class RunDetails:
    """What the pages say of one run beyond its row in a table."""

    summary: RunSummary
    sessions: tuple[Session, ...]
    """In the order of their starts."""
    problems: tuple[str, ...]
    """Records that could not be used, in words."""
    survival: tuple[int, ...]
    """Units with at least 1, 2, ... solved subtasks."""
    groups: tuple[FailureGroup, ...]
    """Those with most failures first."""
    durations: dict[str, Quartiles]
    """Control steps of solved subtasks, by task."""
    lost: tuple[UnitResult, ...]
    """Units without an outcome, the first `KEPT` of them."""

    @property
    def failed(self) -> int:
        """Units that failed."""
        return sum(group.broken for group in self.groups)

    @property
    def length(self) -> int:
        """Most subtasks of a unit."""
        return self.summary.protocol.chain_length


def read_details(summary: RunSummary) -> RunDetails | None:
    """Read a run once more, unit by unit; None where it cannot be read any more."""
    try:
        run = merge_runs([read_run(path) for path in summary.paths], allow_mixed=True)
    except SeerBenchError:
        return None
    solved: Counter[int] = Counter()
    attempts: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    kept: defaultdict[str, list[Failure]] = defaultdict(list)
    durations: defaultdict[str, Counter[int]] = defaultdict(Counter)
    lost: list[UnitResult] = []
    for unit_id, result in run.results.items():
        if result.outcome == "error":
            if len(lost) < KEPT:
                lost.append(result)
            continue
        solved[result.solved] += 1
        for position, subtask in enumerate(result.subtasks):
            attempts[subtask.task] += 1
            if subtask.success:
                if subtask.steps:  # 0 where nobody counted, as on a real robot
                    durations[subtask.task][subtask.steps] += 1
                continue
            broken[subtask.task] += 1
            faults[subtask.task] += result.error is not None
            if len(kept[subtask.task]) < KEPT:
                kept[subtask.task].append(Failure(result, position, run.origins[unit_id]))
    groups = [FailureGroup(t, broken[t], attempts[t], faults[t], tuple(kept[t])) for t in broken]
    length = run.manifest.protocol.chain_length
    return RunDetails(
        summary=summary,
        sessions=run.sessions,
        problems=run.problems,
        survival=tuple(sum(n for k, n in solved.items() if k >= i) for i in range(1, length + 1)),
        groups=tuple(sorted(groups, key=lambda group: (-group.broken, group.task))),
        durations={task: _quartiles(steps) for task, steps in sorted(durations.items())},
        lost=tuple(lost),
    )


def round_robin(groups: Sequence[FailureGroup]) -> Iterator[Failure]:
    """The failures, one of each group in turn, so that a few of them show as many kinds as there are."""
    for i in range(max((len(group.failures) for group in groups), default=0)):
        yield from (group.failures[i] for group in groups if i < len(group.failures))


def _quartiles(steps: Counter[int]) -> Quartiles:
    """The spread of some numbers, at least one, each with how often it came."""
    everything = np.repeat(list(steps), list(steps.values()))
    return Quartiles(*(float(value) for value in np.percentile(everything, (0, 25, 50, 75, 100))))
