"""Putting a held block somewhere, and pushing one into the drawer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Waypoint
from .grasping import make_room, pick
from .motions import CLEAR_Z, FRONT_Y, IN_THE_AIR, OPENING, REACH_IN, VIA, YAW, angles, clear, tcp, wait
from .table import BUTTON, BUTTON_RADIUS, SLIDER_TRAVEL, Block, Place, blocks, gripped_block

_IN_DRAWER = 0.385
"""Height at which a block is let go in the drawer."""
_STACKED = 0.045
"""Centre above centre when a block is let go on another one."""
_NEAR_BUTTON = 0.08
_SQUARE = 0.05
"""Next to the button the held block is turned square to the table, to within so many radians."""
_STABLE_SHIFT = 0.015
"""How far off centre a block may be let go and still lie firmly on another one."""
_SWEPT_X = (0.08, 0.29)
"""Between these, a block that is swept over the table's edge falls into the drawer, clear of its corners."""


def place_in_drawer(state: SimulatorState, attempt: Attempt) -> Plan:
    """Lower the held block into the widest free spot of the open drawer."""
    held = gripped_block(state)
    if held is None:
        return _take_again(state, attempt)
    if away := _carry_out(state):
        return away
    y = -0.06 - state.joints["drawer"]
    lying = [b for b in _others(state, held) if b.place is Place.DRAWER]
    x = _freest(np.linspace(0.07, 0.29, 6), y, lying)
    here = tcp(state)
    return Plan(
        (
            Waypoint((here[0], here[1], CLEAR_Z), Grip.CLOSED, YAW, speed=0.8, tolerance=VIA),
            Waypoint((x, y, 0.54), Grip.CLOSED, YAW, speed=0.8, tolerance=0.015),
            Waypoint((x, y, _IN_DRAWER), Grip.CLOSED, YAW, speed=0.5),
            Waypoint((x, y, _IN_DRAWER), Grip.OPEN, YAW, patience=1, hold=OPENING),
            Waypoint((x, y, CLEAR_Z), Grip.OPEN, YAW, speed=0.6, tolerance=VIA),
        )
    )


def place_in_slider(state: SimulatorState, attempt: Attempt) -> Plan:
    """Reach into the open half of the cabinet and let the held block go."""
    held = gripped_block(state)
    if held is None:
        return _take_again(state, attempt)
    if away := _carry_out(state):
        return away
    open_left = state.joints["slide"] < SLIDER_TRAVEL / 2
    spots = np.linspace(-0.30, -0.155, 9) if open_left else np.linspace(-0.04, 0.11, 9)
    lying = [b for b in _others(state, held) if b.place is Place.CABINET]
    x = _freest(spots, 0.09, lying)
    return Plan(
        (
            Waypoint((x, FRONT_Y, 0.60), Grip.CLOSED, YAW, REACH_IN, speed=0.8, tolerance=0.015),
            Waypoint((x, 0.06, 0.545), Grip.CLOSED, YAW, REACH_IN, speed=0.5),
            Waypoint((x, 0.085, 0.485), Grip.CLOSED, YAW, REACH_IN, speed=0.4, patience=30),
            Waypoint((x, 0.085, 0.485), Grip.OPEN, YAW, REACH_IN, patience=1, hold=OPENING),
            Waypoint((x, FRONT_Y, 0.56), Grip.OPEN, YAW, REACH_IN, speed=0.5),
        )
    )


def stack(state: SimulatorState, attempt: Attempt) -> Plan:
    """Set the held block on another one, centre over centre."""
    held = gripped_block(state)
    if held is None:
        return _take_again(state, attempt)
    if away := _carry_out(state):
        return away
    others = _others(state, held)
    on_table = [b for b in others if b.place is Place.TABLE]
    base = max(on_table or others, key=lambda b: abs(b.position[0] - BUTTON[0]))
    if abs(base.position[0] - BUTTON[0]) < _NEAR_BUTTON and abs(state.target_euler[2] - YAW) > _SQUARE:
        return Plan((Waypoint(tcp(state), Grip.CLOSED, YAW, angles(state)[1]),), preparation=True)
    offset = np.array(held.position) - state.tcp_position
    x, y, z = (float(v) for v in np.array(base.position) - offset)
    x += _beside_button(base.position[0], base.position[1], held)
    z += _STACKED
    yaw, pitch = angles(state)
    return Plan(
        (
            Waypoint((x, y, CLEAR_Z), Grip.CLOSED, yaw, pitch, speed=0.8),
            Waypoint((x, y, z), Grip.CLOSED, yaw, pitch, speed=0.35),
            Waypoint((x, y, z), Grip.OPEN, yaw, pitch, patience=1, hold=OPENING),
            Waypoint((x, y, z + 0.1), Grip.OPEN, yaw, pitch, speed=0.4),
        )
    )


def push_into_drawer(state: SimulatorState, attempt: Attempt) -> Plan:
    """Sweep a block over the table's edge into the drawer, or carry it there from where sweeping would miss."""
    held = gripped_block(state)
    if held is not None and held.position[2] > IN_THE_AIR:
        return place_in_drawer(state, attempt)
    if away := clear(state):
        return away
    loose = [b for b in blocks(state).values() if b.place is Place.TABLE]
    if not loose:
        return wait(state)
    x, y, _ = loose[0].position
    if attempt.number or not _SWEPT_X[0] < x < _SWEPT_X[1]:
        return make_room(state, loose[0]) or Plan(pick(state, loose[0], attempt.nudge, height=0.10))
    return Plan(
        (
            Waypoint((x, y + 0.075, CLEAR_Z), Grip.CLOSED, YAW),
            Waypoint((x, y + 0.075, 0.468), Grip.CLOSED, YAW, patience=25),
            Waypoint((x, -0.225, 0.468), Grip.CLOSED, YAW, speed=0.5, hold=8),
        )
    )


def _take_again(state: SimulatorState, attempt: Attempt) -> Plan:
    """Pick up the nearest block on the table: the hand should hold one and does not."""
    if away := clear(state):
        return away
    loose = [block for block in blocks(state).values() if block.place is Place.TABLE]
    if not loose:
        return wait(state)
    nearest = min(loose, key=lambda b: abs(b.position[0] - tcp(state)[0]))
    return make_room(state, nearest) or Plan(pick(state, nearest, attempt.nudge))


def _carry_out(state: SimulatorState) -> Plan | None:
    """Bring the held block out of the cabinet and up, the way it is held; None if it is there."""
    x, y, z = (float(v) for v in state.target_position)
    yaw, pitch = angles(state)
    way: list[Waypoint] = []
    if state.tcp_position[1] > -0.05:
        y, z = FRONT_Y, max(z, 0.53)
        way.append(Waypoint((x, y, z), Grip.CLOSED, yaw, pitch, speed=0.5, tolerance=VIA, patience=30))
    if state.tcp_position[2] < CLEAR_Z - VIA:
        way.append(Waypoint((x, y, CLEAR_Z), Grip.CLOSED, yaw, pitch, speed=0.6, tolerance=0.015, patience=40))
    return Plan(tuple(way), preparation=True) if way else None


def _beside_button(x: float, y: float, held: Block) -> float:
    """How far along x a block must be shifted so that it rests on the other block alone, not on the button."""
    if abs(y - BUTTON[1]) > BUTTON_RADIUS + held.extent(np.pi / 2):
        return 0.0
    needed = BUTTON_RADIUS + held.extent(0.0) + 0.003 - abs(x - BUTTON[0])
    return float(np.clip(needed, 0.0, _STABLE_SHIFT) * (1 if x > BUTTON[0] else -1))


def _others(state: SimulatorState, held: Block) -> list[Block]:
    """The blocks that are not in the hand."""
    return [block for block in blocks(state).values() if block.name != held.name]


def _freest(spots: Iterable[float], y: float, lying: list[Block]) -> float:
    """The x of the spot that is furthest from every lying block."""
    return max((float(x) for x in spots), key=lambda x: min((b.distance(x, y) for b in lying), default=0.0))
