"""Lifting, rotating and pushing single blocks, and taking a stack apart."""

from __future__ import annotations

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Waypoint, shifted
from .doors import uncover
from .grasping import carry, free_spot, grasp, grasp_yaw, make_room, pick
from .motions import CLEAR_Z, DROP, IN_THE_AIR, OPENING, VIA, YAW
from .table import TABLE_TOP, Place, blocks

_PUSH_Z = TABLE_TOP + 0.022
"""Height of the tool centre point at which the closed fingers push a block."""
_FINGERS = 0.03
"""Half the width of the closed fingers along x, and a little."""
_RUN_UP = 0.02
_SHOVE = 0.135
"""How far a shove aims to bring the block; the fingers lag behind."""
_CARRY = 0.13
_REST = 0.05
"""How far the hand brings it: all the way, or what a shove has left undone."""
_TURN = float(np.deg2rad(23))
"""One of three turns that rotate a block by a little more than 60 degrees."""


def lift(state: SimulatorState, attempt: Attempt, *, block: str) -> Plan:
    """Take the block up from wherever it lies."""
    target = blocks(state)[block]
    way = uncover(state, target.position[0]) if target.place is Place.CABINET else None
    way = way or make_room(state, target)
    return way or Plan(pick(state, target, attempt.nudge))


def rotate(state: SimulatorState, attempt: Attempt, *, block: str, sign: int) -> Plan:
    """Pick the block up a little, turn it about the vertical and let it go; `sign` 1 is anticlockwise from above."""
    target = blocks(state)[block]
    if way := make_room(state, target):
        return way
    yaw = grasp_yaw(state, target, turn=3 * sign * _TURN)
    reached = grasp(target, yaw, attempt.nudge)
    up = shifted(reached[-1].position, z=DROP)
    turns = tuple(Waypoint(up, Grip.CLOSED, yaw + k * sign * _TURN, patience=25) for k in (1, 2, 3))
    release = Waypoint(up, Grip.OPEN, turns[-1].yaw, patience=4, hold=OPENING)
    return Plan((*reached, *turns, release))


def push(state: SimulatorState, attempt: Attempt, *, block: str, sign: int) -> Plan:
    """Push the block along x with the closed fingers; `sign` 1 is to the right.

    The push is a shove: the fingers stop short and the block slides the last centimetres alone, so that the next
    subtask finds it untouched. What a shove leaves undone, or has no room for, is done in the hand.
    """
    target = blocks(state)[block]
    x, y, z = target.position
    touching = target.extent(0.0) + _FINGERS
    start, end = x - sign * (touching + _RUN_UP), x + sign * (_SHOVE - touching)
    lying = [other for other in blocks(state).values() if other.name != block and other.place is Place.TABLE]
    stacked, crowded = z > IN_THE_AIR, any(other.distance(start, y) < _FINGERS for other in lying)
    if stacked or crowded or attempt.number:
        spot = (x + sign * (_REST if attempt.number == 1 else _CARRY), y)
        return make_room(state, target) or Plan(carry(target, grasp_yaw(state, target), spot, attempt.nudge))
    return Plan(
        (
            Waypoint((start, y, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.015),
            Waypoint((start, y, _PUSH_Z), Grip.CLOSED, YAW, patience=25),
            Waypoint((end, y, _PUSH_Z), Grip.CLOSED, YAW, tolerance=VIA),
            Waypoint((end - sign * VIA, y, _PUSH_Z), Grip.CLOSED, YAW, tolerance=0.02, hold=3),
        )
    )


def unstack(state: SimulatorState, attempt: Attempt) -> Plan:
    """Take the uppermost block down beside the stack."""
    top = max(blocks(state).values(), key=lambda b: b.position[2])
    spot = free_spot(state, top) or (top.position[0] - _CARRY, top.position[1])
    return Plan(carry(top, grasp_yaw(state, top), spot, attempt.nudge))
