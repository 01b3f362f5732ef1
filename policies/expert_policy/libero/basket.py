"""Groceries into the basket: tasks 0, 1 and 7."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Plan, Planner, shifted
from .grasping import Grasp, roomiest
from .motions import FORWARD, closing_along, nudge, pick, place, put, rise, wait, yaw

_BASKET = "basket_1_contain_region"
_CARRIED = 0.29
"""Height over the table at which the gripper and what it holds pass over everything that stands there."""
_INSIDE = (0.06, 0.06, 0.07)
"""Half extents of the part of the basket's region in which an object counts as put there."""
_LET_GO = 0.13
"""Height of the gripper over the region's centre when it lets go: fingers clear of the rim."""
_LIFTED = 0.08
"""Height over the table from which an object in the fingers counts as picked up."""
_BOXES = ("cream_cheese_1", "butter_1")
"""Flat boxes, longer along their x axis than the fingers can span; the cans are round and stand."""
_ALONG = (0.0, 0.012, -0.012, 0.022, -0.022)
"""Where along a box it may be gripped, metres from its middle."""
_ASKEW = tuple(np.radians((0, 20, -20, 40, -40)))
"""How far from square to it, radians: the closing fingers turn it."""
_AROUND = tuple(np.radians((0, 30, -30, 60, -60, 90)))
"""How a can may be gripped, radians away from the easiest yaw."""


def fill(state: SimulatorState, attempt: Attempt, objects: tuple[str, ...]) -> Plan:
    """Put each object into the basket, one after another."""
    table = place(state, "basket_1")[2]
    left = [name for name in objects if not _inside(state, name)]
    if not left:
        return rise(state, table + _CARRIED) or wait(state)
    name = left[0]
    if name in state.held and place(state, name)[2] > table + _LIFTED:
        x, y, z = place(state, _BASKET)
        return Plan(put((x, y, z + _LET_GO), float(state.tcp_euler[2]), over=table + _CARRIED), preparation=True)
    if away := rise(state, table + _CARRIED):
        return away
    grasp = roomiest(state, name, _grasps(state, name))
    target = shifted(grasp.position, *nudge(attempt, len(objects) - len(left)))
    height = table + _CARRIED - target[2]
    return Plan(pick(target, grasp.yaw, above=height, lift=height))


def _grasps(state: SimulatorState, name: str) -> list[Grasp]:
    """How the object can be gripped, the easiest way first."""
    origin = place(state, name)
    if name not in _BOXES:
        return [Grasp(origin, closing_along(FORWARD + angle)) for angle in _AROUND]
    along = yaw(state, name)
    spots = [shifted(origin, offset * np.cos(along), offset * np.sin(along)) for offset in _ALONG]
    return [Grasp(spot, closing_along(along + np.pi / 2 + angle)) for angle in _ASKEW for spot in spots]


def _inside(state: SimulatorState, name: str) -> bool:
    """The object's origin is within the basket, and it is not held any more."""
    offset = abs(state.bodies[name].position - state.bodies[_BASKET].position)
    return name not in state.held and bool((offset < _INSIDE).all())


PLANNERS: Mapping[str, Planner] = {
    "LIVING_ROOM_SCENE2_put_both_the_alphabet_soup_and_the_tomato_sauce_in_the_basket": partial(
        fill, objects=("alphabet_soup_1", "tomato_sauce_1")
    ),
    "LIVING_ROOM_SCENE2_put_both_the_cream_cheese_box_and_the_butter_in_the_basket": partial(
        fill, objects=("cream_cheese_1", "butter_1")
    ),
    "LIVING_ROOM_SCENE1_put_both_the_alphabet_soup_and_the_cream_cheese_box_in_the_basket": partial(
        fill, objects=("alphabet_soup_1", "cream_cheese_1")
    ),
}
"""By the task's name in the suite."""
