"""What a policy on a real robot sees, and what its actions mean: the conventions of Seer's deployment.

Source: `deploy.py`, `real_controller/controller.py` and `docs/REAL-WORLD_POSTPROCESS.md` of
https://github.com/OpenRobotLab/Seer at ee228e1. An action is a motion of the tool in its own frame, composed on the
right of the last TARGET, never of the measured pose: what the arm lags behind does not add up.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.spatial.transform import Rotation

from real_robot_benchmark.robot.io import Pose, Reading, RobotError, Target, Vector
from seer_bench.contracts import Array
from seer_bench.conventions import ActionSpec, ImageSpec, Interface, VectorSpec

METRES = 0.02
"""Translation along one axis for a value of 1."""
RADIANS = 0.05
"""Euler angle about one axis for a value of 1."""
HEIGHT, WIDTH = 480, 640

INTERFACE = Interface(
    benchmark="real_robot",
    observations={
        "rgb_primary": ImageSpec(HEIGHT, WIDTH),
        "rgb_wrist": ImageSpec(HEIGHT, WIDTH),
        "robot_state": VectorSpec(7, "base: tcp_xyz[m] tcp_euler_xyz[rad] gripper_open(1 or -1)"),
    },
    action=ActionSpec(
        kind="cartesian_rel",
        dim=7,
        frame="tool, composed on the right of the last target pose",
        translation_scale=METRES,
        rotation_scale=RADIANS,
        rotation="euler_xyz",
        gripper_open=1,
    ),
)
"""What policies are checked against; Euler angles are about the fixed axes x, y, z in this order."""


def first_target(reading: Reading) -> Target:
    """Where an attempt begins: the measured pose, the gripper as it is."""
    return Target(reading.pose, 1.0 if reading.gripper_open else -1.0)


def compose(last: Target, action: Array) -> Target:
    """The target that an action asks for.

    Args:
        last: the target before it.
        action: (7,) translation and Euler angles in [-1, 1], gripper above 0 to open, else to close.
    """
    values = np.asarray(action, np.float64)
    turned = Rotation.from_quat(last.pose.rotation)
    position = last.pose.position + turned.apply(values[:3] * METRES)
    rotation = (turned * Rotation.from_euler("xyz", values[3:6] * RADIANS)).as_quat()
    return Target(Pose(position, rotation), 1.0 if values[6] > 0 else -1.0)


def between(last: Pose, following: Pose, gripper: float) -> Vector:
    """The action (7,), float64, that leads from one pose to another; `compose` of it gives `following` back.

    Values beyond [-1, 1] say that one action cannot lead there.
    """
    turned = Rotation.from_quat(last.rotation)
    move = turned.inv().apply(following.position - last.position) / METRES
    turn = (turned.inv() * Rotation.from_quat(following.rotation)).as_euler("xyz") / RADIANS
    return np.concatenate([move, turn, [gripper]])


def observe(reading: Reading, fields: Collection[str]) -> dict[str, Array]:
    """The named observations, each with a leading axis of length 1.

    Raises:
        RobotError: a camera gives none or another picture than it promised.
    """
    return {name: _state(reading) if name == "robot_state" else _picture(reading, name) for name in fields}


def pose(position: Array, euler: Array) -> Pose:
    """A pose from a position (3,) in metres and fixed-axis xyz Euler angles (3,) in radians."""
    return Pose(np.array(position, np.float64), Rotation.from_euler("xyz", euler).as_quat())


def euler(rotation: Vector) -> Vector:
    """Fixed-axis xyz Euler angles (3,), radians, of a quaternion."""
    angles: Vector = Rotation.from_quat(rotation).as_euler("xyz")
    return angles


def _state(reading: Reading) -> Array:
    """(1, 7) measured pose, and 1 for an open gripper, -1 for a closed one."""
    gripper = 1.0 if reading.gripper_open else -1.0
    return np.concatenate([reading.pose.position, euler(reading.pose.rotation), [gripper]])[None]


def _picture(reading: Reading, name: str) -> Array:
    """(1, 480, 640, 3)."""
    frame = reading.cameras.get(name)
    if frame is None:
        raise RobotError(f"the camera '{name}' gave no picture; there are: {', '.join(reading.cameras) or 'none'}.")
    if frame.image.shape != (HEIGHT, WIDTH, 3) or frame.image.dtype != np.uint8:
        raise RobotError(
            f"the camera '{name}' gave {frame.image.dtype} {frame.image.shape}; policies see uint8 "
            f"({HEIGHT}, {WIDTH}, 3). Crop or scale it in the driver as the training data were."
        )
    return frame.image[None]
