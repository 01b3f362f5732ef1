"""The book into the back compartment of the desk caddy: task 5."""

from __future__ import annotations

from collections.abc import Mapping

from seer_bench import SimulatorState

from ..plan import Attempt, Grip, Plan, Planner, Waypoint, shifted
from .motions import OPENING, VIA, Waypoints, closing_along, in_body, nudge, pick, place, rise, yaw

_BOOK = "black_book_1"
_COMPARTMENT = "desk_caddy_1_back_contain_region"

_GRASP = (0.0, -0.0122, 0.119)
"""Where the fingers take the upright book, along its own axes: in the middle of its upper edge, as deep as the palm
allows. It is 2.9 cm thick along x, 11 cm wide along y and 13.4 cm high. Measured in the book's model."""
_ACROSS = 0.0
"""Yaw at which the held book stands along the compartment, which is 6 cm deep along x and 12.9 cm wide along y."""
_WALL = 0.083
"""Height of the compartment's highest walls over its region's centre. Measured in the caddy's model."""
_CLEAR = 0.02
"""How far above them the book is carried."""
_LIFTED = -0.02
"""Height of the book's origin, which is at its foot, over the region's centre from which it counts as picked up."""
_ABOVE = 0.06


def put_book(state: SimulatorState, attempt: Attempt) -> Plan:
    """Take the book across its thickness, carry it over the compartment and lower it in."""
    book, compartment = place(state, _BOOK), place(state, _COMPARTMENT)
    over = compartment[2] + _WALL + _CLEAR
    if _BOOK in state.held and book[2] > compartment[2] + _LIFTED:
        return Plan(_lower(state, over), preparation=True)
    grasp = shifted(in_body(state, _BOOK, _GRASP), *nudge(attempt, 0))
    turn = closing_along(yaw(state, _BOOK))
    return rise(state, grasp[2] + _ABOVE) or Plan(pick(grasp, turn, above=_ABOVE, lift=over - book[2]))


def _lower(state: SimulatorState, over: float) -> Waypoints:
    """Turn the held book along the compartment, lower it between the walls and let it go.

    The hand holds the middle of the book, so it goes to the middle of the compartment however the book is turned.
    """
    x, y, z = place(state, _COMPARTMENT)
    above, down = (x, y, over + _GRASP[2]), (x, y, z + _GRASP[2])
    return (
        Waypoint(above, Grip.CLOSED, _ACROSS, tolerance=0.008, patience=90),
        Waypoint(down, Grip.CLOSED, _ACROSS, speed=0.4),
        Waypoint(down, Grip.OPEN, _ACROSS, patience=1, hold=OPENING),
        Waypoint(above, Grip.OPEN, _ACROSS, tolerance=VIA),
    )


PLANNERS: Mapping[str, Planner] = {
    "STUDY_SCENE1_pick_up_the_book_and_place_it_in_the_back_compartment_of_the_caddy": put_book,
}
"""By the task's name in the suite."""
