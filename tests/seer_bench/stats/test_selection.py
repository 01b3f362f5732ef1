from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from statsmodels.stats.proportion import proportion_confint

from seer_bench.stats import Selection, select_best


def outcomes(rates, n: int, rng: np.random.Generator, shared: float = 0.5):
    """Outcomes (m, n) of checkpoints with these rates on n units that share their difficulty."""
    ability = math.sqrt(shared) * rng.standard_normal(n) + math.sqrt(1 - shared) * rng.standard_normal((len(rates), n))
    return ability < ndtri(rates)[:, None]


def test_best_and_all() -> None:
    result = select_best(scores=[[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]], best=2)
    assert result.chosen == (1, 3)
    assert result.selected.value == 0.75
    assert result.unselected.value == 0.5625
    assert result.selected.low < 0.75 < result.selected.high
    assert result.unselected.low < 0.5625 < result.unselected.high


@pytest.mark.parametrize(
    ("rates", "n"),
    [([0.5] * 20, 200), ([0.9] * 10, 200), ([0.97] * 10, 60), (list(np.linspace(0.85, 0.9, 10)), 1000)],
    ids=["equal", "equal and high", "few units", "a little different"],
)
def test_interval_holds_the_chosen_checkpoints_true_mean_and_the_naive_one_does_not(rates, n: int) -> None:
    """300 times the best 3 of m: the share of intervals that hold the true mean of those chosen."""
    rng = np.random.default_rng(1)
    held = naive = unselected = 0
    added, bound = [], []
    for i in range(300):
        scores = outcomes(rates, n, rng)
        result = select_best(scores=scores, best=3, resamples=1000, seed=i)
        truth = np.mean([rates[row] for row in result.chosen])
        held += result.selected.low <= truth <= result.selected.high
        unselected += result.unselected.low <= np.mean(rates) <= result.unselected.high
        error = scores[list(result.chosen)].mean(axis=0).std(ddof=1) / math.sqrt(n)
        naive += abs(result.selected.value - truth) <= 1.96 * error
        added.append(result.selected.value - truth)
        bound.append(result.optimism)
    assert held / 300 > 0.95
    assert naive / 300 < 0.9
    assert unselected / 300 > 0.92
    if len(set(rates)) == 1:
        assert np.mean(bound) == pytest.approx(np.mean(added), rel=0.15)
    else:
        assert np.mean(bound) > np.mean(added)


def test_interval_is_not_needlessly_wide() -> None:
    """With equal checkpoints the low end fails about as often as it may: half of 5 %."""
    rng = np.random.default_rng(2)
    lows = [
        select_best(scores=outcomes([0.5] * 20, 500, rng), best=3, resamples=1000, seed=i).selected.low
        for i in range(400)
    ]
    assert 0.005 < np.mean(np.array(lows) > 0.5) < 0.05


@pytest.mark.parametrize(
    ("rates", "n"), [([0.5, 0.9, 0.9], 200), (list(np.linspace(0.5, 0.9, 20)), 200), ([0.2, 0.99], 50)]
)
def test_high_end_needs_no_allowance(rates, n: int) -> None:
    rng = np.random.default_rng(3)
    above = 0
    for i in range(400):
        result = select_best(scores=outcomes(rates, n, rng, shared=0.2), best=1, resamples=500, seed=i)
        above += rates[result.chosen[0]] > result.selected.high
    assert above / 400 < 0.05


def test_chains_of_tasks_that_differ() -> None:
    """Scores 0 to 5 in strata: coverage, and an interval narrower than without the strata."""
    rng = np.random.default_rng(5)
    tasks = np.repeat(np.arange(10), 20)
    ease = np.repeat(np.linspace(0.02, 0.98, 10), 20)
    held, narrower = 0, []
    for i in range(200):
        scores = rng.binomial(5, ease, size=(6, 200))
        result = select_best(scores=scores, best=3, top=5, strata=tasks, resamples=1000, seed=i)
        plain = select_best(scores=scores, best=3, top=5, resamples=1000, seed=i)
        held += result.selected.low <= 2.5 <= result.selected.high
        narrower.append((result.selected.high - result.selected.low) / (plain.selected.high - plain.selected.low))
    assert held / 200 > 0.93
    assert np.mean(narrower) < 0.7


@pytest.mark.parametrize(("solved", "n"), [(0, 50), (13, 50), (200, 200), (431, 1000)])
def test_without_a_choice_it_is_agresti_and_coulls_interval(solved: int, n: int) -> None:
    scores = np.arange(n) < solved
    low, high = proportion_confint(solved, n, method="agresti_coull")
    for m in (1, 3):
        result = select_best(scores=np.tile(scores, (m, 1)), best=m)
        assert result.selected == result.unselected
        assert result.selected.value == solved / n
        # The spread is divided by n - 1 here and by n there.
        assert result.selected[1:] == pytest.approx((max(0, low), min(1, high)), abs=2e-3)
        assert result.optimism == 0


def test_optimism_is_the_mean_of_the_larger_of_two_errors() -> None:
    """Two checkpoints whose outcomes have nothing to do with one another: sigma / sqrt(pi)."""
    scores = [[0, 1, 0, 1] * 10, [0, 0, 1, 1] * 10]
    result = select_best(scores=scores, best=1, resamples=200_000)
    assert result.optimism == pytest.approx(math.sqrt(0.25 / 39 / math.pi), rel=0.007)


def test_spread_within_strata_is_unbiased_by_hand() -> None:
    """Twenty tasks with one success and one failure each: each mean has the variance 0.25, theirs 0.25 / 20."""
    _, low, high = select_best(scores=[[0, 1] * 20], best=1, strata=np.repeat(np.arange(20), 2)).selected
    z = 1.9599640
    half = z * math.sqrt(40**2 * 0.25 / 20 + z**2 * 0.25) / (40 + z**2)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


def test_a_stratum_with_one_unit_is_as_wide_as_no_strata() -> None:
    scores = np.random.default_rng(0).integers(0, 2, (1, 30))
    plain = select_best(scores=scores[:, :29], best=1)
    strata = select_best(scores=scores[:, :29], best=1, strata=[0] * 28 + [1])
    assert strata.selected.high - strata.selected.low == pytest.approx(
        plain.selected.high - plain.selected.low, rel=0.1
    )


def test_checkpoints_that_are_the_same_leave_nothing_to_choose() -> None:
    scores = np.tile(np.arange(100) % 3 == 0, (8, 1))
    result = select_best(scores=scores, best=3, resamples=50_000)
    assert result.optimism == pytest.approx(0, abs=5e-4)
    assert result.selected == pytest.approx(result.unselected, abs=2e-3)


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[st.integers(0, 5)] * m), min_size=1, max_size=12)),
    st.integers(1, 4),
    st.randoms(),
)
def test_units_in_any_order_give_the_same_ends_in_range(units, best: int, random) -> None:
    best = min(best, len(units[0]))

    def result(labelled) -> Selection:
        scores = 0.1 * np.array([unit for unit, _ in labelled]).T  # tenths, whose sums round
        return select_best(scores=scores, best=best, top=0.5, strata=[label for _, label in labelled], resamples=20)

    labelled = [(unit, "abc"[i % 3]) for i, unit in enumerate(units)]
    first = result(labelled)
    random.shuffle(labelled)
    assert result(labelled) == first
    assert 0 <= first.selected.low <= first.selected.high <= 0.5
    assert first.selected.value >= first.unselected.value - 1e-12
    assert not np.isnan([*first.selected, *first.unselected, first.optimism]).any()


def test_another_seed_moves_the_low_end_a_little() -> None:
    scores = outcomes([0.8] * 10, 200, np.random.default_rng(0))
    ends = np.array([select_best(scores=scores, best=3, seed=seed).selected.low for seed in range(5)])
    assert 0 < np.ptp(ends) < 0.003


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scores": [1, 0], "best": 1}, r"shape \(2,\)"),
        ({"scores": np.zeros((3, 0)), "best": 1}, "at least one of each"),
        ({"scores": [[0, 1]], "best": 2}, "best is 2 of 1 checkpoints"),
        ({"scores": [[0, 1]], "best": 0}, "expected 1 to 1"),
        ({"scores": [[0, 3]], "best": 1}, "from 0.0 to 3.0; expected 0 to 1"),
        ({"scores": [[0, math.nan]], "best": 1}, "expected 0 to 1"),
        ({"scores": [[0, 1]], "best": 1, "top": 0}, "top is 0"),
        ({"scores": [[0, 1]], "best": 1, "strata": ["a"]}, "one label for each of the 2 units"),
        ({"scores": [[0, 1]], "best": 1, "confidence": 95}, "between 0 and 1"),
        ({"scores": [[0, 1]], "best": 1, "resamples": 0}, "resamples is 0"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        select_best(**arguments)
