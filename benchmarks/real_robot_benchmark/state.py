"""Where a campaign stands: the phase of the trial at hand, the clocks, and every attempt that is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from real_robot_benchmark.events import Event
from real_robot_benchmark.plan import Plan, PlannedTrial
from seer_bench.errors import UsageError

Phase = Literal["setup", "running", "ended", "finished"]


class PressError(UsageError):
    """A key that cannot be pressed now; nothing was recorded."""


class OutdatedError(PressError):
    """The key was meant for a state that is past; nothing was recorded."""


@dataclass(frozen=True)
class Key:
    """One key that may be pressed now."""

    key: str
    """E.g. "space", "1", "u"."""
    label: str
    """What it does."""
    needs_text: bool = False
    """A reason or note is asked for."""


@dataclass(frozen=True)
class StageMark:
    """When a stage was completed."""

    seconds: float
    """Of execution, pauses counted out."""
    step: int | None
    """Control steps executed until then; None where nobody counts them."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at one planned trial, over."""

    trial: PlannedTrial
    attempt: int
    """1 for the first; a voided one is repeated under the next number."""
    outcome: Literal["success", "failure", "void"]
    reason: str
    """Why it failed or is void, e.g. "timeout"; "" for a success."""
    policy_error: bool
    """A driver ended it, since the policy failed or asked for what is refused."""
    marks: tuple[StageMark, ...]
    """Of the completed stages, in order."""
    setup_s: float
    """Time to set up the scene: from the end of the attempt before, or the opening of the console, to the start."""
    seconds: float
    """Time of execution."""
    paused_s: float
    """Time of pauses in both, counted in neither."""
    started: str
    """Wall clock, UTC."""
    ended: str
    """Wall clock, UTC."""
    notes: tuple[str, ...]
    facts: Mapping[str, Any]
    """What a driver attached, e.g. a video's path."""

    @property
    def stages_done(self) -> int:
        """Completed stages; the attempt's score."""
        return len(self.marks)


@dataclass(frozen=True)
class CampaignState:
    """A campaign after some events."""

    plan: Plan = field(repr=False, compare=False)
    phase: Phase
    trial: PlannedTrial | None
    """The one at hand; None when finished."""
    attempt: int = 1
    paused: bool = False
    marks: tuple[StageMark, ...] = ()
    setup_s: float = 0.0
    seconds: float = 0.0
    paused_s: float = 0.0
    started: str = ""
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    """All that are over, in the order in which they ended, voided ones too."""
    counted: Mapping[int, int] = field(default_factory=dict)
    """Number of a planned trial -> position of its valid attempt in `attempts`."""
    t: float = 0.0
    """Steady clock at the last event, of the console that wrote it."""
    undoable: Event | None = None
    """What `undo` takes back; None where nothing can be."""
    opened_key: tuple[int, int] | None = None
    """Trials done, and attempts over, when the key of a blind campaign was first shown to people; None while sealed."""
    key_uses: int = 0
    """Times that a driver read the key without showing it."""

    @property
    def total(self) -> int:
        """Planned trials."""
        return len(self.plan.trials)

    @property
    def done(self) -> int:
        """Planned trials with a valid attempt."""
        return len(self.counted)

    @property
    def stages_total(self) -> int:
        """Stages of the task at hand; 0 when finished."""
        return len(self.plan.task(self.trial.task).stages) if self.trial else 0

    @property
    def stages_done(self) -> int:
        """Completed stages of the attempt at hand or just ended."""
        return len(self.marks)

    @property
    def ticking(self) -> bool:
        """The clock of the execution runs."""
        return self.phase == "running" and not self.paused

    @property
    def result(self) -> str | None:
        """How the attempt came out that just ended, "success" or "failure"; None in any other phase."""
        return self.attempts[-1].outcome if self.phase == "ended" else None

    @property
    def voided(self) -> tuple[Attempt, ...]:
        """The attempts that do not count."""
        return tuple(attempt for attempt in self.attempts if attempt.outcome == "void")

    @property
    def valid(self) -> tuple[Attempt, ...]:
        """The attempts that count, in the plan's order."""
        return tuple(self.attempts[self.counted[number]] for number in sorted(self.counted))

    @property
    def keys(self) -> tuple[Key, ...]:
        """What may be pressed now."""
        keys = []
        if self.phase == "setup" and not self.paused:
            keys.append(Key("space", "start"))
        if self.ticking and self.trial:
            stages = self.plan.task(self.trial.task).stages
            keys += [Key(str(n), stages[n - 1]) for n in range(self.stages_done + 1, len(stages) + 1)]
            keys.append(Key("s", "success: all stages"))
        if self.phase == "running":
            keys += [Key("f", "failed"), Key("t", "time is up")]
        if self.phase == "ended":
            keys.append(Key("enter", "next trial"))
        if self.phase in ("running", "ended"):
            keys.append(Key("v", "void: repeat it", needs_text=True))
        if self.phase in ("setup", "running"):
            keys.append(Key("p", "resume" if self.paused else "pause"))
        keys.append(Key("n", "note", needs_text=True))
        if self.undoable:
            keys.append(Key("u", "undo"))
        return tuple(keys)


def start_state(plan: Plan) -> CampaignState:
    """A campaign before its first event."""
    return CampaignState(plan, "setup", plan.trials[0])
