"""The sliding door and the drawer."""

from __future__ import annotations

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Waypoint
from .motions import CLEAR_Z, FRONT_Y, YAW, Waypoints
from .table import CABINET_MIDDLE, DRAWER_HANDLE_Y, DRAWER_X, SLIDER_HANDLE_X, SLIDER_TRAVEL

_BESIDE_HANDLE = 0.06
_HANDLE_Z = 0.54
_NEARLY = 0.03
"""How far from its end a door may be and still count as open."""


def move_slider(state: SimulatorState, _attempt: Attempt, *, sign: int) -> Plan:
    """Push the sliding door by its handle; `sign` 1 is to the left (-x)."""
    return Plan(_slide(state, sign))


def uncover(state: SimulatorState, x: float) -> Plan | None:
    """Move the sliding door away from the half of the cabinet that holds `x`; None if it is away."""
    slide = state.joints["slide"]
    wanted = 0.0 if x < CABINET_MIDDLE else SLIDER_TRAVEL
    if abs(slide - wanted) < _NEARLY:
        return None
    return Plan(_slide(state, 1 if wanted > slide else -1), preparation=True)


def _slide(state: SimulatorState, sign: int) -> Waypoints:
    """Beside the handle, push it to its end, and leave it."""
    start = SLIDER_HANDLE_X - state.joints["slide"] + sign * _BESIDE_HANDLE
    end = SLIDER_HANDLE_X - SLIDER_TRAVEL + 0.035 if sign > 0 else SLIDER_HANDLE_X - 0.035
    return (
        Waypoint((start, -0.10, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.02),
        Waypoint((start, 0.0, _HANDLE_Z), Grip.CLOSED, YAW, patience=30),
        Waypoint((end, 0.0, _HANDLE_Z), Grip.CLOSED, YAW, speed=0.8, tolerance=0.02, patience=40),
        Waypoint((end + sign * 0.02, FRONT_Y, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.02),
    )


def open_drawer(state: SimulatorState, _attempt: Attempt) -> Plan:
    """Hook the closed fingers behind the handle and pull."""
    behind = DRAWER_HANDLE_Y + 0.042 - state.joints["drawer"]
    return Plan(
        (
            Waypoint((DRAWER_X, behind, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.015),
            Waypoint((DRAWER_X, behind, 0.365), Grip.CLOSED, YAW, patience=30),
            Waypoint((DRAWER_X, -0.47, 0.365), Grip.CLOSED, YAW, speed=0.8),
        )
    )


def close_drawer(state: SimulatorState, _attempt: Attempt) -> Plan:
    """Push the handle from the front."""
    before = DRAWER_HANDLE_Y - 0.08 - state.joints["drawer"]
    return Plan(
        (
            Waypoint((DRAWER_X, before, CLEAR_Z), Grip.CLOSED, YAW, tolerance=0.02),
            Waypoint((DRAWER_X, before, 0.37), Grip.CLOSED, YAW, patience=30),
            Waypoint((DRAWER_X, -0.235, 0.37), Grip.CLOSED, YAW, speed=0.8),
        )
    )
