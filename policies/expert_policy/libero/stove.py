"""The stove turned on, and the moka pot put on it: task 2."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Planner, Point, Waypoint, shifted
from .motions import CLOSING, FORWARD, OPENING, VIA, nudge, place, rise, wait
from .pots import is_on_stove, set_on_stove

_STOVE = "flat_stove_1"
_KNOB = "flat_stove_1_button"
_POT = "moka_pot_1"

_TURNED = 0.6
"""Radians from which the knob is left alone; it counts as turned on from 0.5."""
_BAR_GRASP = 0.02
"""Metres from the knob's axis, which stands at the stove's origin, to where the fingers take the bar on its top, which
is 2.4 cm thick and reaches 5.2 cm out on this side. Measured in the stove's model."""
_BAR_Z = 0.035
"""Height over the stove's origin at which they take it; the bar's upper edge is at 0.05. Measured likewise."""
_TURNS = (0.5, 1.0)
"""Radians by which the hand turns the bar, in two steps: the knob follows with a lag."""
_TURNING = 15
"""Control steps that each of them gets."""
_CLEAR = 0.15
"""Height over the stove's origin at which the hand is free of the knob."""


def turn_on_with_pot(state: SimulatorState, attempt: Attempt) -> Plan:
    """Turn the knob by its bar, then set the pot on the burner."""
    if state.joints[_KNOB] < _TURNED:
        clear = place(state, _STOVE)[2] + _CLEAR
        return rise(state, clear) or Plan(_turn(state, nudge(attempt, 0)))
    if is_on_stove(state, _POT):
        return wait(state)
    return set_on_stove(state, _POT, 0.0, nudge(attempt, 1))


def _turn(state: SimulatorState, shift: Point) -> tuple[Waypoint, ...]:
    """Take the bar of the knob and turn it with the hand, which goes round the knob's axis with it."""
    axis = shifted(shifted(place(state, _STOVE), z=_BAR_Z), *shift)
    start, *turned = (state.joints[_KNOB] + turn for turn in (0.0, *_TURNS))
    bar = _on_bar(axis, start)
    end = _on_bar(axis, turned[-1])
    return (
        Waypoint(shifted(bar, z=_CLEAR - _BAR_Z), Grip.OPEN, FORWARD + start, tolerance=0.015),
        Waypoint(bar, Grip.OPEN, FORWARD + start),
        Waypoint(bar, Grip.CLOSED, FORWARD + start, patience=1, hold=CLOSING),
        *(Waypoint(_on_bar(axis, a), Grip.CLOSED, FORWARD + a, patience=_TURNING) for a in turned),
        Waypoint(end, Grip.OPEN, FORWARD + turned[-1], patience=1, hold=OPENING),
        Waypoint(shifted(end, z=_CLEAR - _BAR_Z), Grip.OPEN, FORWARD + turned[-1], tolerance=VIA),
    )


def _on_bar(axis: Point, angle: float) -> Point:
    """Where the fingers hold the bar of a knob that is turned by `angle` about `axis`."""
    return shifted(axis, -_BAR_GRASP * np.cos(angle), -_BAR_GRASP * np.sin(angle))


PLANNERS: Mapping[str, Planner] = {
    "KITCHEN_SCENE3_turn_on_the_stove_and_put_the_moka_pot_on_it": turn_on_with_pot,
}
"""By the task's name in the suite."""
