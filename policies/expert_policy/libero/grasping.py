"""Which of several grasps leaves the gripper room among the things that stand around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seer_bench import SimulatorState

from ..plan import Point

_HAND = (0.105, 0.035)
"""Half the hand's extent along and across the direction in which the fingers close, metres."""
_PALM = 0.035
"""The hand's underside over the tool centre point; what ends below it is in nobody's way."""
_RADIUS = 0.04
"""Taken for the radius of anything that stands around."""
_ENOUGH = 0.01
"""Clearance beyond which more room makes no difference."""


@dataclass(frozen=True)
class Grasp:
    """One way to grip an object from above."""

    position: Point
    """Of the tool centre point when the fingers close."""
    yaw: float
    """Radians; the fingers close along this direction."""


def roomiest(state: SimulatorState, name: str, grasps: Sequence[Grasp]) -> Grasp:
    """The first of the grasps of the object `name` with enough room; failing that, the one with the most."""
    return max(grasps, key=lambda grasp: min(_clearance(state, name, grasp), _ENOUGH))


def _clearance(state: SimulatorState, name: str, grasp: Grasp) -> float:
    """Metres between the hand and the nearest object that reaches up to it; negative where they would meet.

    An object's origin is taken for its middle, and its reach upwards for that of its middle over the gripped one.
    """
    x, y, z = grasp.position
    along = np.array([np.cos(grasp.yaw), np.sin(grasp.yaw)])
    across = np.array([-along[1], along[0]])
    nearest = np.inf
    for other, body in state.bodies.items():
        if other == name or other.endswith("_region") or body.position[2] < z + _PALM:
            continue
        offset = body.position[:2] - (x, y)
        gap = np.maximum(np.abs([offset @ along, offset @ across]) - _HAND, 0.0)
        nearest = min(nearest, float(np.linalg.norm(gap)) - _RADIUS)
    return nearest
