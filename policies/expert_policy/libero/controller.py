"""Follows plans through robosuite's operational-space controller (OSC_POSE)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from seer_bench import ActionSpec, ConventionError, SimulatorState
from seer_bench.contracts import Array

from ..controller import Follower
from ..plan import Grip, Waypoint

_GAIN = 1.6
"""Metres asked for per metre that is lacking: the spring of the controller covers only a part of it in one step."""
_ANGLE_REACHED = 0.06
"""Radians between measured and wanted orientation."""
_STILL = 4e-4
"""Metres a step, below which the arm counts as standing still."""
_STILL_ANGLE = 0.01
"""Radians a step, likewise."""
_STILL_STEPS = 4
"""Control steps of standing still after which the arm will not come nearer: it is blocked or out of reach."""


class OscController(Follower):
    """Follows plans by actions that are added to the measured pose.

    Such an action is a spring pulled from where the arm is to where it should be, so the controller looks at the
    measured pose alone: it asks for the straight way to the waypoint, as far as one action reaches, and for the whole
    remaining turn, which the simulator then keeps as its goal.

    Args:
        action: what an action means; translations and rotations must be relative, rotations as rotation vectors (axis
            times angle).

    Raises:
        ConventionError: the actions are of another kind.
    """

    def __init__(self, action: ActionSpec) -> None:
        super().__init__()
        self._action = action
        self._metres, self._radians = _scales(action)
        self._last_rotation = Rotation.identity()

    def _done_travelling(self, waypoint: Waypoint, state: SimulatorState) -> bool:
        """The arm is there, stands still, or has run out of patience."""
        if self._steps >= waypoint.patience:
            return True
        moved = float(np.linalg.norm(state.tcp_position - self._last_tcp))
        turned = float((_measured(state) * self._last_rotation.inv()).magnitude())
        self._still = self._still + 1 if moved < _STILL and turned < _STILL_ANGLE else 0
        near = float(np.linalg.norm(_translation(waypoint, state))) < waypoint.tolerance
        aligned = float(np.linalg.norm(_rotation(waypoint, state))) < _ANGLE_REACHED
        return (near and aligned) or self._still >= _STILL_STEPS

    def _towards(self, waypoint: Waypoint, state: SimulatorState) -> Array:
        """One action towards the waypoint: straight there, and the whole turn."""
        self._last_rotation = _measured(state)
        move = _shortened(_GAIN * _translation(waypoint, state) / self._metres, waypoint.speed)
        turn = _shortened(_rotation(waypoint, state) / self._radians, 1.0)
        grip = self._action.gripper_open if waypoint.grip is Grip.OPEN else -self._action.gripper_open
        return np.concatenate([move, turn, [grip]])


def _scales(action: ActionSpec) -> tuple[float, float]:
    """Metres and radians for a value of 1; raises ConventionError for actions that the controller cannot emit."""
    metres, radians = action.translation_scale, action.rotation_scale
    known = action.kind == "cartesian_rel" and action.dim == 7 and action.rotation == "rotation_vector"
    if not known or metres is None or radians is None:
        raise ConventionError(
            f"the expert emits 7-dim relative Cartesian actions with rotation vectors and known scales; the "
            f"benchmark takes '{action.kind}' of dim {action.dim}, rotation '{action.rotation}', scales "
            f"{(metres, radians)}."
        )
    return metres, radians


def _shortened(vector: Array, longest: float) -> Array:
    """The vector, scaled so that no component exceeds `longest`; its direction stays."""
    return vector * min(1.0, longest / max(float(np.abs(vector).max()), 1e-9))


def _measured(state: SimulatorState) -> Rotation:
    """The gripper's orientation."""
    return Rotation.from_euler("xyz", state.tcp_euler)


def _translation(waypoint: Waypoint, state: SimulatorState) -> Array:
    """What the measured position (3,) lacks, metres."""
    return np.asarray(waypoint.position - state.tcp_position)


def _rotation(waypoint: Waypoint, state: SimulatorState) -> Array:
    """What the measured orientation lacks: axis times angle (3,), radians, world frame."""
    wanted = Rotation.from_euler("xyz", [waypoint.roll, waypoint.pitch, waypoint.yaw])
    return (wanted * _measured(state).inv()).as_rotvec()
