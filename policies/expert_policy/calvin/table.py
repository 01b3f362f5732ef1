"""The play table and its blocks: sizes, places, and how to read them off the simulator's state.

Lengths are metres in the world frame; the table's front edge faces -y, where the robot stands.
Source of the numbers: the URDF files of CALVIN's scene D at the scale 0.8 that the benchmark loads them with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from seer_bench import SimulatorState
from seer_bench.contracts import Array

from ..plan import Point

EDGES = {
    "block_red": (0.056, 0.04, 0.04),
    "block_blue": (0.04, 0.04, 0.04),
    "block_pink": (0.08, 0.04, 0.04),
}
"""Edge lengths of each block along its own axes."""

TABLE_TOP = 0.44
"""Height of the table's surface and of the cabinet's floor."""
HALF_BLOCK = 0.02
"""Height of a lying block's centre above what it lies on."""
BUTTON = (-0.12, -0.12)
"""x, y of the button's centre."""
BUTTON_RADIUS = 0.032
SWITCH_X = 0.3
"""x of the middle of the light switch."""
SLIDER_HANDLE_X = 0.04
"""x of the sliding door's handle while the door is at its right end; the door's joint counts leftwards."""
SLIDER_TRAVEL = 0.28
CABINET_MIDDLE = -0.10
"""x that parts the cabinet into the halves that the sliding door covers at its ends."""
DRAWER_X = 0.18
"""x of the middle of the drawer and its handle."""
DRAWER_HANDLE_Y = -0.25
"""y of the drawer's handle while the drawer is closed; the drawer's joint counts towards the robot (-y)."""
DRAWER_TRAVEL = 0.22
DRAWER_INSIDE = (0.003, 0.357, -0.157, 0.038)
"""Inner walls of the closed drawer: x low, x high, y low, y high."""

_CABINET_Y = 0.03
"""Blocks behind this line lie in the cabinet."""
_DRAWER_Z = 0.42
"""Blocks below this height lie in the drawer."""


class Place(Enum):
    """Where a block lies."""

    TABLE = "table"
    CABINET = "cabinet"
    DRAWER = "drawer"


@dataclass(frozen=True)
class Block:
    """One block, as far as grasping it is concerned."""

    name: str
    position: Point
    quaternion: tuple[float, float, float, float]

    @property
    def place(self) -> Place:
        """Where it lies, judged by its centre."""
        if self.position[2] < _DRAWER_Z:
            return Place.DRAWER
        return Place.CABINET if self.position[1] > _CABINET_Y else Place.TABLE

    @cached_property
    def level_axes(self) -> list[tuple[float, float]]:
        """(direction in radians about the vertical, edge length) of the two axes that lie most level."""
        axes = Rotation.from_quat(self.quaternion).as_matrix().T
        edges = EDGES[self.name]
        level = sorted(range(3), key=lambda i: abs(axes[i][2]))[:2]
        return [(float(np.arctan2(axes[i][1], axes[i][0])), edges[i]) for i in sorted(level)]

    def extent(self, angle: float) -> float:
        """Half its length along a level direction in radians, seen from above."""
        return float(sum(abs(np.cos(axis - angle)) * edge / 2 for axis, edge in self.level_axes))

    def distance(self, x: float, y: float) -> float:
        """From a point to the block's outline, seen from above; 0 inside."""
        gap = 0.0
        for angle, edge in self.level_axes:
            along = (x - self.position[0]) * np.cos(angle) + (y - self.position[1]) * np.sin(angle)
            gap = float(np.hypot(gap, max(abs(along) - edge / 2, 0.0)))
        return gap


def blocks(state: SimulatorState) -> dict[str, Block]:
    """All blocks by name."""
    return {name: _block(name, body.position, body.quaternion) for name, body in state.bodies.items()}


def gripped_block(state: SimulatorState) -> Block | None:
    """The block between the fingers, None if there is none."""
    here = blocks(state)
    return next((here[name] for name in sorted(state.held) if _between_fingers(state, here[name])), None)


def _between_fingers(state: SimulatorState, block: Block) -> bool:
    """The block's centre is close to the tool centre point, above all along the closing fingers."""
    offset = np.array(block.position) - state.tcp_position
    closing = Rotation.from_euler("xyz", state.tcp_euler).as_matrix()[:, 1]
    return bool(np.linalg.norm(offset) < 0.06 and abs(offset @ closing) < 0.02)


def _block(name: str, position: Array, quaternion: Array) -> Block:
    """Plain numbers from arrays."""
    x, y, z = (float(v) for v in position)
    qx, qy, qz, qw = (float(v) for v in quaternion)
    return Block(name, (x, y, z), (qx, qy, qz, qw))
