"""Actions of recordings: their kinds, how a world takes them, and pseudo-random ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..actions import Action, Variant

Array = NDArray[Any]

ACTION_SIZES = {
    "cartesian_rel": 7,
    "cartesian_abs_euler7": 7,
    "cartesian_abs_tuple_quat": 8,
    "joint_abs": 8,
    "joint_rel": 8,
}
"""Length of a recorded row; the gripper command comes last."""


def action_packers(variant: Variant) -> dict[str, Callable[[Array], Action]]:
    """How an action is made of a recorded row, by the action kind's name in the recordings."""
    packers: dict[str, Callable[[Array], Action]] = {
        "cartesian_rel": lambda row: row,
        "cartesian_abs_tuple_quat": lambda row: (row[:3], row[3:7], row[7]),
    }
    if variant == "pinned":  # has tuples, but no dictionaries
        return packers | {"cartesian_abs_euler7": lambda row: (row[:3], row[3:6], row[6])}
    packers["cartesian_abs_euler7"] = lambda row: {"type": "cartesian_abs", "action": row}
    packers["joint_abs"] = lambda row: {"type": "joint_abs", "action": row}
    packers["joint_rel"] = lambda row: {"type": "joint_rel", "action": row}
    return packers


def rollout_key(kind: str, number: int) -> str:
    """What the names of a recorded rollout's arrays begin with."""
    return f"r{number:02d}" if kind == "cartesian_rel" else f"{kind}{number:02d}"


def random_rows(kind: str, seed: int, steps: int) -> Array:
    """Smooth pseudo-random actions of a kind, (steps, 7 or 8) float64; the gripper toggles now and then.

    Motion wanders around zero (relative kinds) or around a pose over the table (absolute kinds).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    size = ACTION_SIZES[kind] - 1
    centre, spread = _RANGES[kind]
    noise, rows = np.zeros(size), np.empty((steps, size + 1))
    gripper = 1.0
    for step in range(steps):
        noise = 0.9 * noise + 0.4 * rng.standard_normal(size)
        gripper = -gripper if rng.random() < 0.05 else gripper
        rows[step] = [*(np.array(centre) + np.array(spread) * np.clip(noise, -2, 2)), gripper]
    return rows


_RANGES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cartesian_rel": ((0.0, 0.0, -0.3, 0.0, 0.0, 0.0), (0.5,) * 6),
    "cartesian_abs_euler7": ((0.1, -0.1, 0.5, 3.1, 0.0, 1.5), (0.1, 0.05, 0.03, 0.1, 0.1, 0.2)),
    "cartesian_abs_tuple_quat": ((0.1, -0.1, 0.5, 0.7, 0.7, 0.0, 0.0), (0.1, 0.05, 0.03, 0.02, 0.02, 0.02, 0.02)),
    "joint_abs": ((-1.2, 1.0, 2.1, -2.3, -0.9, 1.6, 0.6), (0.1,) * 7),
    "joint_rel": ((0.0,) * 7, (0.02,) * 7),
}
"""Centre and spread of each entry but the gripper's: metres, radians, quaternion, or units of a relative action."""
