"""The generator reproduces the shipped list."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from calvin_benchmark.chains import load_chains
from calvin_benchmark.generator import generate_chains, initial_states, sequences


def shipped_by_state():
    """The shipped sequences of each state, in the order in which they were drawn."""
    order = list(range(1000))
    np.random.RandomState(0).shuffle(order)
    drawn = sorted(zip(order, load_chains(), strict=True), key=lambda pair: pair[0])
    by_state = {}
    for _, chain in drawn:
        by_state.setdefault(chain.initial_state, []).append(chain.subtasks)
    return by_state


def test_the_states_are_those_of_the_list():
    states = initial_states()
    assert len(set(states)) == 192
    assert list(shipped_by_state()) == states


@pytest.mark.parametrize("index", [0, 1, 39, 40, 77, 120, 191])
def test_the_sequences_of_a_state_are_those_of_the_list(index):
    expected = shipped_by_state()[initial_states()[index]]
    assert len(expected) == (6 if index < 40 else 5)
    assert sequences(index, len(expected)) == expected


def test_no_state_has_two_blocks_on_one_shelf():
    for state in initial_states():
        places = [asdict(state)[f"{colour}_block"] for colour in ("red", "blue", "pink")]
        assert 1 <= places.count("table") <= 2
        assert max(places.count("slider_left"), places.count("slider_right")) <= 1


@pytest.mark.slow
def test_the_whole_list_is_reproduced():
    assert generate_chains() == list(load_chains())
