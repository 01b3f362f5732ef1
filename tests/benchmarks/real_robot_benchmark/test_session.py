"""One console at a time, and what its screen shows."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

import pytest

from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState, OutdatedError, PressError
from seer_bench.errors import RunLockedError, StoreError
from tests.fakes.kitchen import Clock, play


def test_the_second_console_is_told_who_holds_the_campaign(session: Session) -> None:
    code = (
        "import sys; from pathlib import Path; from real_robot_benchmark.session import Session\n"
        "from seer_bench.errors import RunLockedError\n"
        "try: Session.open(Path(sys.argv[1]), console='web')\n"
        "except RunLockedError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(session.campaign.path)], capture_output=True, text=True, check=True
    )
    assert "the terminal console (process " in told.stdout
    assert "one console at a time" in told.stdout
    with pytest.raises(RunLockedError):
        Session.open(session.campaign.path, console="web")
    session.press("space")


def test_no_campaign(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(StoreError, match="seer-bench real plan"):
        Session.open(Path(str(tmp_path)), console="terminal")


def test_listeners_see_every_press_and_cannot_spoil_it(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[CampaignState] = []
    unsubscribe = session.subscribe(seen.append)

    def broken(state: CampaignState) -> None:
        raise RuntimeError("the screen is gone")

    session.subscribe(broken)
    with caplog.at_level(logging.ERROR):
        session.press("space")
    assert "a listener of the campaign failed" in caplog.text
    assert seen == [session.state]
    assert session.state.phase == "running"
    unsubscribe()
    unsubscribe()
    session.press("f")
    assert len(seen) == 1


def test_presses_of_many_threads_are_one_after_another(session: Session) -> None:
    session.start()
    threads = [threading.Thread(target=session.note, args=(f"note {i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(session.state.notes) == sorted(f"note {i}" for i in range(20))
    assert session.campaign.state() == session.state


def test_who_pressed_is_kept(session: Session) -> None:
    session.press("space", by="web")
    session.press("f", "dropped", by="robot")
    start, fail = session.campaign.history().events[-2:]
    assert (start.data, fail.data) == ({"by": "web"}, {"by": "robot", "reason": "dropped"})


def test_a_screen_that_is_behind_presses_nothing(session: Session) -> None:
    seen = session.number
    session.start()
    with pytest.raises(OutdatedError, match="nothing was recorded"):
        session.press("v", "wrong trial", seen=seen)
    assert session.state.phase == "running"
    seen = session.number
    session.attach(steps=3)
    session.press("f", seen=seen)
    assert session.state.phase == "ended", "facts of a driver change nothing that a screen shows"


def test_unknown_keys_and_a_closed_console(session: Session) -> None:
    for key in ("x", "", "12", "²"):
        with pytest.raises(PressError, match=r"no key|not been started"):
            session.press(key)
    session.close()
    session.close()
    with pytest.raises(PressError, match="closed"):
        session.press("space")


def test_facts_must_be_json(session: Session) -> None:
    before = session.state
    with pytest.raises(StoreError, match="JSON"):
        session.attach(latency=float("nan"))
    assert session.state is before


def test_the_view(session: Session, clock: Clock) -> None:
    while session.view().task_name != "pour_tea":
        play(session, 0)
    view = session.view()
    assert view.headline == f"Trial {session.state.done + 1} of 20"
    assert view.setup[0] == "Pot on the left."
    assert view.setup[1].startswith("Cup ")
    assert (view.cases, view.trials, view.time_limit_s) == (2, 2, 60)
    assert [stage.text for stage in view.stages] == ["lift the pot", "fill the cup"]
    assert {key.key for key in view.keys} >= {"space", "p", "n"}
    session.start()
    session.stage(1)
    clock.wait(61)
    view = session.view()
    assert [stage.done for stage in view.stages] == [True, False]
    assert view.overtime
    assert "'t' ends the trial" in view.message
    session.timeout()
    view = session.view()
    assert (view.result, view.result_text) == ("failure", "Not solved (timeout), 1 of 2 stages, 61.0 s")
    assert view.undo_text == "time is up"
    assert view.upcoming is not None
    assert view.upcoming.number == session.state.done + 1
    assert json.loads(json.dumps(view.to_json()))["upcoming"]["number"] == view.upcoming.number


def test_remaining_time(session: Session) -> None:
    assert session.view().remaining_s is None
    play(session, 1, seconds=10)
    assert session.view().remaining_s == pytest.approx(19 * 30)
