from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench import Unit, UsageError
from seer_bench.engine import parse_gpus, parse_shard, select_units

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


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        (None, {}, None),
        ("1/4", {}, (1, 4)),
        (None, {"RANK": "3", "WORLD_SIZE": "4"}, (3, 4)),
        ("0/2", {"RANK": "3", "WORLD_SIZE": "4"}, (0, 2)),
    ],
)
def test_shards_are_asked_for_or_told_by_a_launcher(text, environment, shard):
    assert parse_shard(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("4/4", {}, "--shard '4/4'"),
        ("x", {}, "--shard 'x'"),
        ("0/٤", {}, "--shard"),
        (None, {"RANK": "5", "WORLD_SIZE": "4"}, "RANK='5', WORLD_SIZE='4'"),
        (None, {"RANK": "0"}, "environment's RANK='0'"),
        (None, {"WORLD_SIZE": "4"}, "environment's WORLD_SIZE='4'"),
    ],
)
def test_what_is_no_shard_is_refused_where_it_came_from(text, environment, words):
    with pytest.raises(UsageError, match=words):
        parse_shard(text, environment)


def test_gpus_are_numbers():
    assert parse_gpus(None) == ()
    assert parse_gpus("0,2") == (0, 2)
    for text in ("x", "", "0,", "-1"):
        with pytest.raises(UsageError, match="--egl-devices"):
            parse_gpus(text)


@given(st.sets(st.integers(0, 19), min_size=1))
def test_any_set_of_indices_can_be_named(indices):
    assert {u.index for u in select_units(UNITS, ",".join(map(str, indices)))} == indices
