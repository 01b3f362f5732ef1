"""A make-believe CALVIN table and arm, so that controller and planners are tested without a simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from seer_bench import ActionSpec, BodyState, EvaluationProtocol, Interface, PolicyContext, SimulatorState

METRES, RADIANS = 0.02, 0.05
ACTION = ActionSpec("cartesian_rel", 7, "world", METRES, RADIANS, "euler_xyz", 1)
PROTOCOL = EvaluationProtocol("calvin-abc-d/v1", "calvin", "", "table2", "yes", {})
MakeState = Callable[..., SimulatorState]


@pytest.fixture
def action() -> ActionSpec:
    return ACTION


@pytest.fixture
def context() -> PolicyContext:
    return PolicyContext(Interface("calvin", {}, ACTION), PROTOCOL)


@pytest.fixture
def make_state() -> MakeState:
    """A state: `make_state(task, blocks={"block_red": (x, y, z, yaw)}, drawer=0.22, tcp=..., held=...)`."""

    def make(
        task="lift_red_block_table",
        blocks=None,
        tcp=(0.03, -0.23, 0.57),
        yaw=1.5,
        pitch=0.0,
        held=(),
        grip=1.0,
        **joints,
    ):
        places = {"block_red": (0.05, -0.12, 0.46, 1.6), "block_blue": (0.23, -0.12, 0.46, 1.5)}
        places |= {"block_pink": (0.07, 0.092, 0.46, 1.4)} | (blocks or {})
        bodies = {
            name: BodyState(np.array(place[:3]), Rotation.from_euler("z", place[3]).as_quat())
            for name, place in places.items()
        }
        position, euler = np.array(tcp, dtype=float), np.array([np.pi, pitch, yaw])
        scene = {"slide": 0.28, "drawer": 0.0, "button": 0.0, "switch": 0.0} | joints
        return SimulatorState(
            task, bodies, scene, position, euler, position.copy(), euler.copy(), grip, frozenset(held)
        )

    return make


class Arm:
    """Closes three quarters of the gap to its commanded pose at every step, unless it is stuck."""

    def __init__(self, state: SimulatorState, stuck: bool = False) -> None:
        self.state, self.stuck = state, stuck

    def step(self, action: np.ndarray) -> None:
        state = self.state
        position = state.target_position + METRES * action[:3]
        euler = state.target_euler + RADIANS * action[3:6]
        moved = state.tcp_position + 0.75 * (position - state.tcp_position)
        self.state = replace(
            state,
            target_position=position,
            target_euler=euler,
            tcp_position=state.tcp_position if self.stuck else moved,
            tcp_euler=euler,
            gripper_command=float(action[6]),
        )


@pytest.fixture
def make_arm() -> Callable[..., Arm]:
    return Arm
