"""Moka pots onto the stove: gripping one by its handle and setting it down; task 8."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Plan, Planner, Point, shifted
from .motions import closing_along, in_body, nudge, pick, place, put, rise, spot_for, wait, yaw

COOK_REGION = "flat_stove_1_cook_region"

_HANDLE: Point = (0.0, 0.068, 0.045)
"""The middle of the handle's upright part, from the pot's origin, along the pot's axes."""
_STANDING = 0.0915
"""Height of the origin over the cook region's site of a pot that stands on the stove."""
_DROP = 0.004
"""Height over the stove at which a pot is let go."""
_LIFT = 0.12
"""How far a pot is raised from the table: over the stove, and over another pot's foot."""
_CARRIED = 0.09
"""Height over where it is let go at which a pot is carried there."""
_RAISED = 0.06
"""Height of the origin over that of a pot on the table from which the pot counts as picked up."""
_TABLE = 0.061
"""Height of the origin over the cook region's site of a pot that stands on the table."""
_MARGIN = (0.068, 0.068, 0.02)
"""How far from its place on the stove, in the region, a pot's origin may be and counts as put there."""
_APART = 0.046
"""Half the distance along x between two pots on the stove."""


def is_on_stove(state: SimulatorState, pot: str) -> bool:
    """The pot stands on the stove, free of the fingers."""
    x, y, z = place(state, COOK_REGION)
    offset = np.abs(state.bodies[pot].position - (x, y, z + _STANDING))
    return pot not in state.held and bool((offset < _MARGIN).all())


def set_on_stove(state: SimulatorState, pot: str, along: float, shift: Point) -> Plan:
    """One pot from the table to the stove: to be asked again until `is_on_stove`.

    Args:
        state: what is where.
        pot: the pot's name.
        along: where it is to stand, in metres from the middle of the stove along x.
        shift: displacement of the grasp, for retries.
    """
    x, y, z = place(state, COOK_REGION)
    turn = closing_along(yaw(state, pot))
    if pot in state.held and place(state, pot)[2] > z + _TABLE + _RAISED:
        spot = spot_for(state, pot, (x + along, y, z + _STANDING + _DROP))
        return Plan(put(spot, float(state.tcp_euler[2]), over=spot[2] + _CARRIED), preparation=True)
    handle = in_body(state, pot, _HANDLE)
    if away := rise(state, handle[2] + _LIFT):
        return away
    return Plan(pick(shifted(handle, *shift), turn, above=_LIFT, lift=_LIFT))


def both(state: SimulatorState, attempt: Attempt) -> Plan:
    """Put both pots on the stove, side by side, the one that stands further away first."""
    pots = ("moka_pot_1", "moka_pot_2")
    left = [pot for pot in pots if not is_on_stove(state, pot)]
    if not left:
        return wait(state)
    pot = max(left, key=lambda pot: place(state, pot)[0])
    middle = place(state, COOK_REGION)[0]
    far_side_taken = any(place(state, other)[0] > middle for other in pots if other not in left)
    return set_on_stove(state, pot, -_APART if far_side_taken else _APART, nudge(attempt, len(pots) - len(left)))


PLANNERS: Mapping[str, Planner] = {"KITCHEN_SCENE8_put_both_moka_pots_on_the_stove": both}
"""By the task's name in the suite."""
