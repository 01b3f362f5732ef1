"""Where the 1000 chains come from: a random walk through symbolic states.

For every initial state, five distinct tasks are drawn until enough draws are feasible one after another and of
five distinct categories. Source: `multistep_sequences` of the CALVIN repository. Running the benchmark uses the
shipped list; this module shows that the list is what it claims to be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Any

import numpy as np

from .chains import STATE_FIELDS, Chain, InitialState

COLOURS = ("red", "blue", "pink")
SHELVES = ("slider_right", "slider_left")

State = dict[str, Any]
"""Values by field of `InitialState`; blocks may also be in the drawer, grasped or stacked."""

Rule = tuple[Mapping[str, tuple[Any, ...]], State]
"""Allowed values by field, and the fields that the task then sets."""


def initial_states() -> list[InitialState]:
    """The 192 states that chains start from, in generator order."""
    places = ("table", *SHELVES)
    product = itertools.product((0, 1), (0, 1), ("right", "left"), ("closed", "open"), places, places, places, (0,))
    states = [InitialState(*values) for values in product]
    return [state for state in states if _placeable([state.red_block, state.blue_block, state.pink_block])]


def generate_chains(count: int = 1000) -> list[Chain]:
    """Generate the benchmark's list; takes about half a minute for 1000 chains."""
    states = initial_states()
    shares = [len(share) for share in np.array_split(np.arange(count), len(states))]
    drawn = [(states[i], tasks) for i, share in enumerate(shares) for tasks in sequences(i, share)]
    _legacy_random(0).shuffle(drawn)  # type: ignore[arg-type]  # any mutable sequence will do
    return [Chain(index, state, tasks) for index, (state, tasks) in enumerate(drawn)]


def sequences(state_index: int, count: int) -> list[tuple[str, ...]]:
    """Draw `count` feasible task sequences for one of `initial_states()`."""
    state = dict(zip(STATE_FIELDS, astuple(initial_states()[state_index]), strict=True))
    rng = _legacy_random(state_index)
    found: list[tuple[str, ...]] = []
    while len(found) < count:
        # Equal to choice(tasks, 5, replace=False), which draws in this way.
        draw = rng.permutation(len(_NAMES))[:5].tolist()
        if len({_CATEGORIES[i] for i in draw}) == 5 and _feasible(state, draw):
            found.append(tuple(_NAMES[i] for i in draw))
    return found


def _placeable(places: list[str]) -> bool:
    """One or two blocks on the table, at most one on each shelf."""
    return 1 <= places.count("table") <= 2 and all(places.count(shelf) <= 1 for shelf in SHELVES)


def _feasible(state: State, tasks: Iterable[int]) -> bool:
    """Whether each task in turn can be done in exactly one way."""
    for task in tasks:
        effects = [effect for condition, effect in _RULES[task] if _holds(condition, state)]
        if len(effects) != 1:
            return False
        state = state | effects[0]
    return True


def _holds(condition: Mapping[str, tuple[Any, ...]], state: State) -> bool:
    return all(state[field] in allowed for field, allowed in condition.items())


def _legacy_random(seed: int) -> np.random.RandomState:
    return np.random.RandomState(seed)  # the list was drawn with numpy's legacy generator


# --- the tasks: name, category and rules, in the order that the draws number them --------------------------------


def _tasks() -> Iterator[tuple[str, int, list[Rule]]]:
    for verb, colour, side in itertools.product(("rotate", "push"), COLOURS, ("right", "left")):
        yield f"{verb}_{colour}_block_{side}", 1, [_rule({f"{colour}_block": "table"}, {})]
    yield "move_slider_left", 2, [_rule({"slider": "right"}, {"slider": "left"})]
    yield "move_slider_right", 2, [_rule({"slider": "left"}, {"slider": "right"})]
    yield "open_drawer", 3, [_rule({"drawer": "closed"}, {"drawer": "open"})]
    yield "close_drawer", 3, [_rule({"drawer": "open"}, {"drawer": "closed"})]
    for colour in COLOURS:
        block = f"{colour}_block"
        held = {block: "grasped", "grasped": 1}
        behind_door = [_rule({block: f"slider_{a}", "slider": b}, held) for a, b in _OPPOSITE]
        yield f"lift_{colour}_block_table", 4, [_rule({block: "table"}, held)]
        yield f"lift_{colour}_block_slider", 5, behind_door
        yield f"lift_{colour}_block_drawer", 6, [_rule({block: "drawer", "drawer": "open"}, held)]
    yield (
        "place_in_slider",
        7,
        [
            _placing(block, {"slider": side}, {block: f"slider_{side}"})
            for block, side in itertools.product(_BLOCKS, ("right", "left"))
        ],
    )
    yield "place_in_drawer", 7, [_placing(block, {"drawer": "open"}, {block: "drawer"}) for block in _BLOCKS]
    yield (
        "stack_block",
        10,
        [_placing(top, {bottom: "table"}, {top: "stacked_top", bottom: "stacked_bottom"}) for top, bottom in _PAIRS],
    )
    yield (
        "unstack_block",
        11,
        [
            _rule({top: "stacked_top", bottom: "stacked_bottom"}, {top: "table", bottom: "table"})
            for top, bottom in _PAIRS
        ],
    )
    for light in ("lightbulb", "led"):
        yield f"turn_on_{light}", 8, [_rule({light: 0}, {light: 1})]
        yield f"turn_off_{light}", 8, [_rule({light: 1}, {light: 0})]
    yield (
        "push_into_drawer",
        9,
        [
            _rule({block: "table", **dict.fromkeys(_others(block), SHELVES), "drawer": "open"}, {block: "drawer"})
            for block in _BLOCKS
        ],
    )


def _rule(condition: Mapping[str, Any], effect: State, grasped: int = 0) -> Rule:
    """A rule whose condition maps fields to one value or a tuple of values."""
    wanted = {field: value if isinstance(value, tuple) else (value,) for field, value in condition.items()}
    return {**wanted, "grasped": (grasped,)}, effect


def _placing(block: str, condition: Mapping[str, Any], effect: State) -> Rule:
    """A rule for putting down the block that the robot holds."""
    return _rule({block: "grasped", **condition}, {**effect, "grasped": 0}, grasped=1)


def _others(block: str) -> list[str]:
    return [other for other in _BLOCKS if other != block]


_BLOCKS = tuple(f"{colour}_block" for colour in COLOURS)
_PAIRS = tuple(itertools.permutations(_BLOCKS, 2))
_OPPOSITE = (("left", "right"), ("right", "left"))
_NAMES, _CATEGORIES, _RULES = zip(*_tasks(), strict=True)
