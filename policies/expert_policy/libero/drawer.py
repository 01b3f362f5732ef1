"""The bowl into the drawer, and the drawer closed: task 3."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Planner, Waypoint, shifted
from .motions import OPENING, VIA, Waypoints, nudge, pick, place, rise, spot_for

_BOWL = "akita_black_bowl_1"
_DRAWER = "white_cabinet_1_bottom_region"
"""The inside of the drawer, which starts open; the site moves with it. Offsets below are from its centre, metres,
measured in the cabinet's model; the drawer closes along +y."""

_RIM = (0.048, 0.0, 0.040)
"""Where the fingers take the bowl's wall, from the bowl's origin: its rim is at a height of 0.052. Measured in the
bowl's model; the bowl is round, so it may be turned."""
_FLOOR = -0.026
"""Height of the drawer's floor."""
_SPOT = (-0.025, -0.013)
"""x, y where the bowl is put: the opening fingers have room beside it."""
_BEFORE_HANDLES = -0.030
"""y at which the bowl's rim passes the handles of the drawers above."""
_BELOW_HANDLES = 0.001
"""Height of the bowl's origin at which its rim is below those handles."""
_DROP = 0.004
"""Height over the drawer's floor from which the bowl is let go."""
_HANDLE = (-0.006, -0.121, -0.006)
"""Outer side of the drawer's handle."""
_INSIDE = (0.09, 0.07, 0.05)
"""Half extents of the space in which the bowl counts as put into the drawer."""
_LIFTED = 0.01
"""Height from which a bowl in the fingers counts as picked up: over the drawer's front."""

_BEFORE = 0.05
"""How far before the handle the fingers come down to push it."""
_TRAVEL = 0.17
"""How far the drawer moves at most."""
_BEYOND = 0.08
"""How far beyond that the hand aims: it pushes as a spring does, so the drawer reaches its stop with force."""
_ACROSS = 0.0
"""Yaw at which the hand lies along the cabinet's front and its fingers close along x."""
_LEANING = np.pi + 0.9
"""Roll at which the fingers reach towards the cabinet, ahead of the hand, which stays clear of the handles above."""
_CARRIED = 0.108
"""Height at which the hand is clear of the drawer, and with the bowl of what stands on the table."""


def close_with_bowl(state: SimulatorState, attempt: Attempt) -> Plan:
    """Take the bowl by its rim, put it into the open drawer, and push the drawer shut."""
    bowl, drawer = place(state, _BOWL), place(state, _DRAWER)
    carried = drawer[2] + _CARRIED
    if _BOWL in state.held and bowl[2] > drawer[2] + _LIFTED:
        return Plan(_put_in(state), preparation=True)
    if bool((abs(np.subtract(bowl, drawer)) < _INSIDE).all()):
        above_drawer = state.tcp_position[1] > drawer[1] + _HANDLE[1]
        return (rise(state, carried) if above_drawer else None) or Plan(_push(state))
    grasp = shifted(shifted(bowl, *_RIM), *nudge(attempt, 0))
    return rise(state, carried) or Plan(pick(grasp, _ACROSS, above=0.08, lift=0.13))


def _put_in(state: SimulatorState) -> Waypoints:
    """Lower the held bowl before the handles of the upper drawers, move it in under them and let it go."""
    x, y, z = place(state, _DRAWER)
    spot = x + _SPOT[0], y + _SPOT[1], z + _FLOOR + _DROP
    past = spot_for(state, _BOWL, (spot[0], y + _BEFORE_HANDLES, z + _BELOW_HANDLES))
    end = spot_for(state, _BOWL, spot)
    return (
        Waypoint((past[0], past[1], z + _CARRIED + 0.03), Grip.CLOSED, _ACROSS, tolerance=0.01),
        Waypoint(past, Grip.CLOSED, _ACROSS, speed=0.6),
        Waypoint((end[0], end[1], past[2]), Grip.CLOSED, _ACROSS, speed=0.6),
        Waypoint(end, Grip.CLOSED, _ACROSS, speed=0.5, patience=30),
        Waypoint(end, Grip.OPEN, _ACROSS, patience=1, hold=OPENING),
        Waypoint((end[0], end[1], z + _CARRIED), Grip.OPEN, _ACROSS, tolerance=VIA),
    )


def _push(state: SimulatorState) -> Waypoints:
    """Come down before the drawer's handle and push it with closed fingers until it moves no more."""
    handle = shifted(place(state, _DRAWER), *_HANDLE)
    before = shifted(handle, y=-_BEFORE)
    beyond = shifted(handle, y=_TRAVEL + _BEYOND)
    return (
        Waypoint(shifted(before, y=-0.03, z=0.12), Grip.CLOSED, _ACROSS, roll=_LEANING, tolerance=VIA),
        Waypoint(before, Grip.CLOSED, _ACROSS, roll=_LEANING, tolerance=0.01),
        Waypoint(beyond, Grip.CLOSED, _ACROSS, roll=_LEANING, speed=0.6, patience=80),
    )


PLANNERS: Mapping[str, Planner] = {
    "KITCHEN_SCENE4_put_the_black_bowl_in_the_bottom_drawer_of_the_cabinet_and_close_it": close_with_bowl,
}
"""By the task's name in the suite."""
