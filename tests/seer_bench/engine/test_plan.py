from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench import Unit, UsageError
from seer_bench.engine import select_units

UNITS = [Unit(f"p:unit={i}", i) for i in range(20)]


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        (None, list(range(20))),
        ("17", [17]),
        ("0:3", [0, 1, 2]),
        (":2,18:", [0, 1, 18, 19]),
        ("5, 3, 3:5", [3, 4, 5]),
    ],
)
def test_selects_what_is_named_in_the_protocols_order(text, indices):
    assert [u.index for u in select_units(UNITS, text)] == indices


@pytest.mark.parametrize("text", ["", "x", "3:2", "0:21", "20", "-1", "1:2:3", "4:4", "1;2", "١", "٠:٣", "１"])
def test_refuses_what_selects_nothing_or_too_much(text):
    with pytest.raises(UsageError, match="--units"):
        select_units(UNITS, text)


@given(st.sets(st.integers(0, 19), min_size=1))
def test_any_set_of_indices_can_be_named(indices):
    assert {u.index for u in select_units(UNITS, ",".join(map(str, indices)))} == indices
