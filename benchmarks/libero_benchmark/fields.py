"""What an observation of `LiberoEnv` may hold, and how upstream's values become ours."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Literal, cast, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from seer_bench import ImageSpec, UnknownNameError, UsageError, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

Orientation = Literal["raw", "upright", "rot180"]
"""`raw`: as robosuite emits it, bottom row first. `upright`: as a person would look at it. `rot180`: `raw` turned by
180 degrees, which is the upright picture mirrored; OpenVLA and openpi were trained on it."""

CAMERAS = {"rgb_agentview": "agentview", "rgb_eye_in_hand": "robot0_eye_in_hand"}
"""MuJoCo's camera behind every image field."""

VECTORS: Mapping[str, VectorSpec] = {
    "eef_position": VectorSpec(3, "world: gripper site xyz[m]"),
    "eef_quaternion": VectorSpec(4, "world: hand body quaternion xyzw"),
    "eef_euler": VectorSpec(3, "world: hand body fixed-axis Euler xyz[rad]"),
    "eef_axis_angle": VectorSpec(3, "world: hand body axis times angle[rad], angle 0 to 2 pi"),
    "gripper_qpos": VectorSpec(2, "finger joints[m]: first (0 closed, 0.04 open), second (0 closed, -0.04 open)"),
    "joint_positions": VectorSpec(7, "arm joints[rad]"),
}
"""Proprioception, float64, as robosuite samples it 2 ms before the end of a control step."""

DEFAULT_FIELDS = ("rgb_agentview", "rgb_eye_in_hand", "eef_position", "eef_quaternion", "gripper_qpos")
STATE_FIELDS = ("eef_position", "eef_quaternion", "gripper_qpos")
"""What is left of them without a renderer."""


def field_specs(sizes: Mapping[str, tuple[int, int]], orientation: Orientation) -> dict[str, FieldSpec]:
    """Every field, given the images' (width, height) by MuJoCo's camera and their orientation."""
    images: dict[str, FieldSpec] = {
        field: ImageSpec(sizes[camera][1], sizes[camera][0], orientation=orientation)
        for field, camera in CAMERAS.items()
    }
    return {**images, **VECTORS}


def field_space(spec: FieldSpec) -> spaces.Box:
    """The Gymnasium space of a field."""
    if isinstance(spec, ImageSpec):
        return spaces.Box(0, 255, (spec.height, spec.width, 3), np.uint8)
    return spaces.Box(-np.inf, np.inf, (spec.size,), np.float64)


def check_fields(fields: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError for anything but a collection of names, UnknownNameError for a name that is not known."""
    if isinstance(fields, str) or not fields:
        raise UsageError(f"fields: give at least one name in a collection, such as ('eef_position',), not {fields!r}.")
    for field in fields:
        if field not in known:
            raise UnknownNameError("observation field", field, known)


def checked_orientation(name: str) -> Orientation:
    """The orientation of that name; raises UnknownNameError."""
    if name not in get_args(Orientation):
        raise UnknownNameError("image orientation", name, get_args(Orientation))
    return cast("Orientation", name)


def oriented(raw: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """A raw picture in another orientation, contiguous."""
    turned = {"raw": raw, "upright": raw[::-1], "rot180": raw[::-1, ::-1]}[orientation]
    return np.ascontiguousarray(turned)


def vector(field: str, observation: Mapping[str, Array]) -> Array:
    """A field of proprioception, from robosuite's observation."""
    if field == "eef_euler":
        euler: Array = Rotation.from_quat(observation["robot0_eef_quat"]).as_euler("xyz")
        return euler
    if field == "eef_axis_angle":
        return axis_angle(observation["robot0_eef_quat"])
    names = {
        "eef_position": "robot0_eef_pos",
        "eef_quaternion": "robot0_eef_quat",
        "gripper_qpos": "robot0_gripper_qpos",
        "joint_positions": "robot0_joint_pos",
    }
    return np.array(observation[names[field]], dtype=np.float64)


def axis_angle(quaternion: Array) -> Array:
    """Axis times angle (3,), radians, of a unit quaternion xyzw, as robosuite defines it: the angle is 0 to 2 pi.

    A shortest rotation vector would differ for w < 0, and the checkpoints that eat this field have never seen one.
    """
    w = min(max(float(quaternion[3]), -1.0), 1.0)
    sine = math.sqrt(1.0 - w * w)
    if sine == 0.0:
        return np.zeros(3)
    turned: Array = quaternion[:3] * 2.0 * math.acos(w) / sine
    return turned
