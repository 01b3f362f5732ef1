"""How Seer plays CALVIN: what it reads of an observation, and what its predictions become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, ImageSpec, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

from .quirks import Quirks, in_force

OBSERVATIONS: Mapping[str, FieldSpec] = {
    "rgb_static": ImageSpec(200, 200),
    "rgb_gripper": ImageSpec(84, 84),
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


class CalvinWrapper:
    """Between CALVIN and the network, as in upstream's `utils/eval_utils_calvin.py`.

    The network sees the pose of the tool centre point and the last gripper command, -1 or 1. Of the actions that it
    predicts only the nearest is taken; the next ones are predicted afresh.

    Args:
        quirks: "upstream" or "fixed", see `quirks.QUIRKS`.
    """

    cameras = ("rgb_static", "rgb_gripper")
    """Fields of the primary and of the wrist camera."""
    observations = OBSERVATIONS
    action = ACTION
    actions = 1
    """Predicted actions that are needed."""

    def __init__(self, *, quirks: Quirks = "upstream") -> None:
        half = "half-precision-actions" in in_force(quirks, "calvin")
        self._dtype: type[np.floating] = np.float16 if half else np.float32

    def instruction(self, text: str) -> str:
        """The sentence that the network is told: the first line."""
        return text.split("\n", 1)[0]

    def reset(self, slots: Sequence[int]) -> None:
        """A subtask begins; nothing is remembered here."""

    def frames(self, observations: Mapping[str, Array]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Frames of the primary and of the wrist camera, uint8 (n, height, width, 3)."""
        return observations["rgb_static"], observations["rgb_gripper"]

    def states(self, slots: Sequence[int], observations: Mapping[str, Array]) -> NDArray[np.float32]:
        """States (n, 7): position in metres, Euler angles in radians, last gripper command."""
        robot = observations["robot_obs"].astype(np.float32)
        return np.concatenate([robot[:, :6], robot[:, 14:]], axis=1)

    def act(self, slots: Sequence[int], arm: NDArray[np.float32], gripper: NDArray[np.float32]) -> Array:
        """Actions (n, 1, 7), float16 as upstream sends them, from predictions of the newest step.

        Args:
            slots: the n slots.
            arm: (n, T, 6).
            gripper: probability (n, T, 1) that the gripper shall open.
        """
        command = np.where(gripper[:, :1] > 0.5, np.float32(1), np.float32(-1))
        return np.concatenate([arm[:, :1], command], axis=2).astype(self._dtype)
