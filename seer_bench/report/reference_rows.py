"""What a published result of another policy is: numbers, protocol, source, and how they were seen.

Rows of different groups (`ReferenceGroup`) answer different questions and must never be ranked in one column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from seer_bench.errors import UnknownNameError

HOW = ("authors", "quoted", "paper", "memory")
"""Ways in which a row's numbers were seen; `Verification.how` explains them."""


@dataclass(frozen=True)
class ReferenceGroup:
    """One evaluation protocol; numbers are comparable inside a group alone."""

    key: str
    """E.g. "steps-360"."""
    summary: str
    """The protocol in words."""
    protocols: tuple[str, ...]
    """Names of this project's protocols that play it; empty where there is none."""
    units: int | None
    """Chains, or rollouts a task; None where not known."""
    steps: int | None
    """Control steps that a policy has for a subtask, or for a rollout; None where not known."""

    @property
    def ranked(self) -> bool:
        """Whether the rows may be ranked: only where the protocol is known."""
        return self.units is not None and self.steps is not None


@dataclass(frozen=True)
class ReferenceSource:
    """Where a result was published."""

    title: str
    """Title of the paper, or the name of the work."""
    where: str
    """Number at arXiv ("arXiv:2412.15109"), or the repository."""
    table: str | None
    """Table or section there; None where not known."""


@dataclass(frozen=True)
class Verification:
    """How the numbers of a row were seen."""

    how: str
    """One of `HOW`: in a repository or page of those who produced them ("authors"), in another work's table
    ("quoted"), in the Seer paper ("paper"), or nowhere ("memory")."""
    seen: tuple[str, ...]
    """Repositories (with commit), pages and files; empty for "memory" alone."""


@dataclass(frozen=True)
class ChainResult:
    """Numbers of a benchmark of chains."""

    rates: tuple[float | None, ...]
    """Percent of chains with at least 1, 2, ... solved subtasks; None where not known."""
    average_length: float | None
    """Mean number of solved subtasks a chain, as printed; None where not known."""
    plus_minus: float | None
    """What is printed behind the average length, subtasks; None where nothing is."""


@dataclass(frozen=True)
class SuiteMeans:
    """Mean success rates of one policy on LIBERO's four suites, percent, as printed."""

    spatial: float
    object: float
    goal: float
    long: float
    """LIBERO-LONG; equals `TaskResult.average`."""
    average: float
    """Mean of the four."""


@dataclass(frozen=True)
class TaskResult:
    """Numbers of a benchmark of single tasks."""

    average: float | None
    """Mean success rate over the tasks, percent, as printed; None where not known."""
    tasks: tuple[float | None, ...] | None
    """Success rate of each task, percent, in the order of the Seer paper's Table 1; None where not published."""
    suites: SuiteMeans | None
    """The same row's means on all suites; None where not published together."""
    plus_minus: float | None
    """What is printed behind the average, percent; None where nothing is."""
    trials: int | None
    """Rollouts a task; None where not known."""
    seeds: int | None
    """Random seeds that were averaged over; None where not known."""


ResultT = TypeVar("ResultT", ChainResult, TaskResult)


@dataclass(frozen=True)
class ReferenceRow(Generic[ResultT]):
    """One published result."""

    method: str
    """The policy; whoever else trained or evaluated it is named in brackets."""
    result: ResultT
    comparable: str
    """Key of the row's `ReferenceGroup`."""
    cameras: tuple[str, ...] | None
    """Cameras that the policy looks at; None where not known."""
    depth: bool | None
    """Whether it reads depth too; None where not known."""
    extra_data: str | None
    """Pre-training beyond the benchmark's demonstrations; None where nothing is known of any."""
    checkpoints: str | None
    """Which checkpoints the number stands for, e.g. "mean of the best 3 checkpoints"; None where not known."""
    source: ReferenceSource
    verified: Verification
    note: str | None
    """What a reader must know besides."""
    discrepancy: str | None
    """In words, where the printed numbers contradict each other; None where they agree or cannot be checked."""


@dataclass(frozen=True)
class ReferenceTable(Generic[ResultT]):
    """Every published result of one benchmark."""

    key: str
    """Name of the file, e.g. "calvin-abc-d"."""
    benchmark: str
    """Name of the benchmark's plugin."""
    title: str
    groups: tuple[ReferenceGroup, ...]
    rows: tuple[ReferenceRow[ResultT], ...]

    def group(self, key: str) -> ReferenceGroup:
        """The group called `key`; raises UnknownNameError."""
        for group in self.groups:
            if group.key == key:
                return group
        raise UnknownNameError("group of published results", key, (group.key for group in self.groups))

    def in_group(self, key: str) -> tuple[ReferenceRow[ResultT], ...]:
        """The rows of one group, in the file's order; raises UnknownNameError."""
        return tuple(row for row in self.rows if row.comparable == self.group(key).key)

    def group_of(self, protocol: str) -> ReferenceGroup | None:
        """The group that this project's `protocol` plays; None where there is none."""
        return next((group for group in self.groups if protocol in group.protocols), None)
