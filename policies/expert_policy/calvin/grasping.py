"""Grasping: at which yaw, with room for the fingers, and what follows a grasp."""

from __future__ import annotations

import numpy as np

from seer_bench import SimulatorState

from ..controller import wrap
from ..plan import Grip, Plan, Point, Waypoint, shifted
from .motions import CLOSING, FRONT_Y, REACH_IN, YAW, Waypoints, put_down
from .table import BUTTON, BUTTON_RADIUS, DRAWER_INSIDE, Block, Place, blocks

_FINGER_OFFSET = 0.056
"""From the tool centre point to the middle of an open finger."""
_FINGER_CLEARANCE = 0.018
"""Half a finger and a little air."""
_GRASPABLE = 0.06
"""Largest edge that the open fingers take between them."""
_WIDE = 0.045
"""Edge from which the fingers leave little room for error."""
_YAW_RANGE = 1.75
"""How far from `YAW` the arm can turn the gripper."""
_STRAIGHT = 0.15
"""Largest turn away from `YAW` with which the tilted gripper still fits into the cabinet; fingers align the block."""
_SPOTS = (-0.2, 0.05, 0.14, 0.23, 0.30)
_SPOT_Y = -0.11
"""Where a block may be put aside: x, and y."""
_ROOM = 0.1
"""From such a place to any other block."""


def grasp(block: Block, yaw: float, nudge: Point) -> Waypoints:
    """From above: come down on a block on the table or in the drawer, and close the fingers."""
    target = shifted(block.position, *nudge)
    return (
        Waypoint(shifted(block.position, z=0.10), Grip.OPEN, yaw, tolerance=0.015),
        Waypoint(target, Grip.OPEN, yaw, speed=0.7),
        Waypoint(target, Grip.CLOSED, yaw, patience=1, hold=CLOSING),
    )


def grasp_in_cabinet(block: Block, yaw: float, nudge: Point) -> Waypoints:
    """With the fingers reaching forward under the cabinet's top."""
    x, y, z = block.position
    target = (x + nudge[0], y + 0.004 + nudge[1], z + 0.004 + nudge[2])
    return (
        Waypoint((x, FRONT_Y, 0.58), Grip.OPEN, yaw, REACH_IN, tolerance=0.015),
        Waypoint((x + nudge[0], y - 0.05, 0.51), Grip.OPEN, yaw, REACH_IN, speed=0.6),
        Waypoint(target, Grip.OPEN, yaw, REACH_IN, speed=0.5, patience=30),
        Waypoint(target, Grip.CLOSED, yaw, REACH_IN, patience=1, hold=CLOSING),
    )


def pick(state: SimulatorState, block: Block, nudge: Point, height: float = 0.15) -> Waypoints:
    """Grasp a block wherever it lies, and lift it."""
    yaw = grasp_yaw(state, block)
    if block.place is not Place.CABINET:
        reached = grasp(block, yaw, nudge)
        up = shifted(reached[-1].position, z=height)
        return (*reached, Waypoint(up, Grip.CLOSED, yaw, speed=0.6, hold=5))
    yaw = float(np.clip(yaw, YAW - _STRAIGHT, YAW + _STRAIGHT))
    reached = grasp_in_cabinet(block, yaw, nudge)
    over = shifted(reached[-1].position, y=-0.02, z=0.07)
    out = shifted(over, y=-0.12, z=0.03)
    return (
        *reached,
        Waypoint(over, Grip.CLOSED, yaw, REACH_IN, speed=0.5, patience=30),
        Waypoint(out, Grip.CLOSED, yaw, REACH_IN, speed=0.5, hold=5),
    )


def grasp_yaw(state: SimulatorState, block: Block, turn: float = 0.0) -> float:
    """The yaw at which to grasp a block from above.

    Fingers close across a level edge that fits between them; yaws are preferred at which no finger comes down on a
    neighbour, the button or a wall, the arm stays near `YAW`, and a following rotation by `turn` radians stays
    within reach.
    """
    costs: dict[float, float] = {}
    for angle, edge in block.level_axes:
        if edge > _GRASPABLE:
            continue
        base = float(wrap(angle - _closing(YAW)))
        blocked = len(_in_the_way(state, block, angle)) + _on_fixture(state, block, angle)
        for offset in (base - np.pi, base, base + np.pi):
            reach = max(abs(offset), abs(offset + turn))
            costs[YAW + offset] = reach + 10.0 * (reach > _YAW_RANGE) + 4.0 * blocked + (edge > _WIDE)
    return min(costs, key=lambda yaw: costs[yaw])


def make_room(state: SimulatorState, block: Block) -> Plan | None:
    """Move a neighbour away that a finger would come down on; None if there is room, or none to be made."""
    neighbours = _in_the_way(state, block, _closing(grasp_yaw(state, block)))
    if not neighbours or block.place is not Place.TABLE:
        return None
    other = neighbours[0]
    yaw, spot = grasp_yaw(state, other), free_spot(state, other)
    if spot is None or _in_the_way(state, other, _closing(yaw)):
        return None
    return Plan(carry(other, yaw, spot), preparation=True)


def carry(block: Block, yaw: float, spot: tuple[float, float], nudge: Point = (0.0, 0.0, 0.0)) -> Waypoints:
    """Grasp a block on the table, move it to x, y and let it go just above the table."""
    reached = grasp(block, yaw, nudge)
    up = shifted(reached[-1].position, z=0.06)
    return (*reached, Waypoint(up, Grip.CLOSED, yaw, speed=0.6), *put_down(up, yaw, spot))


def free_spot(state: SimulatorState, block: Block) -> tuple[float, float] | None:
    """The nearest place on the table, x and y, with room around it for another block and the fingers."""
    others = [other for other in blocks(state).values() if other.name != block.name and other.place is Place.TABLE]
    x = block.position[0]
    free = [s for s in _SPOTS if abs(s - x) > 0.08 and all(other.distance(s, _SPOT_Y) > _ROOM for other in others)]
    return (min(free, key=lambda s: abs(s - x)), _SPOT_Y) if free else None


def _in_the_way(state: SimulatorState, block: Block, angle: float) -> list[Block]:
    """The blocks that a finger would come down on if the fingers close along `angle`."""
    level = (b for b in blocks(state).values() if abs(b.position[2] - block.position[2]) < 0.04)
    points = _finger_points(block, angle)
    return [b for b in level if b.name != block.name and any(b.distance(*p) < _FINGER_CLEARANCE for p in points)]


def _on_fixture(state: SimulatorState, block: Block, angle: float) -> int:
    """How many fingers would come down on the button or outside the drawer's walls."""
    points = _finger_points(block, angle)
    if block.place is Place.TABLE:
        return sum(bool(np.hypot(x - BUTTON[0], y - BUTTON[1]) < BUTTON_RADIUS + _FINGER_CLEARANCE) for x, y in points)
    if block.place is Place.CABINET:
        return 0
    left, right, front, back = DRAWER_INSIDE
    front, back = front - state.joints["drawer"], back - state.joints["drawer"]
    gap = _FINGER_CLEARANCE
    return sum(not (left + gap < x < right - gap and front + gap < y < back - gap) for x, y in points)


def _closing(yaw: float) -> float:
    """Direction in which the fingers of an upright gripper close."""
    return yaw + np.pi / 2


def _finger_points(block: Block, angle: float) -> list[tuple[float, float]]:
    """x, y of both open fingers' middles."""
    x, y, _ = block.position
    dx, dy = _FINGER_OFFSET * float(np.cos(angle)), _FINGER_OFFSET * float(np.sin(angle))
    return [(x - dx, y - dy), (x + dx, y + dy)]
