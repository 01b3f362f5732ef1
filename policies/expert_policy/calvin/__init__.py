"""How to solve each of CALVIN's 34 tasks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from seer_bench import SimulatorState

from ..plan import Attempt, Plan, Planner
from . import blocks, doors, lights, placing
from .motions import clear

__all__ = ["PLANNERS"]

_COLOURS = ("red", "blue", "pink")
_SURFACES = ("table", "slider", "drawer")


def _from_clear(planner: Planner) -> Planner:
    """The same planner, asked once the gripper is empty and clear of everything."""

    def plan(state: SimulatorState, attempt: Attempt) -> Plan:
        return clear(state) or planner(state, attempt)

    return plan


def _planners() -> dict[str, Planner]:
    """Every task by its name in CALVIN."""
    planners: dict[str, Planner] = {}
    for colour in _COLOURS:
        block = f"block_{colour}"
        for surface in _SURFACES:
            planners[f"lift_{colour}_block_{surface}"] = partial(blocks.lift, block=block)
        for side, sign in (("left", 1), ("right", -1)):
            planners[f"rotate_{colour}_block_{side}"] = partial(blocks.rotate, block=block, sign=sign)
            planners[f"push_{colour}_block_{side}"] = partial(blocks.push, block=block, sign=-sign)
    planners |= {
        "move_slider_left": partial(doors.move_slider, sign=1),
        "move_slider_right": partial(doors.move_slider, sign=-1),
        "open_drawer": doors.open_drawer,
        "close_drawer": doors.close_drawer,
        "turn_on_led": lights.press_button,
        "turn_off_led": lights.press_button,
        "turn_on_lightbulb": lights.switch_on,
        "turn_off_lightbulb": lights.switch_off,
        "unstack_block": blocks.unstack,
    }
    carrying: dict[str, Planner] = {
        "place_in_drawer": placing.place_in_drawer,
        "place_in_slider": placing.place_in_slider,
        "stack_block": placing.stack,
        "push_into_drawer": placing.push_into_drawer,
    }
    return {name: _from_clear(planner) for name, planner in planners.items()} | carrying


PLANNERS: Mapping[str, Planner] = _planners()
