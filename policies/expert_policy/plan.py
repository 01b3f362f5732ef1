"""Plans as data: where the gripper goes, how, and what its fingers do on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from seer_bench import SimulatorState

Point = tuple[float, float, float]
"""Metres, world frame."""


class Grip(Enum):
    """What the fingers are told."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Waypoint:
    """One pose of the tool centre point to go to."""

    position: Point
    grip: Grip
    """Held from the first step towards the waypoint to the last one at it."""
    yaw: float
    """Radians about the vertical; the short way round is taken."""
    pitch: float = 0.0
    """Radians; 0 points straight down, below 0, at a yaw near pi/2, the fingers reach towards +y."""
    speed: float = 1.0
    """Fraction of the largest translation that one action can ask for, along each axis."""
    tolerance: float = 0.006
    """Metres between the measured position and `position` that count as arrived."""
    patience: int = 60
    """Control steps after which the next waypoint is taken, arrived or not."""
    hold: int = 0
    """Control steps to stay, once arrived."""
    roll: float = math.pi
    """Radians; pi points straight down, below it, at a yaw near pi/2, the fingers reach towards +x. Roll, pitch and yaw
    are turns about the world's axes x, y, z, in this order."""


@dataclass(frozen=True)
class Plan:
    """Waypoints in order, at least one."""

    waypoints: tuple[Waypoint, ...]
    preparation: bool = False
    """It only leads to a state from which to plan on, so it counts as no attempt."""


@dataclass(frozen=True)
class Attempt:
    """Which try at a subtask a plan is for."""

    number: int
    """0 until a plan that was no preparation has ended, then counting up."""
    nudge: Point
    """A small random displacement in metres, so that a retry is not a repetition; zero at the first attempt."""


Planner = Callable[[SimulatorState, Attempt], Plan]
"""Looks at the state and says how to go on; asked again whenever its plan has ended and the subtask has not."""


def shifted(point: Point, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Point:
    """The point moved by metres along the world's axes."""
    return point[0] + x, point[1] + y, point[2] + z
