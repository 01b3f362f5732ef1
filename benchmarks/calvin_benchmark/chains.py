"""The 1000 chains of the ABC-D benchmark: initial states, five subtasks each, and the sentences.

The list is a fact of the benchmark and ships as data; `generator` shows where it comes from.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple, dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.protocol import fingerprint


@dataclass(frozen=True)
class InitialState:
    """The symbolic state that a chain starts from; field order is part of the random seed."""

    led: int
    """1 is on."""
    lightbulb: int
    slider: str
    """`left` or `right`."""
    drawer: str
    """`open` or `closed`."""
    red_block: str
    """`table`, `slider_left` or `slider_right` (the cabinet's shelf)."""
    blue_block: str
    pink_block: str
    grasped: int
    """Always 0 at the start of a chain."""


STATE_FIELDS = tuple(field.name for field in fields(InitialState))


@dataclass(frozen=True)
class Chain:
    """One evaluation chain."""

    index: int
    """Position in the benchmark's list, 0 to 999."""
    initial_state: InitialState
    subtasks: tuple[str, ...]
    """Five task names, to be solved in this order."""


@lru_cache(maxsize=1)
def load_chains() -> tuple[Chain, ...]:
    """Return the 1000 chains in the benchmark's order."""
    rows = _read("chains.json")["chains"]
    return tuple(Chain(i, InitialState(*state), tuple(tasks)) for i, (state, tasks) in enumerate(rows))


@lru_cache(maxsize=1)
def load_sentences() -> dict[str, str]:
    """Return the instruction of each of the 34 tasks used for evaluation, by task name."""
    sentences: dict[str, str] = _read("sentences.json")["sentences"]
    return dict(sentences)


def chains_sha256() -> str:
    """SHA-256 of the chains (states and subtasks), however their file is laid out."""
    return fingerprint([asdict(chain) for chain in load_chains()])


def sentences_sha256() -> str:
    """SHA-256 of the tasks and their sentences, however their file is laid out."""
    return fingerprint(load_sentences())


def initial_state_vectors(state: InitialState) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return robot_obs (15,) and scene_obs (24,) to reset scene D to, as the benchmark draws them.

    The block yaws, and which block takes which place on the table, are random but fixed by the state: the
    seed is a hash of its values. The global random state is left alone.
    """
    facts = _read("initial_states.json")
    rng = np.random.RandomState(_fnv1(f"dict_values({list(astuple(state))})"))
    slots = [np.array(slot) for slot in facts["table_slots"]]
    rng.shuffle(slots)
    scene = np.zeros(24)
    scene[0] = facts["slide_left"] if state.slider == "left" else 0.0
    scene[1] = facts["drawer_open"] if state.drawer == "open" else 0.0
    scene[3] = facts["switch_up"] if state.lightbulb else 0.0
    scene[4:6] = state.lightbulb, state.led
    table_slot = {
        "red_block": slots[0],
        "blue_block": slots[1] if state.red_block == "table" else slots[0],
        "pink_block": slots[1],
    }
    for i, (block, slot) in enumerate(table_slot.items()):
        place = getattr(state, block)
        pose = scene[6 + 6 * i : 12 + 6 * i]
        pose[:3] = slot if place == "table" else facts[place]
        pose[5] = rng.uniform(math.pi / 2 - math.pi / 8, math.pi / 2 + math.pi / 8)
    return np.array(facts["robot_obs"]), scene


def _fnv1(text: str) -> int:
    """32-bit FNV-1 from the offset 0 over UTF-16-LE, which is what pyhash 0.9.3 computes."""
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value


@cache
def _read(name: str) -> Any:
    return json.loads(files(__package__).joinpath("data", name).read_text(encoding="utf-8"))
