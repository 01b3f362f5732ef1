"""What a screen shows, in words: the same for the terminal and the web page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from real_robot_benchmark.plan import PlannedTrial
from real_robot_benchmark.state import CampaignState, Key

if TYPE_CHECKING:
    from real_robot_benchmark.campaign import Campaign
    from real_robot_benchmark.events import Event


@dataclass(frozen=True)
class StageView:
    """One stage of the trial at hand."""

    number: int
    text: str
    done: bool


@dataclass(frozen=True)
class SceneView:
    """What is to be prepared for a trial."""

    number: int
    """Of the trial in the plan."""
    task: str
    """Heading of the task."""
    case: int
    cases: int
    trial: int
    """Which repetition."""
    policy: str
    lines: tuple[str, ...]
    """How the scene is set up, a sentence each; may be empty."""


@dataclass(frozen=True)
class View:
    """Everything on a screen."""

    phase: str
    paused: bool
    headline: str
    """E.g. "Trial 37 of 180"."""
    task: str
    task_name: str
    instruction: str
    case: int
    cases: int
    trial: int
    trials: int
    attempt: int
    policy: str
    """The letter; in an open campaign with the policy's name, "A · seer"."""
    setup: tuple[str, ...]
    """How the scene is set up, a sentence each."""
    stages: tuple[StageView, ...]
    clock_s: float
    ticking: bool
    time_limit_s: int | None
    overtime: bool
    """The time limit has passed."""
    result: str | None
    """ "success" or "failure" of the trial that just ended."""
    result_text: str
    """E.g. "Success, 2 of 2 stages, 41.2 s"; "" while no trial just ended."""
    message: str
    """What the operator should know now, e.g. that the trial is paused."""
    keys: tuple[Key, ...]
    undo_text: str
    """What undo would take back; "" for nothing."""
    notes: tuple[str, ...]
    upcoming: SceneView | None
    """The trial after this one; None for the last."""
    done: int
    total: int
    task_done: int
    task_total: int
    voided: int
    remaining_s: float | None
    """Time that the open trials will take at the pace so far; None before the first."""

    def to_json(self) -> dict[str, Any]:
        """The view as a JSON tree."""
        return asdict(self)


def make_view(campaign: Campaign, state: CampaignState, clock_s: float) -> View:
    """What a screen shows of a state when the execution's clock stands at `clock_s` seconds."""
    plan, trial = campaign.plan, state.trial
    task = plan.task(trial.task) if trial else None
    limit = task.time_limit_s if task else None
    scene = campaign.scene(trial) if trial else None
    return View(
        phase=state.phase,
        paused=state.paused,
        headline=f"Trial {trial.number} of {state.total}" if trial else f"All {state.total} trials are done",
        task=task.label if task else "",
        task_name=task.name if task else "",
        instruction=task.instruction if task else "",
        case=trial.case if trial else 0,
        cases=len(task.cases) if task else 0,
        trial=trial.trial if trial else 0,
        trials=campaign.trials,
        attempt=state.attempt,
        policy=scene.policy if scene else "",
        setup=scene.lines if scene else (),
        stages=tuple(
            StageView(i, text, i <= state.stages_done) for i, text in enumerate(task.stages if task else (), start=1)
        ),
        clock_s=round(clock_s, 1),
        ticking=state.ticking,
        time_limit_s=limit,
        overtime=limit is not None and clock_s > limit and state.phase == "running",
        result=state.result,
        result_text=_result_text(state),
        message=_message(state, limit, clock_s),
        keys=state.keys,
        undo_text=describe(state.undoable) if state.undoable else "",
        notes=state.notes,
        upcoming=_upcoming(campaign, state),
        done=state.done,
        total=state.total,
        task_done=sum(trial is not None and attempt.trial.task == trial.task for attempt in state.valid),
        task_total=sum(trial is not None and planned.task == trial.task for planned in plan.trials),
        voided=len(state.voided),
        remaining_s=remaining_seconds(state),
    )


def describe(event: Event) -> str:
    """One press in a few words."""
    data: Mapping[str, Any] = event.data
    words = {
        "start": "start",
        "stage": f"stage {data.get('stage')}",
        "fail": "time is up" if data.get("reason") == "timeout" else "failed",
        "next": "next trial",
        "void": f"void ({data.get('reason')})",
        "note": f"note ({data.get('text')})",
    }
    return words.get(event.kind, event.kind)


def remaining_seconds(state: CampaignState) -> float | None:
    """Time that the open trials will take at the mean pace of those done; None before the first."""
    valid = state.valid
    if not valid:
        return None
    return (
        sum(attempt.setup_s + attempt.seconds for attempt in state.attempts) / len(valid) * (state.total - state.done)
    )


def _upcoming(campaign: Campaign, state: CampaignState) -> SceneView | None:
    """The open trial after the one at hand."""
    at_hand = state.trial.number if state.trial else 0
    trials: tuple[PlannedTrial, ...] = campaign.plan.trials
    following = next((t for t in trials if t.number not in state.counted and t.number != at_hand), None)
    return campaign.scene(following) if following else None


def _result_text(state: CampaignState) -> str:
    """How the trial that just ended came out."""
    if state.phase != "ended":
        return ""
    last = state.attempts[-1]
    words = "Success" if last.outcome == "success" else f"Not solved ({last.reason})"
    return f"{words}, {last.stages_done} of {state.stages_total} stages, {last.seconds:.1f} s"


def _message(state: CampaignState, limit: int | None, clock_s: float) -> str:
    """What the operator should know now."""
    if state.paused:
        return (
            "Paused: the clocks stand still. 'p' resumes; 'v' voids the trial if the robot went on."
            if (state.phase == "running")
            else "Paused: the clocks stand still. 'p' resumes."
        )
    if state.phase == "setup" and state.attempt > 1:
        return f"Attempt {state.attempt}: the one before was voided."
    if state.phase == "running" and limit is not None and clock_s > limit:
        return f"The time limit of {limit} s has passed; 't' ends the trial."
    return ""
