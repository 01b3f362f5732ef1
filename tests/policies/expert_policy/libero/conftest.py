"""A make-believe LIBERO table and arm, so that controller and planners are tested without a simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from seer_bench import ActionSpec, BodyState, SimulatorState

METRES, RADIANS = 0.05, 0.5
ACTION = ActionSpec("cartesian_rel", 7, "world", METRES, RADIANS, "rotation_vector", -1)
SPRING = 0.35
"""Which part of an asked-for motion the make-believe arm covers in one step."""


@pytest.fixture
def action() -> ActionSpec:
    return ACTION


@pytest.fixture
def make_state() -> Callable[..., SimulatorState]:
    """A state: `make_state(task, {"milk_1": (x, y, z, yaw)}, tcp=..., held=..., knob=0.2)`."""

    def make(
        task="",
        bodies=None,
        tcp=(-0.05, 0.0, 0.7),
        euler=(np.pi, 0.0, np.pi / 2),
        held=(),
        **joints,
    ):
        poses = {
            name: BodyState(np.array(pose[:3], dtype=float), Rotation.from_euler("z", pose[3]).as_quat())
            for name, pose in (bodies or {}).items()
        }
        position, angles = np.array(tcp, dtype=float), np.array(euler, dtype=float)
        return SimulatorState(task, poses, joints, position, angles, position, angles, 0.0, frozenset(held))

    return make


class Arm:
    """A spring: every action pulls it a part of the way from where it is, unless it is stuck."""

    def __init__(self, state: SimulatorState, stuck: bool = False) -> None:
        self.state, self.stuck = state, stuck

    def step(self, action: np.ndarray) -> None:
        if self.stuck:
            return
        state = self.state
        turned = Rotation.from_rotvec(SPRING * RADIANS * action[3:6]) * Rotation.from_euler("xyz", state.tcp_euler)
        moved = state.tcp_position + SPRING * METRES * action[:3]
        self.state = replace(state, tcp_position=moved, tcp_euler=turned.as_euler("xyz"))


@pytest.fixture
def make_arm() -> Callable[..., Arm]:
    return Arm
