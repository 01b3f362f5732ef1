from __future__ import annotations

import time

import pytest

from real_robot_benchmark.robot.io import Target
from real_robot_benchmark.robot.rate import SimulatedClock, WallClock
from real_robot_benchmark.robot.stopping import StoppedError, StopSwitch, Watchdog
from tests.fakes.robot_plugins import HOME, FakeRobot

TARGET = Target(HOME, 1.0)


def kinds(robot: FakeRobot) -> list[str]:
    return [kind for kind, _, _ in robot.log]


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot(SimulatedClock())


@pytest.fixture
def switch(robot: FakeRobot) -> StopSwitch:
    switch = StopSwitch(robot)
    assert switch.release(switch.pulls)
    return switch


def test_no_command_passes_before_a_person_releases_it(robot: FakeRobot) -> None:
    with pytest.raises(StoppedError):
        StopSwitch(robot).command(TARGET)
    assert kinds(robot) == []


def test_pulling_stops_at_once_and_for_good(robot: FakeRobot, switch: StopSwitch) -> None:
    switch.command(TARGET)
    switch.pull("first")
    switch.pull("second")
    with pytest.raises(StoppedError, match="first"):
        switch.command(TARGET)
    assert kinds(robot) == ["command", "stop", "stop"]
    assert switch.reason == "first"
    switch.release(switch.pulls)
    switch.command(TARGET)
    assert kinds(robot)[-1] == "command"


def test_a_stop_after_the_person_s_word_is_not_overruled(robot: FakeRobot, switch: StopSwitch) -> None:
    switch.pull("pause")
    said_at = switch.pulls
    switch.pull("emergency stop")
    assert not switch.release(said_at)
    with pytest.raises(StoppedError):
        switch.command(TARGET)
    switch.ask("emergency stop (SIGINT)")
    assert not switch.release(switch.pulls), "what a signal asked for is still to be done"


def test_a_command_under_way_is_followed_by_a_stop(robot: FakeRobot, switch: StopSwitch) -> None:
    robot.before_command = lambda _: switch.pull("meanwhile")
    switch.command(TARGET)
    assert kinds(robot) == ["stop", "command", "stop"]


def test_a_stop_that_fails_is_tried_again(
    robot: FakeRobot, switch: StopSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def stop() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("line busy")

    monkeypatch.setattr(robot, "stop", stop)
    watchdog = Watchdog(switch)
    switch.pull("why")
    assert switch.failure == "OSError: line busy"
    for _ in range(4):
        watchdog.look()
    assert not switch.failure
    assert len(tries) == 3


def test_silence_of_who_gave_a_sign_of_life_stops(robot: FakeRobot, switch: StopSwitch) -> None:
    clock, told = SimulatedClock(), []
    watchdog = Watchdog(switch, clock.now)
    watchdog.on_pull = told.append
    watchdog.look()
    watchdog.beat("the web console", 2.0)
    clock.sleep(1.9)
    watchdog.look()
    assert not switch.pulled
    watchdog.beat("the web console", 2.0)
    clock.sleep(1.9)
    watchdog.look()
    assert not switch.pulled
    clock.sleep(0.2)
    watchdog.look()
    assert told == [switch.reason] == ["no sign of life from the web console for 2.1 s"]
    assert kinds(robot) == ["stop"]


def test_who_leaves_is_not_missed(switch: StopSwitch) -> None:
    clock = SimulatedClock()
    watchdog = Watchdog(switch, clock.now)
    watchdog.beat("a console", 1.0)
    watchdog.leave("a console")
    clock.sleep(5)
    watchdog.look()
    assert not switch.pulled


def test_what_a_signal_handler_asks_for_happens_within_a_tick() -> None:
    robot = FakeRobot(WallClock())
    switch = StopSwitch(robot)
    with Watchdog(switch):
        switch.release(switch.pulls)
        asked = time.monotonic()
        switch.ask("emergency stop (SIGINT)")
        with pytest.raises(StoppedError):
            switch.command(TARGET)
        while not robot.log and time.monotonic() < asked + 2:
            time.sleep(0.001)
    kind, at, _ = robot.log[0]
    assert kind == "stop"
    assert at - asked < 1 / 15
