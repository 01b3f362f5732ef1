"""A robot's rig in simulated time, and a policy plugin that misbehaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.robot.attempt import Rig
from real_robot_benchmark.robot.driver import Driver
from real_robot_benchmark.robot.rate import SimulatedClock
from real_robot_benchmark.robot.stopping import StopSwitch, Watchdog
from real_robot_benchmark.session import Session
from tests.fakes.robot_plugins import LIMITS, FakeRobot, FakeRunner


class Cell:
    """A robot, two policies and a session, all in simulated time."""

    def __init__(self, session: Session, clock: SimulatedClock) -> None:
        self.session, self.clock = session, clock
        self.robot = FakeRobot(clock)
        self.switch = StopSwitch(self.robot)
        self.watchdog = Watchdog(self.switch, clock.now)
        self.rig = Rig(self.robot, LIMITS, clock, self.switch, self.watchdog)
        self.policies = {"A": FakeRunner(clock=clock), "B": FakeRunner(clock=clock)}

    def acts(self, acts: Callable[[int], Any]) -> None:
        """What both policies do."""
        for policy in self.policies.values():
            policy.acts = acts

    def drive(self, operator: Operator, **options: Any) -> Driver:
        driver = Driver(self.session, self.rig, self.policies, judge=operator, films=False, **options)
        operator.driver = driver
        driver.run()
        return driver


class Operator:
    """Presses the next thing whenever the robot stands still, and leaves at the end.

    Args:
        waiting: what to do while the robot stands still, one after another.
        stepped: control step -> what to do after it; each once.
    """

    driver: Driver

    def __init__(
        self, *waiting: Callable[[Session], object], stepped: dict[int, Callable[[Session], object]] | None = None
    ) -> None:
        self._waiting, self._stepped = list(waiting), dict(stepped or {})

    def waiting(self, session: Session) -> None:
        if self._waiting:
            self._waiting.pop(0)(session)
        else:
            self.driver.leave()

    def stepped(self, session: Session, step: int) -> None:
        action = self._stepped.pop(step, None)
        if action is not None:
            action(session)


@pytest.fixture
def cell(planned: Callable[..., Campaign]) -> Iterator[Cell]:
    clock = SimulatedClock()
    with Session.open(planned().path, console="robot", clock=clock.now) as session:
        yield Cell(session, clock)


@pytest.fixture
def naughty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the policy of `fakes/robot_plugins.py`, found by entry points."""
    site = tmp_path / "site"
    info = site / "naughty_plugins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: naughty-plugins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[seer_bench.policies]\nnaughty = robot_plugins:NaughtyPolicy\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[3] / "fakes"))
