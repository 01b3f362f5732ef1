"""How GR-1 plays CALVIN: what it reads of an observation, and what its predictions become."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, ImageSpec, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

STATIC, HAND = "rgb_static", "rgb_gripper"
"""Fields of the two cameras."""
OBSERVATIONS: Mapping[str, FieldSpec] = {
    STATIC: ImageSpec(200, 200),
    HAND: ImageSpec(84, 84),
    "robot_obs": VectorSpec(15, "world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command"),
}
ACTION = ActionSpec(
    kind="cartesian_rel",
    dim=7,
    frame="world, added to the accumulated target pose",
    translation_scale=0.02,
    rotation_scale=0.05,
    rotation="euler_xyz",
    gripper_open=1,
)


def states(observations: Mapping[str, Array]) -> NDArray[np.float32]:
    """States (n, 7): position in metres, Euler angles in radians, last gripper command, -1 or 1."""
    robot = observations["robot_obs"].astype(np.float32)
    return np.concatenate([robot[:, :6], robot[:, 14:]], axis=1)


def actions(arm: NDArray[np.float32], gripper: NDArray[np.float32]) -> NDArray[np.float32]:
    """Actions (n, 1, 7), float32, from arm actions (n, 6), which are not clipped, and gripper logits (n, 1)."""
    command = np.where(gripper > 0, np.float32(1), np.float32(-1))  # a logit above 0 is a probability above 1/2
    return np.concatenate([arm, command], axis=1)[:, None]
