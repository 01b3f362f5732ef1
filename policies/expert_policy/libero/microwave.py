"""The mug into the microwave, and its door closed: task 9."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Planner, Point, Waypoint, shifted
from .motions import CLOSING, FORWARD, OPENING, VIA, Waypoints, in_body, nudge, place, rise, spot_for

_MUG = "white_yellow_mug_1"
_MICROWAVE = "microwave_1"
_DOOR = "microwave_1_microjoint"

_HANDLE = (0.064, 0.0, 0.066)
"""Where the fingers take the mug, along its own axes: the upright part of its handle, which is 1.8 cm thick and reaches
from 2.7 cm to 8.5 cm over the origin. Measured in the mug's model."""
_LEANING = np.pi + 1.05
"""Roll of the hand that holds the mug: the fingers reach ahead along +y, so the hand stays out of the microwave."""
_ALONG_FRONT = 0.0
"""Yaw at which the hand lies along the microwave's front and its fingers close along x."""
_IN_FRONT = 0.06
"""How far before the handle the hand comes down to the table."""
_CARRIED = 0.10
"""How far the mug is raised; the microwave's floor is 4.4 cm over the table."""

_SPOT = (-0.040, -0.020, 0.024)
"""Where the mug's origin is put, relative to the microwave's: in the middle of the inner width, on the floor, with the
handle just inside the closed door. Measured, like the numbers below, in the microwave's model."""
_DROP = 0.004
"""Height over the floor from which the mug is let go."""
_OVER_FLOOR = 0.02
"""Height over the floor at which the mug is moved in."""
_BEFORE = 0.25
"""How far before its place the mug is when it has come down to that height."""
_DRAWN_OUT = 0.15
"""How far the hand is drawn back from the mug."""
_INSIDE = (0.07, 0.05, 0.03)
"""How far from its place the mug may be and counts as put there."""
_LIFTED = -0.01
"""Height of the mug over its place from which it counts as picked up."""

_HINGE = (-0.1725, -0.088)
"""x, y of the door's axis, relative to the microwave's origin; the closed door reaches from there along +x."""
_PUSHED_AT = 0.19
"""From the hinge to where the fingers push the door, short of its handle at 0.237."""
_FINGERS = 0.010
"""Half the thickness of the closed fingers."""
_OUTSIDE = 0.026 + _FINGERS
"""From the upright plane through the hinge along the door to fingers that touch the door's outer face."""
_WITHIN = 0.002 - _FINGERS
"""Likewise for its inner face."""
_DOOR_Z = 0.170
"""Height over the microwave's origin at which the fingers push: under the door's upper edge, which is at 0.189, while
the palm passes above it."""
_OVER_DOOR = 0.30
"""Height over the microwave's origin at which the hand travels from one side of the door to the other."""
_APART = 0.06
"""How far beside the door the fingers come down."""
_SWING = 0.35
"""Radians from one waypoint to the next while the door is swung."""
_OPEN_ENOUGH = -1.5
"""Angle of the door, 0 when closed, up to which the hand with the mug passes beside it."""
_OPEN_WIDE = -1.75
"""Angle to which the door is opened otherwise."""
_PRESS = 0.04
"""How far beyond the closed door's face the hand aims at the end: it presses as a spring does."""


def put_mug(state: SimulatorState, attempt: Attempt) -> Plan:
    """Take the mug by its handle, set it into the microwave from the front, and swing the door shut."""
    spot = shifted(place(state, _MICROWAVE), *_SPOT)
    mug, held = place(state, _MUG), _MUG in state.held
    if held and mug[2] > spot[2] + _LIFTED:
        return Plan(_set_in(state, spot), preparation=True)
    if away := rise(state, place(state, _MICROWAVE)[2] + _OVER_DOOR):
        return away
    if not held and bool((abs(np.subtract(mug, spot)) < _INSIDE).all()):
        return Plan((*_swing(state, 0.0, _OUTSIDE), _press(state)))
    if state.joints[_DOOR] > _OPEN_ENOUGH:
        return Plan(_swing(state, _OPEN_WIDE, _WITHIN), preparation=True)
    return Plan(_pick(shifted(in_body(state, _MUG, _HANDLE), *nudge(attempt, 0))))


def _pick(handle: Point) -> Waypoints:
    """Take the mug's handle from the front and lift it."""
    before = shifted(handle, y=-_IN_FRONT, z=0.03)
    return (
        _leaning(shifted(before, z=0.10), Grip.OPEN, tolerance=0.02),
        _leaning(before, Grip.OPEN, tolerance=0.01),
        _leaning(handle, Grip.OPEN, speed=0.4),
        _leaning(handle, Grip.CLOSED, patience=1, hold=CLOSING),
        _leaning(shifted(handle, z=_CARRIED), Grip.CLOSED, tolerance=VIA),
    )


def _set_in(state: SimulatorState, spot: Point) -> Waypoints:
    """Bring the held mug before the opening, move it in, set it down, and draw the hand out again."""
    down = spot_for(state, _MUG, shifted(spot, z=_DROP))
    inside = shifted(down, z=_OVER_FLOOR)
    return (
        _leaning(shifted(inside, y=-_BEFORE), Grip.CLOSED, tolerance=0.01),
        _leaning(inside, Grip.CLOSED, speed=0.5),
        _leaning(down, Grip.CLOSED, speed=0.3, patience=30),
        _leaning(down, Grip.OPEN, patience=1, hold=OPENING),
        _leaning(shifted(down, y=-_DRAWN_OUT), Grip.OPEN, speed=0.6, tolerance=VIA),
    )


def _leaning(
    position: Point, grip: Grip, speed: float = 1.0, tolerance: float = 0.006, patience: int = 60, hold: int = 0
) -> Waypoint:
    """A waypoint of the hand that holds the mug by its handle."""
    return Waypoint(position, grip, _ALONG_FRONT, 0.0, speed, tolerance, patience, hold, roll=_LEANING)


def _swing(state: SimulatorState, to: float, side: float) -> Waypoints:
    """Swing the door to an angle, from one side of it, with the tips of the closed fingers; the palm stays above it."""
    angle = state.joints[_DOOR]
    beside = _at_door(state, angle, side + np.copysign(_APART, side))
    angles = [*np.arange(angle, to, np.copysign(_SWING, to - angle))[1:], to]
    return (
        Waypoint(shifted(beside, z=_OVER_DOOR - _DOOR_Z), Grip.CLOSED, FORWARD, tolerance=VIA, patience=90),
        Waypoint(beside, Grip.CLOSED, FORWARD, tolerance=0.012),
        *(Waypoint(_at_door(state, a, side), Grip.CLOSED, FORWARD, speed=0.6, tolerance=0.02) for a in angles),
    )


def _press(state: SimulatorState) -> Waypoint:
    """Press on the outer face of the closed door."""
    return Waypoint(_at_door(state, 0.0, _OUTSIDE - _PRESS), Grip.CLOSED, FORWARD, patience=30, hold=10)


def _at_door(state: SimulatorState, angle: float, side: float) -> Point:
    """Where the fingers are, when `side` metres outside the door that stands at `angle`, to push it."""
    along, outwards = np.array([np.cos(angle), np.sin(angle)]), np.array([np.sin(angle), -np.cos(angle)])
    x, y = np.array(_HINGE) + _PUSHED_AT * along + side * outwards
    return shifted(place(state, _MICROWAVE), float(x), float(y), _DOOR_Z)


PLANNERS: Mapping[str, Planner] = {
    "KITCHEN_SCENE6_put_the_yellow_and_white_mug_in_the_microwave_and_close_it": put_mug,
}
"""By the task's name in the suite."""
