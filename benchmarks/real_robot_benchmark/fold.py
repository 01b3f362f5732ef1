"""What the events of a campaign mean: a pure fold, so that every console and every report sees the same.

A trial goes through phases:

    setup ── start ──> running ── last stage, success, fail, timeout ──> ended ── next ──> setup of the next trial
                          └───────────── void ─────────────> setup of the same trial, next attempt

An end counts from the moment it was pressed; `next` only moves on, so that a slip is seen before. `undo` takes back the
last press whatever it was: the fold goes on as if it had never been there, and the clocks too. A console that is closed
or dies while a policy runs leaves the trial paused at the last thing that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from real_robot_benchmark.events import Event
from real_robot_benchmark.plan import Plan
from real_robot_benchmark.state import Attempt, CampaignState, Phase, PressError, StageMark, start_state
from seer_bench.errors import DamagedRecordError


def fold(plan: Plan, events: Iterable[Event]) -> CampaignState:
    """The state after `events`, as they stand in the log.

    Raises:
        DamagedRecordError: an event cannot have happened where it stands; its line is named.
    """
    state = start_state(plan)
    for event in settle(events):
        try:
            state = step(state, event)
        except PressError as error:
            raise DamagedRecordError(
                f"line {event.number} of the log: '{event.kind}' cannot have been pressed there: {error} The log is of "
                "another plan, or of a newer seer-bench (pip install --upgrade seer-bench)."
            ) from error
    return state


def settle(events: Iterable[Event]) -> list[Event]:
    """The events that stand: undone ones and their undoing are left out."""
    kept: list[Event] = []
    for event in events:
        if event.kind != "undo":
            kept.append(event)
            continue
        position = _last_press(kept)
        if position is None or kept[position].number != event.data.get("of"):
            raise DamagedRecordError(f"line {event.number} of the log takes back what is not the last press.")
        del kept[position]
    return kept


def step(state: CampaignState, event: Event) -> CampaignState:
    """The state after one more event, which is no `undo`.

    Raises:
        PressError: it cannot happen now.
    """
    if event.kind not in _STEPS:
        raise PressError(f"'{event.kind}' is no event.")
    after = _STEPS[event.kind](_tick(state, event), event)
    if event.kind in PRESSES:
        return replace(after, undoable=event)
    return replace(after, undoable=None) if event.kind in _BARRIERS else after


def _last_press(events: list[Event]) -> int | None:
    """Position of the press that `undo` takes back; None where there is none before the key was opened."""
    for position in reversed(range(len(events))):
        if events[position].kind in _BARRIERS:
            return None
        if events[position].kind in PRESSES:
            return position
    return None


def _tick(state: CampaignState, event: Event) -> CampaignState:
    """Let the time between two events pass; nobody knows what passed while no console was open."""
    passed = 0.0 if event.kind == "opened" else event.t - state.t
    state = replace(state, t=event.t)
    if state.phase == "finished":
        return state
    if state.paused:
        return replace(state, paused_s=state.paused_s + passed)
    if state.phase == "running":
        return replace(state, seconds=state.seconds + passed)
    return replace(state, setup_s=state.setup_s + passed)


# --- what every event does ---------------------------------------------------------------------------------


def _interrupt(state: CampaignState, _: Event) -> CampaignState:
    """A console was opened or closed: whatever ran is paused."""
    return replace(state, paused=True) if state.phase == "running" else state


def _start(state: CampaignState, event: Event) -> CampaignState:
    if state.phase != "setup":
        raise PressError(_NOT_NOW[state.phase])
    _refuse_paused(state)
    return replace(state, phase="running", started=event.at)


def _stage(state: CampaignState, event: Event) -> CampaignState:
    if state.phase != "running":
        raise PressError(_NOT_NOW[state.phase])
    _refuse_paused(state)
    stage, last = event.data["stage"], state.stages_total
    if not 1 <= stage <= last:
        raise PressError(f"there is no stage {stage}: this task has {last}.")
    if stage <= state.stages_done:
        raise PressError(f"stage {stage} is already counted; 'u' takes the last press back.")
    new = (StageMark(round(state.seconds, 3), event.data.get("step")),) * (stage - state.stages_done)
    state = replace(state, marks=state.marks + new)
    return _end(state, event, "success", "") if stage == last else state


def _fail(state: CampaignState, event: Event) -> CampaignState:
    if state.phase != "running":
        raise PressError(_NOT_NOW[state.phase])
    return _end(state, event, "failure", event.data["reason"], policy_error=event.data.get("policy_error", False))


def _end(
    state: CampaignState,
    event: Event,
    outcome: Literal["success", "failure", "void"],
    reason: str,
    *,
    policy_error: bool = False,
) -> CampaignState:
    """Put the attempt at hand on record."""
    assert state.trial is not None  # noqa: S101 - a phase with an attempt has a trial
    attempt = Attempt(
        trial=state.trial,
        attempt=state.attempt,
        outcome=outcome,
        reason=reason,
        policy_error=policy_error,
        marks=state.marks,
        setup_s=round(state.setup_s, 3),
        seconds=round(state.seconds, 3),
        paused_s=round(state.paused_s, 3),
        started=state.started,
        ended=event.at,
        notes=state.notes,
        facts=state.facts,
    )
    counted = state.counted if outcome == "void" else {**state.counted, state.trial.number: len(state.attempts)}
    return replace(
        state,
        phase="ended",
        paused=False,
        attempts=(*state.attempts, attempt),
        counted=counted,
        setup_s=0.0,
        paused_s=0.0,
    )


def _next(state: CampaignState, _: Event) -> CampaignState:
    if state.phase != "ended":
        raise PressError(_NOT_NOW[state.phase])
    return _prepare(state)


def _void(state: CampaignState, event: Event) -> CampaignState:
    reason, number = event.data["reason"], event.data.get("trial")
    if not reason.strip():
        raise PressError("a void trial needs a reason, which stays in the record.")
    if number is not None and (state.phase != "ended" or state.trial is None or state.trial.number != number):
        return _void_earlier(state, number, reason)
    if state.phase == "running":
        return _prepare(_end(state, event, "void", reason))
    if state.phase == "ended":
        assert state.trial is not None  # noqa: S101 - a phase with an attempt has a trial
        return _prepare(_strike(state, state.trial.number, reason))
    raise PressError("nothing was tried since the last trial; an earlier trial is voided by its number.")


def _void_earlier(state: CampaignState, number: int, reason: str) -> CampaignState:
    """Void a trial that is over; it is repeated as soon as the one at hand is over."""
    if state.phase == "running":
        raise PressError("end the running trial first.")
    state = _strike(state, number, reason)
    return state if state.phase == "ended" else _prepare(state)


def _strike(state: CampaignState, number: int, reason: str) -> CampaignState:
    """Turn a counted attempt into a void one."""
    position = state.counted.get(number)
    if position is None:
        raise PressError(f"trial {number} has no result that could be voided.")
    if state.opened_key is not None and position < state.opened_key[1]:
        raise PressError(f"trial {number} ended before the key was opened; it cannot be voided any more.")
    struck = replace(state.attempts[position], outcome="void", reason=reason, policy_error=False)
    attempts = (*state.attempts[:position], struck, *state.attempts[position + 1 :])
    counted = {key: value for key, value in state.counted.items() if key != number}
    return replace(state, attempts=attempts, counted=counted)


def _prepare(state: CampaignState) -> CampaignState:
    """Go to the first planned trial without a valid attempt; set-up time that has passed stays."""
    fresh = state.phase == "ended"
    trial = next((trial for trial in state.plan.trials if trial.number not in state.counted), None)
    attempts = sum(trial is not None and attempt.trial.number == trial.number for attempt in state.attempts)
    return replace(
        state,
        phase="finished" if trial is None else "setup",
        trial=trial,
        attempt=attempts + 1,
        marks=(),
        seconds=0.0,
        started="",
        notes=() if fresh else state.notes,
        facts={} if fresh else state.facts,
    )


def _note(state: CampaignState, event: Event) -> CampaignState:
    text = event.data["text"]
    if not text.strip():
        raise PressError("the note is empty.")
    if state.phase in ("setup", "running"):
        return replace(state, notes=(*state.notes, text))
    if not state.attempts:
        raise PressError("there is no trial that the note could be about.")
    return _change_last(replace(state, notes=(*state.notes, text)), notes=(*state.attempts[-1].notes, text))


def _attach(state: CampaignState, event: Event) -> CampaignState:
    """Facts of a driver, for the attempt at hand or just ended; always possible, since an undo may move them."""
    facts = {**state.facts, **event.data}
    if state.phase in ("setup", "running"):
        return replace(state, facts=facts)
    if not state.attempts:
        return state
    return _change_last(replace(state, facts=facts), facts={**state.attempts[-1].facts, **event.data})


def _change_last(state: CampaignState, **changes: Any) -> CampaignState:
    """Change the attempt that just ended."""
    return replace(state, attempts=(*state.attempts[:-1], replace(state.attempts[-1], **changes)))


def _pause(state: CampaignState, _: Event) -> CampaignState:
    if state.phase not in ("setup", "running"):
        raise PressError("no clock runs that could be paused.")
    if state.paused:
        raise PressError("it is paused already.")
    return replace(state, paused=True)


def _resume(state: CampaignState, _: Event) -> CampaignState:
    if not state.paused:
        raise PressError("nothing is paused.")
    return replace(state, paused=False)


def _open_key(state: CampaignState, _: Event) -> CampaignState:
    if state.phase == "running":
        raise PressError("end the running trial first.")
    return replace(state, opened_key=state.opened_key or (state.done, len(state.attempts)))


def _use_key(state: CampaignState, _: Event) -> CampaignState:
    return replace(state, key_uses=state.key_uses + 1)


def _refuse_paused(state: CampaignState) -> None:
    if state.paused:
        raise PressError("the trial is paused; 'p' resumes it.")


_NOT_NOW: Mapping[Phase, str] = {
    "setup": "the trial has not been started; 'space' starts it.",
    "running": "a trial is running.",
    "ended": "the trial is over; 'enter' goes to the next one, 'u' takes the end back.",
    "finished": "every trial is done.",
}

_STEPS: Mapping[str, Callable[[CampaignState, Event], CampaignState]] = {
    "opened": _interrupt,
    "closed": _interrupt,
    "start": _start,
    "stage": _stage,
    "fail": _fail,
    "next": _next,
    "void": _void,
    "note": _note,
    "attach": _attach,
    "pause": _pause,
    "resume": _resume,
    "unblinded": _open_key,
    "key_used": _use_key,
}

PRESSES = frozenset({"start", "stage", "fail", "next", "void", "note", "pause", "resume"})
"""Events that `undo` takes back."""
_BARRIERS = frozenset({"unblinded"})
"""Events behind which nothing is changed any more: what was recorded blind stays as it was."""
