"""A policy that misbehaves as it is told, a robot that goes wherever it is sent, and a policy without a process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from real_robot_benchmark.robot.conventions import HEIGHT, INTERFACE, WIDTH, pose
from real_robot_benchmark.robot.io import Frame, Pose, Reading, RobotError, RobotInfo, Target
from real_robot_benchmark.robot.rate import Clock
from real_robot_benchmark.robot.safety import Limits
from seer_bench import Policy, PolicyContext, PolicySpec, SimulationError
from seer_bench.contracts import Array, SimulatorState, Unit

HOME = pose(np.array([0.5, 0.0, 0.3]), np.array([np.pi, 0.0, 0.0]))
LIMITS = Limits((0.2, -0.4, 0.05), (0.8, 0.4, 0.7))
FORWARD = np.array([0.5, 0, 0, 0, 0, 0, 1.0])
"""1 cm a step along the tool's x axis, which is the base's where the tool points down."""


class NaughtyPolicy(Policy):
    """Still, until it does what the option `does` says, at the call of `act` that `at` says (from 0)."""

    def __init__(self, context: PolicyContext) -> None:
        self.does, self.at = context.options.get("does", ""), int(context.options.get("at", "0"))
        self.spec = PolicySpec(observations=INTERFACE.observations, action=context.interface.action)
        self._calls = 0
        if self.does == "no build":
            raise RuntimeError("NaughtyPolicy cannot be built")

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        self._calls = 0
        if self.does == "no reset":
            raise RuntimeError("NaughtyPolicy cannot be reset")

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        assert observations["rgb_primary"].shape == (1, HEIGHT, WIDTH, 3)
        assert observations["robot_state"].shape == (1, 7)
        action: Any = np.zeros((1, 1, 7))
        action[..., 6] = 1
        self._calls += 1
        if self._calls <= self.at:
            return action
        sys.stdout.write("NaughtyPolicy speaks\n")
        sys.stdout.flush()
        if self.does == "raise":
            raise RuntimeError("NaughtyPolicy cannot act")
        if self.does == "outage":
            raise SimulationError("NaughtyPolicy's server does not answer")
        if self.does == "hang":
            time.sleep(3600)
        if self.does == "die":
            os._exit(3)
        if self.does == "nan":
            action[0, 0, 2] = np.nan
        if self.does == "far":
            action[0, 0, 0] = 3.0
        if self.does == "shape":
            return np.zeros((1, 1, 6))
        if self.does == "list":
            return [[[0.0] * 7]]
        if self.does == "slow":
            time.sleep(0.3)
        return action


class FakeRobot:
    """Is at once where it is sent; keeps what it was told."""

    def __init__(self, clock: Clock) -> None:
        self.clock_ = clock
        self.pose: Pose = HOME
        self.gripper = 1.0
        self.log: list[tuple[str, float, Any]] = []
        """("command" or "stop", time, target)."""
        self.camera_age = 0.0
        self.before_command: Callable[[int], None] = lambda _: None
        self.closed = False

    @property
    def commands(self) -> list[Target]:
        return [target for kind, _, target in self.log if kind == "command"]

    def connect(self) -> RobotInfo:
        return RobotInfo("fake", {"rgb_primary": (HEIGHT, WIDTH), "rgb_wrist": (HEIGHT, WIDTH)}, LIMITS)

    def read(self) -> Reading:
        now = self.clock_.now()
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        cameras = {name: Frame(picture, now - self.camera_age) for name in ("rgb_primary", "rgb_wrist")}
        return Reading(self.pose, self.gripper > 0, now, cameras)

    def command(self, target: Target) -> None:
        self.before_command(len(self.commands))
        self.log.append(("command", self.clock_.now(), target))
        self.pose, self.gripper = target.pose, target.gripper

    def stop(self) -> None:
        self.log.append(("stop", self.clock_.now(), None))

    def close(self) -> None:
        self.closed = True


class FakeRunner:
    """A policy without a process: `acts(step)` gives the action, and takes `think` seconds of the clock."""

    spec = PolicySpec(observations={}, action=INTERFACE.action)

    def __init__(self, acts: Callable[[int], Array] = lambda _: FORWARD, clock: Clock | None = None) -> None:
        self.acts, self.clock, self.think = acts, clock, 0.0
        self.begun: list[tuple[str, str, int]] = []
        self.steps = 0

    def load(self) -> bool:
        return False

    def begin(self, unit: Unit, instruction: str, seed: int) -> None:
        self.begun.append((unit.id, instruction, seed))
        self.steps = 0

    def act(
        self, reading: Reading, state: SimulatorState | None, *, deadline: float, going_on: Callable[[], bool]
    ) -> Array | None:
        if self.clock is not None:
            self.clock.sleep(self.think)
        action = self.acts(self.steps)
        self.steps += 1
        return action[None]

    def close(self) -> None:
        pass


def broken(message: str = "the line is cut") -> Callable[[int], None]:
    """For `FakeRobot.before_command`."""

    def raise_it(_: int) -> None:
        raise RobotError(message)

    return raise_it
