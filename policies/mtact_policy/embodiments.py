"""What MT-ACT reads of a benchmark's observations and what its predictions mean there.

RoboAgent was published for a real robot with four cameras and joint positions; for CALVIN and LIBERO nothing of it is
published. Which fields are read is our choice: all cameras, and the measured pose and opening of the gripper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, ImageSpec, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

from .config import MtactConfig

GRIPPER = 6
"""Index of the gripper in an action: 1 or -1."""


@dataclass(frozen=True)
class Embodiment:
    """One benchmark, seen through the network."""

    cameras: tuple[str, ...]
    """Fields of the cameras."""
    observations: Mapping[str, FieldSpec]
    """All fields that are read."""
    proprioception: Mapping[str, slice]
    """Which part of which field is the state, in order."""
    action: ActionSpec
    """What an action means; demonstrations are in the same units."""
    image_size: tuple[int, int]
    """Height and width to which frames are brought, unless a checkpoint says otherwise."""
    state_dim: int
    """Numbers of the state."""

    def config(self, **changes: Any) -> MtactConfig:
        """RoboAgent's sizes for this benchmark; `changes` are fields of `MtactConfig`."""
        height, width = self.image_size
        given = {"state_dim": self.state_dim, "image_height": height, "image_width": width} | changes
        return MtactConfig(**given, action_dim=self.action.dim)

    def states(self, observations: Mapping[str, Array]) -> NDArray[np.float32]:
        """States (n, state_dim), in metres and radians."""
        parts = [observations[name][:, part] for name, part in self.proprioception.items()]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def executed(self, actions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actions (n, dim) with the gripper's number brought to 1 or -1, whichever is nearer."""
        done = actions.copy()
        done[:, GRIPPER] = np.where(actions[:, GRIPPER] > 0, 1.0, -1.0)
        return done


EMBODIMENTS: Mapping[str, Embodiment] = {
    "calvin": Embodiment(
        cameras=("rgb_static", "rgb_gripper"),
        observations={
            "rgb_static": ImageSpec(200, 200),
            "rgb_gripper": ImageSpec(84, 84),
            "robot_obs": VectorSpec(
                15, "world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command"
            ),
        },
        proprioception={"robot_obs": slice(0, 7)},
        action=ActionSpec(
            kind="cartesian_rel",
            dim=7,
            frame="world, added to the accumulated target pose",
            translation_scale=0.02,
            rotation_scale=0.05,
            rotation="euler_xyz",
            gripper_open=1,
        ),
        image_size=(200, 200),
        state_dim=7,
    ),
    "libero": Embodiment(
        cameras=("rgb_agentview", "rgb_eye_in_hand"),
        observations={
            "rgb_agentview": ImageSpec(128, 128, orientation="raw"),
            "rgb_eye_in_hand": ImageSpec(128, 128, orientation="raw"),
            "eef_position": VectorSpec(3, "world: gripper site xyz[m]"),
            "eef_axis_angle": VectorSpec(3, "world: hand body axis times angle[rad], angle 0 to 2 pi"),
            "gripper_qpos": VectorSpec(
                2, "finger joints[m]: first (0 closed, 0.04 open), second (0 closed, -0.04 open)"
            ),
        },
        proprioception={"eef_position": slice(3), "eef_axis_angle": slice(3), "gripper_qpos": slice(2)},
        action=ActionSpec(
            kind="cartesian_rel",
            dim=7,
            frame="world, added to the measured pose",
            translation_scale=0.05,
            rotation_scale=0.5,
            rotation="rotation_vector",
            gripper_open=-1,
        ),
        image_size=(128, 128),
        state_dim=8,
    ),
}
"""By name of the benchmark. LIBERO's frames have the bottom row first, as its demonstrations hold them."""
