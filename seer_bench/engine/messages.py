"""What the main process and its workers say to one another.

Main process to worker: an `Assignment`. Worker to main process, once for each: `Finished`, `Broken` or `Requeued`.
Where the policy lives in the main process, the worker meanwhile asks it over a line of its own: `Begin`, `Reset` and
`Act`, one at a time, and each is answered by `Done`, `Actions`, `Fault`, `Outage` or `Requeue`.
"""

from __future__ import annotations

from dataclasses import dataclass

from seer_bench.contracts import Array, SimulatorState, Unit
from seer_bench.engine.rollout import Played


@dataclass(frozen=True)
class Assignment:
    """Play this unit."""

    unit: Unit
    attempt: int
    alone: bool = False
    """Its calls of the policy share no batch, because a batch that it was in has failed."""


@dataclass(frozen=True)
class Finished:
    """The unit was played to its end."""

    played: Played


@dataclass(frozen=True)
class Broken:
    """The infrastructure failed; the worker is replaced."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Requeued:
    """The unit was given up, because a batch failed in which others took part."""


@dataclass(frozen=True)
class Begin:
    """A unit begins in the worker's slot."""

    unit: Unit


@dataclass(frozen=True)
class Reset:
    """A subtask begins in the worker's slot."""

    instruction: str
    seed: int


@dataclass(frozen=True)
class Act:
    """The worker waits for actions; its observation lies in shared memory."""

    alone: bool
    state: SimulatorState | None
    """Only for a privileged policy."""


Question = Begin | Reset | Act


@dataclass(frozen=True)
class Done:
    """The policy was told."""


@dataclass(frozen=True)
class Actions:
    """What the policy answered for this worker's row, (1, chunk, dim) if it does as declared."""

    actions: Array


@dataclass(frozen=True)
class Fault:
    """The policy failed by its own fault."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Outage:
    """The policy ran out of memory or lost its server, which is the infrastructure's failure."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Requeue:
    """A batch failed in which other units took part: play this unit again, alone, to see whose fault it is."""


Reply = Done | Actions | Fault | Outage | Requeue
