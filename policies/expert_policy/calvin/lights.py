"""The button of the LED and the switch of the light bulb."""

from __future__ import annotations

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Waypoint
from .motions import CLEAR_Z, YAW
from .table import BUTTON, SWITCH_X, Place, blocks

_SWITCH_SPOTS = (SWITCH_X, SWITCH_X - 0.04, SWITCH_X + 0.03)
_ENOUGH = 0.03
"""From the middle of the closed fingers to a block, metres."""


def press_button(_state: SimulatorState, _attempt: Attempt) -> Plan:
    """Press once and let go; every press toggles the LED."""
    x, y = BUTTON
    return Plan(
        (
            Waypoint((x, y, CLEAR_Z), Grip.CLOSED, YAW),
            Waypoint((x, y, 0.46), Grip.CLOSED, YAW, speed=0.6, patience=25),
            Waypoint((x, y, 0.56), Grip.CLOSED, YAW),
        )
    )


def switch_on(state: SimulatorState, _attempt: Attempt) -> Plan:
    """Push the switch from the front, back and up along its slope, where no block stands before it."""
    lying = [block for block in blocks(state).values() if block.place is Place.TABLE]
    x = max(_SWITCH_SPOTS, key=lambda x: min((min(b.distance(x, -0.06), _ENOUGH) for b in lying), default=_ENOUGH))
    return Plan(
        (
            Waypoint((x, -0.08, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.02),
            Waypoint((x, -0.08, 0.475), Grip.CLOSED, YAW, tolerance=0.02),
            Waypoint((x, 0.015, 0.475), Grip.CLOSED, YAW, speed=0.5),
            Waypoint((x, 0.07, 0.60), Grip.CLOSED, YAW, speed=0.5),
        )
    )


def switch_off(_state: SimulatorState, _attempt: Attempt) -> Plan:
    """Come over the switch from above with tilted fingers and press it down its slope."""
    x, pitch = SWITCH_X - 0.02, -0.8
    return Plan(
        (
            Waypoint((x, -0.08, 0.67), Grip.CLOSED, YAW, pitch),
            Waypoint((x, 0.10, 0.67), Grip.CLOSED, YAW, pitch, speed=0.6),
            Waypoint((x, 0.02, 0.52), Grip.CLOSED, YAW, pitch, speed=0.4),
        )
    )
