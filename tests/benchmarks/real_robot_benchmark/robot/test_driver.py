from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.records import make_result
from real_robot_benchmark.robot.attempt import Rig
from real_robot_benchmark.robot.conventions import compose
from real_robot_benchmark.robot.driver import Driver
from real_robot_benchmark.robot.io import Target
from real_robot_benchmark.robot.rate import WallClock
from real_robot_benchmark.robot.stopping import StopSwitch, Watchdog
from real_robot_benchmark.session import Session
from seer_bench.contracts import UnitError
from tests.fakes.robot_plugins import FORWARD, HOME, LIMITS, FakeRobot, FakeRunner, broken

from .conftest import Cell, Operator

TICK = 1 / 15


def press(*keys: str) -> Callable[[Session], None]:
    """Press keys one after another; "v why" and "n what" with their text."""

    def pressing(session: Session) -> None:
        for key in keys:
            session.press(*key.split(" ", 1))

    return pressing


def kinds(cell: Cell) -> list[str]:
    return [kind for kind, _, _ in cell.robot.log]


def test_a_trial_from_start_to_success(cell: Cell) -> None:
    cell.drive(Operator(press("space"), stepped={3: press("1"), 8: press("2")}))
    attempt = cell.session.state.attempts[0]
    assert (attempt.outcome, attempt.stages_done) == ("success", 2)
    assert attempt.facts["steps"] == len(cell.robot.commands) == 8
    actions = np.load(cell.session.campaign.path / attempt.facts["actions"])
    np.testing.assert_array_equal(actions, np.tile(FORWARD, (8, 1)))
    target = Target(HOME, 1.0)
    for sent in cell.robot.commands:
        target = compose(target, FORWARD)
        np.testing.assert_allclose(sent.pose.position, target.pose.position)
    times = [at for kind, at, _ in cell.robot.log if kind == "command"]
    np.testing.assert_allclose(np.diff(times), TICK)
    assert kinds(cell)[-1] == "stop"
    assert attempt.facts["latency"]["beats"] == 8
    assert attempt.facts["latency"]["observed_to_sent"]["p50_ms"] == pytest.approx(1000 * TICK, abs=0.01)


def test_the_policy_gets_instruction_and_seed_of_the_trial(cell: Cell) -> None:
    trial = cell.session.state.trial
    assert trial is not None
    campaign = cell.session.campaign
    cell.drive(Operator(press("space"), stepped={1: press("f")}))
    unit, instruction, seed = cell.policies[trial.arm].begun[0]
    assert unit == f"{campaign.protocol.name}:task={trial.task},case={trial.case - 1:02d},trial={trial.trial - 1}"
    assert instruction == campaign.plan.task(trial.task).instruction
    assert seed == campaign.unit_seed(trial)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.array([np.nan, 0, 0, 0, 0, 0, 1]), "not finite"),
        (np.array([3.0, 0, 0, 0, 0, 0, 1]), "beyond"),
        (np.zeros(6), "float64 (6,)"),
    ],
)
def test_a_bad_action_is_refused_and_fails_the_trial(cell: Cell, action: Any, words: str) -> None:
    cell.acts(lambda step: action if step == 2 else FORWARD)
    cell.drive(Operator(press("space")))
    attempt = cell.session.state.attempts[0]
    assert (attempt.outcome, attempt.stages_done) == ("failure", 0)
    assert words in attempt.reason
    assert attempt.policy_error
    result, _ = make_result(cell.session.campaign, attempt)
    assert (result.outcome, result.error) == ("failure", UnitError("policy_error", attempt.reason))
    assert len(cell.robot.commands) == 2
    assert kinds(cell)[2] == "stop"


def test_a_target_out_of_the_workspace_is_refused_not_clipped(cell: Cell) -> None:
    cell.drive(Operator(press("space")))
    attempt = cell.session.state.attempts[0]
    assert "x = 0.810 m, outside of the workspace" in attempt.reason
    assert cell.robot.commands[-1].pose.position[0] == pytest.approx(0.80)
    assert kinds(cell)[-1] == "stop"


def test_a_pause_holds_the_robot_and_resume_goes_on_from_where_it_is(cell: Cell) -> None:
    """In the pause somebody pushes the arm by 10 cm: the next target begins there, and does not pull it back."""

    def pushed(session: Session) -> None:
        assert kinds(cell)[-1] == "stop"
        assert len(cell.robot.commands) == 4
        cell.robot.pose = replace(HOME, position=np.add(HOME.position, [0, 0.1, 0]))
        session.press("p")

    cell.drive(Operator(press("space"), pushed, stepped={4: press("p"), 6: press("f")}))
    attempt = cell.session.state.attempts[0]
    np.testing.assert_allclose(cell.robot.commands[4].pose.position, np.add(HOME.position, [0.01, 0.1, 0]))
    assert attempt.facts["steps"] == len(cell.robot.commands) == 6
    assert len(cell.policies[attempt.trial.arm].begun) == 1, "the policy goes on where it was"


def test_nothing_is_sent_after_a_press_that_ends_or_pauses(cell: Cell) -> None:
    """The robot is stopped in the presser's thread, before the next beat."""
    cell.drive(Operator(press("space"), stepped={5: press("f")}))
    sent = kinds(cell)
    assert sent.count("command") == 5
    assert sent.index("stop", sent.index("command")) == 5


def test_an_undone_end_moves_nothing_until_the_operator_resumes(cell: Cell) -> None:
    seen: list[int] = []

    def look(session: Session) -> None:
        seen.append(len(cell.robot.commands))

    cell.drive(
        Operator(press("space"), press("u"), look, look, press("p", "p"), stepped={3: press("f"), 5: press("2")})
    )
    assert seen == [3, 3]
    attempt = cell.session.state.attempts[0]
    assert (attempt.outcome, attempt.facts["steps"]) == ("success", 5)
    assert any("The robot stands still" in note for note in attempt.notes)


def test_an_undone_end_can_be_judged_again_without_moving(cell: Cell) -> None:
    cell.drive(Operator(press("space"), press("u"), press("2"), stepped={3: press("f")}))
    assert cell.session.state.attempts[0].outcome == "success"
    assert len(cell.robot.commands) == 3


def test_a_void_attempt_is_prepared_afresh(cell: Cell) -> None:
    cell.drive(Operator(press("space"), press("space"), stepped={2: press("v cable loose"), 1: lambda _: None}))
    first = cell.session.state.attempts[0]
    assert (first.outcome, first.reason) == ("void", "cable loose")
    arm = cell.policies[first.trial.arm]
    assert len(arm.begun) == 2
    assert arm.begun[0] == arm.begun[1], "the same instruction and seed"
    folders = sorted(path.name for path in (cell.session.campaign.path / "recordings").iterdir())
    assert folders == ["0001-1", "0001-2"]


def test_the_time_limit_ends_a_trial(cell: Cell) -> None:
    cell.acts(lambda _: np.array([0, 0, 0, 0, 0, 0, 1.0]))
    while cell.session.state.trial.task != "pour_tea":  # type: ignore[union-attr]
        cell.session.press("space")
        cell.session.press("f")
        cell.session.press("enter")
    before = len(cell.session.state.attempts)
    cell.drive(Operator(press("space")))
    attempt = cell.session.state.attempts[before]
    assert attempt.reason == "timeout"
    assert attempt.seconds == pytest.approx(60, abs=2 * TICK)
    assert len(cell.robot.commands) == pytest.approx(900, abs=2)


def test_a_robot_that_fails_pauses_the_trial(cell: Cell) -> None:
    def cut(sent: int) -> None:
        if sent == 3:
            broken()(sent)

    cell.robot.before_command = cut
    cell.drive(Operator(press("space")))
    state = cell.session.state
    assert (state.phase, state.paused) == ("running", True)
    assert state.undoable is not None
    assert state.undoable.data["reason"] == "the line is cut"
    assert kinds(cell)[-1] == "stop"


def test_a_late_camera_pauses_the_trial(cell: Cell) -> None:
    def late(_: Session) -> None:
        cell.robot.camera_age = 0.4

    cell.drive(Operator(press("space"), stepped={3: late}))
    state = cell.session.state
    assert state.paused
    assert state.undoable is not None
    assert "picture of 'rgb_primary' is 0.40 s old" in state.undoable.data["reason"]
    assert len(cell.robot.commands) == 3


def test_a_robot_that_stands_out_of_the_workspace_pauses_the_trial(cell: Cell) -> None:
    cell.robot.pose = replace(HOME, position=np.array([0.1, 0.0, 0.3]))
    cell.drive(Operator(press("space")))
    state = cell.session.state
    assert (state.phase, state.paused) == ("running", True)
    assert state.undoable is not None
    assert "the robot stands at x = 0.100 m, outside" in state.undoable.data["reason"]
    assert cell.robot.commands == []


def test_a_driver_that_raises_anything_pauses_the_trial(cell: Cell) -> None:
    def time_out(sent: int) -> None:
        if sent == 2:
            raise TimeoutError("no answer from 172.16.0.2")

    cell.robot.before_command = time_out
    cell.drive(Operator(press("space")))
    state = cell.session.state
    assert state.paused
    assert state.undoable is not None
    assert state.undoable.data["reason"] == "the robot's driver failed: TimeoutError: no answer from 172.16.0.2"


@pytest.mark.parametrize("cameras", [None, {"rgb_primary": None}])
def test_a_driver_that_reads_nonsense_pauses_the_trial(cell: Cell, cameras: Any) -> None:
    sound = cell.robot.read
    cell.robot.read = lambda: replace(sound(), cameras=cameras) if cell.robot.commands else sound()  # type: ignore[method-assign]
    cell.drive(Operator(press("space")))
    state = cell.session.state
    assert state.paused
    assert state.undoable is not None
    assert "the robot's driver failed: AttributeError" in state.undoable.data["reason"]
    assert len(cell.robot.commands) == 1


def test_a_robot_that_does_not_stop_is_told_on_screen_and_on_record(cell: Cell) -> None:
    def stop() -> None:
        raise OSError("line busy")

    cell.robot.stop = stop  # type: ignore[method-assign]
    cell.drive(Operator(press("space"), lambda _: None, stepped={3: press("f")}))
    (attempt,) = cell.session.state.attempts
    assert attempt.notes == ("The robot's stop failed, press its own button: OSError: line busy",)


def test_a_stop_right_after_the_start_is_not_overruled(cell: Cell) -> None:
    """The stop comes before the driver has seen the start, and the pause on record comes late."""

    def start_and_stop(session: Session) -> None:
        session.press("space")
        cell.switch.pull("emergency stop (web)")

    cell.drive(Operator(start_and_stop))
    assert cell.robot.commands == []
    assert cell.session.state.paused


def test_a_slow_policy_misses_beats_and_keeps_the_rhythm(cell: Cell) -> None:
    for policy in cell.policies.values():
        policy.think = 0.1
    cell.drive(Operator(press("space"), stepped={10: press("f")}))
    latency = cell.session.state.attempts[0].facts["latency"]
    assert (latency["beats"], latency["missed"]) == (10, 10)
    assert latency["inference"]["mean_ms"] == 100.0
    times = [at for kind, at, _ in cell.robot.log if kind == "command"]
    np.testing.assert_allclose(np.diff(times), 2 * TICK)


def test_a_failing_driver_leaves_the_robot_stopped(cell: Cell) -> None:
    def explode(_: Session) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        cell.drive(Operator(press("space"), stepped={2: explode}))
    assert kinds(cell)[2:] == ["stop"] * len(kinds(cell)[2:])
    assert len(cell.robot.commands) == 2


def test_an_attempt_of_another_process_is_not_driven(cell: Cell) -> None:
    cell.session.start()
    cell.session.pause()
    cell.drive(Operator(press("p"), press("v the console died")))
    assert cell.robot.commands == []
    assert "knows nothing" in cell.session.state.attempts[0].notes[0]


def test_a_campaign_is_played_to_its_end(cell: Cell) -> None:
    class Tireless(Operator):
        def waiting(self, session: Session) -> None:
            cell.robot.pose = HOME
            session.press("space" if session.state.phase == "setup" else "enter")

        def stepped(self, session: Session, step: int) -> None:
            if step == 2:
                session.press("s")

    cell.drive(Tireless())
    assert cell.session.state.phase == "finished"
    assert [attempt.facts["steps"] for attempt in cell.session.state.valid] == [2] * 20


class Stuck(FakeRunner):
    """Waits for ever, as a policy's process may; looks whether it must go on as that does."""

    def act(self, *_: Any, going_on: Callable[[], bool], **__: Any) -> None:
        while going_on():
            time.sleep(0.005)


def test_an_emergency_stop_stops_within_a_tick_while_the_policy_hangs(planned: Callable[..., Campaign]) -> None:
    with Session.open(planned().path, console="robot") as session:
        robot = FakeRobot(WallClock())
        switch = StopSwitch(robot)
        with Watchdog(switch) as watchdog:
            rig = Rig(robot, LIMITS, WallClock(), switch, watchdog)
            driver = Driver(session, rig, {"A": Stuck(), "B": Stuck()}, films=False)
            thread = threading.Thread(target=driver.run)
            thread.start()
            session.press("space")
            time.sleep(0.2)
            robot.log.clear()
            pressed = time.monotonic()
            driver.stop("web")
            returned = time.monotonic()
            while not session.state.paused and time.monotonic() < pressed + 5:
                time.sleep(0.005)
            driver.leave()
            thread.join(5)
    assert not thread.is_alive()
    assert robot.log[0][0] == "stop"
    assert robot.log[0][1] - pressed < TICK
    assert returned - pressed < TICK
    assert session.state.undoable is not None
    assert session.state.undoable.data["reason"] == "emergency stop (web)"


def test_a_silent_console_stops_the_robot_while_the_policy_hangs(planned: Callable[..., Campaign]) -> None:
    with Session.open(planned().path, console="robot") as session:
        robot, seconds = FakeRobot(WallClock()), [0.0]
        switch = StopSwitch(robot)
        with Watchdog(switch, lambda: seconds[0]) as watchdog:
            rig = Rig(robot, LIMITS, WallClock(), switch, watchdog)
            driver = Driver(session, rig, {"A": Stuck(), "B": Stuck()}, films=False)
            thread = threading.Thread(target=driver.run)
            thread.start()
            driver.alive("terminal")
            session.press("space")
            time.sleep(0.1)
            seconds[0] = 2.1
            until = time.monotonic() + 5
            while not session.state.paused and time.monotonic() < until:
                time.sleep(0.005)
            reason = session.state.undoable.data["reason"] if session.state.undoable else ""
            driver.leave()
            thread.join(5)
    assert "no sign of life from" in reason
    assert robot.commands == []
