"""Phases, clocks and undo."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.events import Event
from real_robot_benchmark.fold import settle
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState, PressError
from seer_bench.errors import DamagedRecordError
from tests.fakes.kitchen import TASKS, Clock, play

KEYS = ["space", "1", "2", "3", "s", "f", "t", "enter", "v", "n", "p", "u"]


def visible(state: CampaignState) -> dict[str, object]:
    """All of a state but the clocks, which go on while a slip is taken back."""
    hidden = {"plan", "t", "seconds", "setup_s", "paused_s", "undoable"}
    return {key: value for key, value in vars(state).items() if key not in hidden}


@settings(max_examples=60, deadline=None)
@given(presses=st.lists(st.tuples(st.sampled_from([*KEYS, "reopen"]), st.integers(0, 30)), max_size=40))
def test_any_keys_in_any_order(presses: list[tuple[str, int]]) -> None:
    """Whatever is pressed: the file gives the same state, undo is the inverse, and the score is within bounds."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)  # what is tested here is not the disk
        file = Path(folder, "kitchen.yaml")
        file.write_text(TASKS)
        arms = [make_arm("seer"), make_arm("mvp")]
        campaign = Campaign.create(Path(folder, "c"), file, arms, Choices(trials=1, aggregation="mean"))
        clock = Clock()
        session = Session.open(campaign.path, console="terminal", clock=clock)
        for key, seconds in presses:
            clock.wait(seconds)
            if key == "reopen":
                session.close()
                clock.wait(3600)
                session = Session.open(campaign.path, console="terminal", clock=clock)
                assert session.state.paused >= (session.state.phase == "running")
                continue
            before, offered = session.state, {entry.key for entry in session.state.keys}
            size = campaign.log.stat().st_size
            try:
                after = session.press(key, "because")
            except PressError:
                assert key not in offered
                assert session.state is before
                assert campaign.log.stat().st_size == size
                continue
            assert key in offered
            assert campaign.state() == after, "the file gives the state that was shown"
            if key != "u":
                again = session.press("u")
                assert visible(again) == visible(before)
                assert again.undoable == before.undoable
                clock.wait(0)
                session.press(key, "because")
            check(session.state)
        session.close()


def check(state: CampaignState) -> None:
    """What holds in every state."""
    for attempt in state.attempts:
        stages = len(state.plan.task(attempt.trial.task).stages)
        assert (attempt.stages_done == stages) == (attempt.outcome == "success") or attempt.outcome == "void"
        marks = [mark.seconds for mark in attempt.marks]
        assert marks == sorted(marks)
        assert not marks or marks[-1] <= attempt.seconds
        assert min(attempt.setup_s, attempt.seconds, attempt.paused_s) >= 0
    assert state.done == len({attempt.trial.number for attempt in state.valid}) == len(state.valid)
    assert len(state.attempts) == state.done + len(state.voided)
    assert (state.phase == "finished") == (state.trial is None)
    if state.phase in ("setup", "running") and state.trial:
        assert state.trial.number not in state.counted


def test_clocks_count_pauses_out(session: Session, clock: Clock) -> None:
    clock.wait(40)
    session.pause()
    clock.wait(600)
    session.resume()
    clock.wait(5)
    session.start()
    clock.wait(12)
    session.stage(1)
    clock.wait(3)
    assert session.clock() == pytest.approx(15)
    session.pause()
    clock.wait(100)
    assert session.clock() == pytest.approx(15)
    session.resume()
    clock.wait(10)
    session.fail()
    clock.wait(50)
    assert session.clock() == pytest.approx(25), "the clock stands when the trial is over"
    (attempt,) = session.state.attempts
    assert (attempt.setup_s, attempt.seconds, attempt.paused_s) == (45, 25, 700)
    assert [mark.seconds for mark in attempt.marks] == [12]
    session.next()
    clock.wait(30)
    session.start()
    session.fail()
    assert session.state.attempts[1].setup_s == 80, "the scene is set up from the end of the trial before"


def test_a_day_that_goes_on_tomorrow(session: Session, clock: Clock) -> None:
    path = session.campaign.path
    play(session, 1)
    clock.wait(7)
    session.start()
    clock.wait(4)
    session.close()
    clock.wait(50_000)
    with Session.open(path, console="terminal", clock=clock) as tomorrow:
        assert (tomorrow.state.phase, tomorrow.state.paused, tomorrow.clock()) == ("running", True, 4)
        assert tomorrow.view().message.startswith("Paused")
        with pytest.raises(PressError, match="paused"):
            tomorrow.stage(1)
        clock.wait(100)
        tomorrow.resume()
        clock.wait(6)
        tomorrow.fail()
        assert tomorrow.state.attempts[1].seconds == 10
        assert tomorrow.state.attempts[1].setup_s == 7


def test_undo_goes_back_over_the_end_of_a_trial_and_over_a_night(session: Session, clock: Clock) -> None:
    path = session.campaign.path
    first = session.state.trial
    clock.wait(1)
    session.start()
    clock.wait(10)
    session.fail()
    session.next()
    assert session.state.trial != first
    session.close()
    with Session.open(path, console="web", clock=clock) as later:
        assert later.view().undo_text == "next trial"
        later.undo()
        assert (later.state.phase, later.state.trial, later.state.done) == ("ended", first, 1)
        later.undo()
        assert (later.state.phase, later.state.trial, later.state.done) == ("running", first, 0)
        assert later.state.paused, "nobody knows what happened over night"
        later.undo()
        assert later.state.phase == "setup"
        with pytest.raises(PressError, match="nothing to take back"):
            later.undo()


def test_a_log_that_takes_back_what_was_recorded_blind_is_refused() -> None:
    """No console writes such a log."""
    kinds = ["opened", "start", "fail", "unblinded"]
    events = [Event(i, "", 0.0, kind, {}) for i, kind in enumerate(kinds, start=1)]
    assert [event.kind for event in settle(events)] == kinds
    with pytest.raises(DamagedRecordError, match="line 5 of the log takes back"):
        settle([*events, Event(5, "", 0.0, "undo", {"of": 3})])
    assert len(settle([*events[:3], Event(4, "", 0.0, "undo", {"of": 3})])) == 2
    with pytest.raises(DamagedRecordError, match="line 4 of the log takes back"):
        settle([*events[:3], Event(4, "", 0.0, "undo", {"of": 2})])


def test_a_stage_counts_with_those_before(session: Session, clock: Clock) -> None:
    while session.state.stages_total != 3:
        play(session, 0)
    session.start()
    clock.wait(5)
    session.stage(2)
    assert session.state.stages_done == 2
    with pytest.raises(PressError, match="stage 1 is already counted"):
        session.stage(1)
    with pytest.raises(PressError, match="there is no stage 4"):
        session.stage(4)
    clock.wait(5)
    session.stage(3)
    assert session.state.result == "success"
    assert [mark.seconds for mark in session.state.attempts[-1].marks] == [5, 5, 10]


def test_void_repeats_the_trial_and_keeps_the_reason(session: Session) -> None:
    first = session.state.trial
    with pytest.raises(PressError, match="nothing was tried"):
        session.void("why not")
    session.start()
    with pytest.raises(PressError, match="needs a reason"):
        session.void("  ")
    session.void("cup fell over")
    assert (session.state.phase, session.state.trial, session.state.attempt) == ("setup", first, 2)
    session.start()
    session.success()
    session.void("wrong cup")
    assert (session.state.trial, session.state.attempt, session.state.done) == (first, 3, 0)
    assert [attempt.reason for attempt in session.state.voided] == ["cup fell over", "wrong cup"]
    assert session.view().message == "Attempt 3: the one before was voided."


def test_an_earlier_trial_is_voided_and_repeated_next(session: Session) -> None:
    for _ in range(3):
        play(session, 1)
    session.start()
    with pytest.raises(PressError, match="end the running trial first"):
        session.void("camera was off", trial=1)
    session.fail()
    session.void("camera was off", trial=2)
    assert session.state.phase == "ended"
    session.next()
    assert session.state.trial is not None
    assert (session.state.trial.number, session.state.attempt) == (2, 2)
    play(session, 1)
    assert session.state.trial is not None
    assert session.state.trial.number == 5
    with pytest.raises(PressError, match="trial 9 has no result"):
        session.void("never was", trial=9)


def test_notes_and_facts_stay_with_their_attempt(session: Session) -> None:
    session.note("lamp flickers")
    session.start()
    session.attach(video="a.mp4", steps=3)
    session.fail()
    session.note("dropped it")
    session.attach(video="b.mp4")
    session.next()
    session.start()
    session.fail()
    first, second = session.state.attempts
    assert first.notes == ("lamp flickers", "dropped it")
    assert first.facts == {"video": "b.mp4", "steps": 3}
    assert (second.notes, second.facts) == ((), {})


def test_the_end(session: Session) -> None:
    while session.state.phase != "finished":
        play(session, 1)
    view = session.view()
    assert (view.headline, view.done, view.total, view.upcoming) == ("All 20 trials are done", 20, 20, None)
    with pytest.raises(PressError, match="every trial is done"):
        session.start()
    session.undo()
    assert session.state.phase == "ended"
    session.void("slip")
    assert session.state.done == 19
