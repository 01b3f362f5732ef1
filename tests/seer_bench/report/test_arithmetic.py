from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench.report import arithmetic

chains = st.lists(st.integers(0, 5), min_size=1, max_size=400)


@given(chains)
def test_rounded_rates_of_real_chains_always_agree_with_their_rounded_length(solved: list[int]):
    rates = [100 * sum(n >= i for n in solved) / len(solved) for i in range(1, 6)]
    printed = round(sum(solved) / len(solved), 2)
    assert arithmetic.first_rise(rates) is None
    computed = arithmetic.average_length([round(rate, 1) for rate in rates])
    assert arithmetic.agrees(printed, computed, arithmetic.length_slack(5))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_whole_number_of_trials_is_a_rounded_share(solved_of: tuple[int, int]):
    solved, trials = solved_of
    assert arithmetic.is_rounded_share(round(100 * solved / trials, 1), trials)


def test_cut_rates_and_foreign_steps_are_no_shares():
    assert not arithmetic.is_rounded_share(66.6, 60)  # 40 of 60 are 66.7
    assert not arithmetic.is_rounded_share(50.0, 15)
    assert arithmetic.is_rounded_share(46.7, 15)


@pytest.mark.parametrize(
    ("rates", "rise"),
    [([3.0, 2.0, 1.0], None), ([3.0, 3.0], None), ([3.0, 2.0, 2.1], 2), ([3.0, None, 3.1], 2), ([], None)],
)
def test_a_rise_is_found_across_unknown_rates(rates: list[float | None], rise: int | None):
    assert arithmetic.first_rise(rates) == rise


def test_unknown_values_make_a_list_incomplete():
    assert arithmetic.complete([1.0, 2.0]) == (1.0, 2.0)
    assert arithmetic.complete([1.0, None]) is None
