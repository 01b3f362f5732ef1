"""Mugs onto plates, gripped by the rim, and a box of pudding beside a plate; tasks 4 and 6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seer_bench import SimulatorState

from ..plan import Attempt, Plan, Planner, Point, shifted
from .motions import closing_along, in_body, nudge, pick, place, put, rise, spot_for, wait, yaw


@dataclass(frozen=True)
class _Mug:
    """Where to grip a kind of mug, and where its foot is; metres along the mug's axes, measured in its model."""

    rim: Point
    """Of the wall opposite the handle, as deep as the fingers reach down on both sides of it."""
    middle: float
    """x of the middle of its foot, which is not the origin."""


_WHITE, _YELLOW = "porcelain_mug_1", "white_yellow_mug_1"
_KINDS = {
    _WHITE: _Mug(rim=(0.056, 0.0, 0.093), middle=0.015),
    _YELLOW: _Mug(rim=(-0.061, 0.0, 0.088), middle=-0.018),
}
_PUDDING = "chocolate_pudding_1"
_RIGHT_OF_PLATE = "living_room_table_plate_right_region"

_LIFT = 0.09
"""How far mugs and pudding are raised from the table: higher than the rim of a plate."""
_CARRIED = 0.07
"""Height over where it is let go at which an object is carried there."""
_RAISED = 0.05
"""Height over a plate's origin from which an object in the fingers counts as picked up."""
_ON_PLATE = 0.022
"""Metres between the origins of mug and plate within which the mug counts as put there; 0.03 would do."""
_DROP = 0.008
"""Height over the plate's origin at which a mug's origin is when the mug is let go."""
_OFF_CENTRE = 0.4
"""Part of `_Mug.middle` by which the foot stands off the plate's middle, so that the origin comes nearer to it."""
_FROM_PLATE = 0.028
"""How far beyond the middle of its region, away from the plate, the pudding is put down."""
_PUDDING_DROP = 0.015
"""Height over the plate's origin at which the pudding's middle is when it is let go."""
_IN_REGION = 0.045
"""How far from the middle of its region the pudding may lie along x and y; 0.05 would do."""


def is_on_plate(state: SimulatorState, mug: str, plate: str) -> bool:
    """The mug stands on the plate, free of the fingers."""
    offset = state.bodies[mug].position - state.bodies[plate].position
    near = float(np.hypot(offset[0], offset[1])) < _ON_PLATE
    return mug not in state.held and near and bool(-0.005 < offset[2] < 0.02)


def two_mugs(state: SimulatorState, attempt: Attempt) -> Plan:
    """Put the white mug on the left plate and the yellow and white one on the right plate."""
    goals = {_WHITE: "plate_1", _YELLOW: "plate_2"}
    left = [(mug, plate) for mug, plate in goals.items() if not is_on_plate(state, mug, plate)]
    if not left:
        return wait(state)
    return _set_on_plate(state, *left[0], nudge(attempt, len(goals) - len(left)))


def mug_and_pudding(state: SimulatorState, attempt: Attempt) -> Plan:
    """Put the pudding to the right of the plate, then the mug on the plate, where it would be in the hand's way."""
    if not _is_beside_plate(state):
        return _set_beside_plate(state, nudge(attempt, 0))
    if not is_on_plate(state, _WHITE, "plate_1"):
        return _set_on_plate(state, _WHITE, "plate_1", nudge(attempt, 1))
    return wait(state)


def _set_on_plate(state: SimulatorState, mug: str, plate: str, shift: Point) -> Plan:
    """Grip a mug by the rim, opposite its handle, or put the one that is held on its plate."""
    kind = _KINDS[mug]
    if not _picked_up(state, mug, plate):
        return _lift(state, shifted(in_body(state, mug, kind.rim), *shift), yaw(state, mug))
    turn = yaw(state, mug)
    off = (_OFF_CENTRE - 1.0) * kind.middle
    goal = shifted(place(state, plate), off * np.cos(turn), off * np.sin(turn), _DROP)
    return _let_go(state, mug, goal)


def _set_beside_plate(state: SimulatorState, shift: Point) -> Plan:
    """Pick up the pudding, or put it down right of the plate."""
    if not _picked_up(state, _PUDDING, "plate_1"):
        return _lift(state, shifted(place(state, _PUDDING), *shift), yaw(state, _PUDDING) + np.pi / 2)
    x, y, _ = place(state, _RIGHT_OF_PLATE)
    goal = (x, y + _FROM_PLATE, place(state, "plate_1")[2] + _PUDDING_DROP)
    return _let_go(state, _PUDDING, goal)


def _lift(state: SimulatorState, grasp: Point, closing: float) -> Plan:
    """Grip what is at `grasp` by closing the fingers along a direction, and raise it."""
    return rise(state, grasp[2] + _LIFT) or Plan(pick(grasp, closing_along(closing), above=_LIFT, lift=_LIFT))


def _let_go(state: SimulatorState, name: str, goal: Point) -> Plan:
    """Carry the held object on at its present height, and lower its origin to `goal`."""
    spot = spot_for(state, name, goal)
    return Plan(put(spot, float(state.tcp_euler[2]), over=spot[2] + _CARRIED), preparation=True)


def _picked_up(state: SimulatorState, name: str, plate: str) -> bool:
    """The object is in the fingers and over the plates' height."""
    return name in state.held and place(state, name)[2] > place(state, plate)[2] + _RAISED


def _is_beside_plate(state: SimulatorState) -> bool:
    """The pudding lies right of the plate, free of the fingers."""
    offset = np.abs(state.bodies[_PUDDING].position - state.bodies[_RIGHT_OF_PLATE].position)[:2]
    return _PUDDING not in state.held and bool((offset < _IN_REGION).all())


PLANNERS: Mapping[str, Planner] = {
    "LIVING_ROOM_SCENE5_put_the_white_mug_on_the_left_plate_and_put_the_yellow_and_white_mug_on_the_right_plate": (
        two_mugs
    ),
    "LIVING_ROOM_SCENE6_put_the_white_mug_on_the_plate_and_put_the_chocolate_pudding_to_the_right_of_the_plate": (
        mug_and_pudding
    ),
}
"""By the task's name in the suite."""
