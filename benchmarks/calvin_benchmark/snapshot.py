"""The state of a world at one instant, as far as the task checks look at it.

Bodies and links go by name, so that a snapshot can come from any backend or recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .scene import Vector3

Quaternion = tuple[float, float, float, float]
"""x, y, z, w."""

ROBOT = "robot"
TABLE = "table"
BLOCKS = ("block_red", "block_blue", "block_pink")


class Touch(NamedTuple):
    """What a body touches: another body and the link of it (`base_link` for the base of the table)."""

    body: str
    link: str


@dataclass(frozen=True)
class BlockState:
    """Pose and velocity of a block in the world frame."""

    position: Vector3
    quaternion: Quaternion
    linear_velocity: Vector3
    """Metres per second."""
    angular_velocity: Vector3
    """Radians per second."""
    touches: frozenset[Touch]
    """Contact points of the last physics step, small positive distances included."""


@dataclass(frozen=True)
class Snapshot:
    """Everything a task check may look at."""

    blocks: Mapping[str, BlockState]
    """By name, in the scene's loading order."""
    robot_touches: frozenset[Touch]
    slide: float
    """Sliding door, metres; larger is further left."""
    drawer: float
    """Metres; larger is further open."""
    button: float
    """Joint position, metres."""
    switch: float
    button_on: bool
    """Logical state; the LED's may differ."""
    switch_on: bool
    lightbulb: bool
    led: bool
