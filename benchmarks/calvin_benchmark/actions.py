"""From what a caller may pass as an action to one of three checked commands.

Five forms are understood (source: calvin_env, main): a 7-vector of relative motion, a 3-tuple of absolute
motion, and `{"type": ..., "action": ...}` of the types `cartesian_rel`, `cartesian_abs`, `joint_rel` and
`joint_abs`. The pinned variant knows the first two alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import InvalidActionError

Variant = Literal["main", "pinned"]
"""`main`: calvin_env 797142c. `pinned`: calvin_env 1431a46, the submodule of the CALVIN repository."""

Action = NDArray[Any] | Sequence[Any] | Mapping[str, Any]

DICT_TYPES = ("cartesian_rel", "cartesian_abs", "joint_rel", "joint_abs")


@dataclass(frozen=True)
class RelativeMotion:
    """Unscaled increments of the target pose, in the dtype of the action."""

    translation: NDArray[Any]
    """(3,) along the world's axes, in units of `RobotSpec.metres_per_unit`."""
    rotation: NDArray[Any]
    """(3,) added to the Euler angles one by one, in units of `RobotSpec.radians_per_unit`."""
    gripper: int
    """1 opens, -1 closes."""


@dataclass(frozen=True)
class AbsolutePose:
    """A pose of the tool centre point."""

    position: NDArray[Any]
    """(3,) metres, world frame."""
    orientation: NDArray[Any]
    """(3,) Euler angles in radians or (4,) quaternion x, y, z, w."""
    gripper: int


@dataclass(frozen=True)
class JointTarget:
    """Arm joint positions."""

    joints: NDArray[Any]
    """(7,) radians."""
    relative: bool
    """True: added to the joint positions measured now."""
    gripper: int


Command = RelativeMotion | AbsolutePose | JointTarget


def parse_action(action: Action, variant: Variant) -> Command:
    """Check `action` and say what it means; never changes or keeps the caller's array.

    Raises:
        InvalidActionError: unknown form or type, wrong length, a dtype that is not floating point, a value
            that is not finite, or a gripper command other than -1 and 1.
    """
    if isinstance(action, Mapping):
        return _parse_dict(action, variant)
    if len(action) == 3:
        return _absolute_of_three(action)
    return _relative(action)


def _parse_dict(action: Mapping[str, Any], variant: Variant) -> Command:
    if variant == "pinned":
        raise InvalidActionError(
            "the pinned variant of CALVIN takes no action dictionaries; "
            "pass a 7-vector (relative) or a tuple (position, orientation, gripper), or use variant 'main'"
        )
    if set(action) != {"type", "action"}:
        raise InvalidActionError(f"an action dictionary has the keys 'type' and 'action', got {sorted(action)}")
    kind, value = action["type"], action["action"]
    if kind == "cartesian_rel":
        return _relative(value)
    if kind == "cartesian_abs":
        if len(value) == 3:
            return _absolute_of_three(value)
        vector = _floats(value, (7, 8), "cartesian_abs action")
        return AbsolutePose(vector[:3], vector[3:-1], _gripper(vector[-1]))
    if kind in ("joint_rel", "joint_abs"):
        vector = _floats(value, (8,), f"{kind} action")
        return JointTarget(vector[:7], kind == "joint_rel", _gripper(vector[-1]))
    raise InvalidActionError(f"unknown action type {kind!r}; known: {', '.join(DICT_TYPES)}")


def _relative(action: Any) -> RelativeMotion:
    vector = _floats(action, (7,), "relative action")
    return RelativeMotion(vector[:3], vector[3:6], _gripper(vector[6]))


def _absolute_of_three(action: Any) -> AbsolutePose:
    position, orientation, gripper = action
    return AbsolutePose(
        _floats(position, (3,), "position of an absolute action"),
        _floats(orientation, (3, 4), "orientation of an absolute action"),
        _gripper(gripper),
    )


def _floats(value: Any, lengths: tuple[int, ...], what: str) -> NDArray[Any]:
    """A copy of `value` as a finite floating-point vector of one of the lengths."""
    vector = np.array(value)
    if vector.ndim != 1 or len(vector) not in lengths:
        wanted = " or ".join(f"({length},)" for length in lengths)
        raise InvalidActionError(f"{what}: shape must be {wanted}, got {vector.shape}")
    if vector.dtype.kind != "f":
        raise InvalidActionError(f"{what}: dtype must be floating point, got {vector.dtype}")
    if not np.isfinite(vector).all():
        raise InvalidActionError(f"{what}: every value must be finite, got {vector.tolist()}")
    return vector


def _gripper(value: Any) -> int:
    try:
        number = float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        raise InvalidActionError(f"gripper command must be a number, got {value!r}") from None
    if number not in (-1.0, 1.0):
        raise InvalidActionError(f"gripper command must be exactly -1 (close) or 1 (open), got {number}")
    return int(number)
