from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import binom, permutation_test
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from seer_bench.stats import (
    Estimate,
    Pairs,
    Permutation,
    bootstrap_mean,
    count_pairs,
    mcnemar,
    paired_bootstrap,
    paired_difference,
    sign_flip_test,
    stratified_paired_difference,
    unpaired_difference,
    wilson,
)

tables = st.tuples(*[st.integers(0, 60)] * 4).map(Pairs._make).filter(lambda pairs: pairs.n > 0)
score_differences = st.lists(st.integers(-5, 5), max_size=12)


def test_pairs_are_counted() -> None:
    pairs = count_pairs(a=[True, True, True, False, False], b=np.array([1, 1, 0, 1, 0]))
    assert pairs == Pairs(both=2, only_a=1, only_b=1, neither=1)
    assert pairs.n == 5
    assert count_pairs(a=[], b=[]) == Pairs(0, 0, 0, 0)


@pytest.mark.parametrize(("a", "b", "words"), [([1], [1, 0], r"\(1,\) and b \(2,\)"), ([2], [1], "neither 0 nor 1")])
def test_outcomes_that_do_not_pair_are_refused(a: list, b: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        count_pairs(a=a, b=b)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_statsmodels(only_a: int, only_b: int) -> None:
    theirs = statsmodels_mcnemar([[7, only_a], [only_b, 3]], exact=True).pvalue
    assert mcnemar(only_a=only_a, only_b=only_b) == pytest.approx(theirs, rel=1e-9)


def test_mcnemar_at_its_limits() -> None:
    assert mcnemar(only_a=0, only_b=0) == 1
    assert mcnemar(only_a=4, only_b=4) == 1
    assert mcnemar(only_a=5, only_b=0) > 0.05 > mcnemar(only_a=0, only_b=6)
    with pytest.raises(ValueError, match="only_b is -1"):
        mcnemar(only_a=1, only_b=-1)


def test_mcnemar_keeps_its_level() -> None:
    for pairs in range(1, 150):
        p_values = np.array([mcnemar(only_a=k, only_b=pairs - k) for k in range(pairs + 1)])
        assert binom.pmf(np.arange(pairs + 1), pairs, 0.5)[p_values <= 0.05].sum() <= 0.05


def test_interval_of_newcombes_own_example() -> None:
    """The counts (36, 12, 2, 0), for which the paper prints 0.0569 to 0.3404 by its method 10."""
    assert paired_difference(pairs=Pairs(36, 12, 2, 0)) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


@given(tables)
def test_interval_holds_the_difference_mirrors_and_stays_in_range(pairs: Pairs) -> None:
    value, low, high = paired_difference(pairs=pairs)
    assert value == pytest.approx((pairs.only_a - pairs.only_b) / pairs.n)
    assert -1 <= low <= value <= high <= 1
    assert low < high
    swapped = paired_difference(pairs=Pairs(pairs.both, pairs.only_b, pairs.only_a, pairs.neither))
    assert swapped == pytest.approx((-value, -high, -low), abs=1e-12)
    failures = paired_difference(pairs=Pairs(pairs.neither, pairs.only_b, pairs.only_a, pairs.both))
    assert failures == pytest.approx((-value, -high, -low), abs=1e-12)


def test_interval_by_hand_where_outcomes_go_together() -> None:
    """(48, 12, 2, 38): r = (48 * 38 - 12 * 2 - 50) / sqrt(60 * 40 * 50 * 50) with the correction of n / 2 = 50."""
    correlation = 1750 / math.sqrt(60 * 40 * 50 * 50)
    a, b = wilson(successes=60, n=100), wilson(successes=50, n=100)
    down, up = (0.6 - a.low, b.high - 0.5), (a.high - 0.6, 0.5 - b.low)
    reach = [math.sqrt(x * x - 2 * correlation * x * y + y * y) for x, y in (down, up)]
    assert paired_difference(pairs=Pairs(48, 12, 2, 38)) == pytest.approx((0.1, 0.1 - reach[0], 0.1 + reach[1]))


def test_pairing_narrows_the_interval_only_where_outcomes_go_together() -> None:
    def width(estimate: Estimate) -> float:
        return estimate.high - estimate.low

    unpaired = width(unpaired_difference(successes_a=60, n_a=100, successes_b=50, n_b=100))
    assert width(paired_difference(pairs=Pairs(48, 12, 2, 38))) < 0.6 * unpaired
    assert width(paired_difference(pairs=Pairs(30, 30, 20, 20))) == pytest.approx(unpaired)
    # A slight agreement, e h - f g = 4, is within the correction of n / 2 and counts as none.
    assert width(paired_difference(pairs=Pairs(4, 4, 3, 4))) == pytest.approx(
        width(unpaired_difference(successes_a=8, n_a=15, successes_b=7, n_b=15))
    )


def test_interval_without_pairs_knows_nothing() -> None:
    value, low, high = paired_difference(pairs=Pairs(0, 0, 0, 0))
    assert math.isnan(value)
    assert (low, high) == (-1, 1)


def test_interval_where_no_pair_differs_keeps_a_width() -> None:
    value, low, high = paired_difference(pairs=Pairs(20, 0, 0, 0))
    assert value == 0
    assert low == -high < -0.1


@given(tables)
def test_equal_strata_agree_with_their_sum_and_forget_their_order(pairs: Pairs) -> None:
    assert stratified_paired_difference(pairs=[pairs]) == paired_difference(pairs=pairs)
    other = Pairs(pairs.neither, pairs.only_a, pairs.only_b, pairs.both)
    forth = stratified_paired_difference(pairs=[pairs, other])
    assert stratified_paired_difference(pairs=[other, pairs]) == pytest.approx(forth, abs=1e-12)
    assert forth.value == pytest.approx((pairs.only_a - pairs.only_b) / pairs.n)
    assert -1 <= forth.low <= forth.value + 1e-12
    assert forth.value - 1e-12 <= forth.high <= 1


def test_many_pairs_give_the_normal_interval_of_the_stratified_difference() -> None:
    strata = [Pairs(20_000, 9000, 4000, 7000), Pairs(1000, 500, 900, 7600)]
    value, low, high = stratified_paired_difference(pairs=strata)
    shares = np.array([[p.only_a / p.n, p.only_b / p.n] for p in strata])
    gaps = shares[:, 0] - shares[:, 1]
    error = math.sqrt(((shares.sum(axis=1) - gaps**2) / [p.n for p in strata]).sum()) / 2
    assert value == pytest.approx(gaps.mean())
    assert (low, high) == pytest.approx((value - 1.96 * error, value + 1.96 * error), abs=0.01 * error)


MIXED = np.array([0.30, 0.50, 0.75, 0.85, 0.20, 0.75, 0.02, 0.02, 0.10, 0.65])


@pytest.mark.parametrize(
    ("rate_a", "rate_b", "shared", "n"),
    [
        ([0.90], [0.85], 0.5, 200),
        ([0.88], [0.88], 0.8, 1000),
        ([0.97], [0.90], 0.5, 50),
        (MIXED + 0.1, MIXED, 0.5, 20),
        ([0.95] * 10, [0.9] * 10, 0.3, 20),
        (MIXED, MIXED, 0.9, 5),
    ],
    ids=["rates", "equal rates", "few pairs", "tasks", "tasks, high rates", "tasks, few pairs"],
)
def test_interval_covers_about_as_often_as_it_says(rate_a, rate_b, shared: float, n: int) -> None:
    """1,000 comparisons on units that share their difficulty: how often the interval holds the true difference."""
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(1000):
        common = rng.standard_normal((len(rate_a), n))
        own = rng.standard_normal((2, len(rate_a), n))
        ability = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
        solved_a, solved_b = ability[0] < ndtri(rate_a)[:, None], ability[1] < ndtri(rate_b)[:, None]
        pairs = [
            Pairs(*(int(np.sum(x)) for x in (a & b, a & ~b, b & ~a, ~a & ~b)))
            for a, b in zip(solved_a, solved_b, strict=True)
        ]
        _, low, high = stratified_paired_difference(pairs=pairs)
        hits += low <= np.mean(np.subtract(rate_a, rate_b)) <= high
    assert 0.93 < hits / 1000 < 0.995


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pairs": []}, "expected one of each"),
        ({"pairs": [Pairs(1, 0, 0, 0), Pairs(0, 0, 0, 0)]}, "no units"),
        ({"pairs": [Pairs(1, -1, 0, 3)]}, "stratum 0 has the counts"),
        ({"pairs": [Pairs(1, 0, 0, 0)], "confidence": 95}, "between 0 and 1"),
    ],
)
def test_intervals_refuse_what_cannot_be(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stratified_paired_difference(**arguments)


def by_trying_all_signs(differences, labels) -> float:
    """The p value of the sign-flip test by its definition."""
    labels = np.array(labels)
    weights = np.array([1 / np.sum(labels == label) for label in labels])
    weighted = weights * differences
    sums = np.array([np.dot(signs, weighted) for signs in itertools.product([1, -1], repeat=len(weighted))])
    return float(np.mean(np.abs(sums) >= abs(weighted.sum()) - 1e-9))


@settings(deadline=None)
@given(score_differences.filter(lambda d: len(d) < 9), st.integers(1, 3), st.sampled_from([1, 0.37]))
def test_sign_flips_are_all_counted(differences: list[int], tasks: int, unit: float) -> None:
    """Whole numbers take one way and fractions another; both are the definition's, with strata or without."""
    scores = unit * np.array(differences, float)
    labels = [i * i % tasks for i in range(len(scores))]
    assert sign_flip_test(differences=scores, strata=labels) == (
        pytest.approx(by_trying_all_signs(scores, labels)),
        True,
    )
    assert sign_flip_test(differences=scores).p_value == pytest.approx(by_trying_all_signs(scores, [0] * len(scores)))


def test_sign_flips_are_scipys() -> None:
    differences = np.array([3, -1, 2, 2, 0, 5, -2, 1, 1, 4])
    theirs = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=2000)
    assert sign_flip_test(differences=differences).p_value == pytest.approx(theirs.pvalue)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_sign_flips_of_outcomes_are_mcnemars_test(only_a: int, only_b: int, alike: int) -> None:
    differences = np.repeat([1, -1, 0], [only_a, only_b, alike])
    ours = sign_flip_test(differences=differences)
    assert ours == (pytest.approx(mcnemar(only_a=only_a, only_b=only_b), rel=1e-9), True)


def test_drawn_signs_agree_with_counted_ones() -> None:
    """The same 300 differences as whole numbers, counted, and in units that are not whole, drawn."""
    differences = np.random.default_rng(3).integers(-5, 6, 300) + np.repeat([0, 1], [200, 100])
    counted = sign_flip_test(differences=differences)
    drawn = sign_flip_test(differences=differences * 0.1, resamples=20_000, seed=1)
    assert counted.exact
    assert not drawn.exact
    assert 0.01 < counted.p_value < 0.5
    noise = math.sqrt(counted.p_value / 20_000)
    assert drawn.p_value == pytest.approx(counted.p_value, abs=4 * noise)


def test_tiny_p_values_are_counted_and_drawn_ones_never_zero() -> None:
    assert sign_flip_test(differences=[5] * 1000).p_value == pytest.approx(2.0**-999)
    assert sign_flip_test(differences=[0.5] * 1000, resamples=99) == Permutation(0.01, False)
    assert not sign_flip_test(differences=[5] * 5000, resamples=99).exact


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.randoms())
def test_the_order_of_pairs_does_not_matter(differences: list[float], random) -> None:
    labelled = [(d, "ab"[i % 2]) for i, d in enumerate(differences)]
    results = []
    for _ in range(2):
        values, labels = zip(*labelled, strict=True)
        results.append(
            (
                sign_flip_test(differences=values, strata=labels, resamples=50),
                *(paired_bootstrap(differences=values, strata=strata, resamples=50) for strata in (None, labels)),
            )
        )
        random.shuffle(labelled)
    assert repr(results[0]) == repr(results[1])


def test_nothing_differs() -> None:
    for differences in ([], [0], [0, 0, 0]):
        assert sign_flip_test(differences=differences) == Permutation(1.0, True)
        assert sign_flip_test(differences=differences, strata=differences) == Permutation(1.0, True)


def test_bootstrap_of_pairs_is_the_one_over_chains() -> None:
    differences = np.random.default_rng(0).integers(-5, 6, 200)
    value, low, high = paired_bootstrap(differences=differences, seed=4)
    assert value == pytest.approx(differences.mean())
    assert (low, high) == bootstrap_mean(values=differences, seed=4)


def test_stratified_bootstrap_has_the_spread_within_tasks() -> None:
    """Tasks of unequal size that differ much: only the spread within them counts, and it is unbiased."""
    rng = np.random.default_rng(0)
    tasks = [rng.normal(10 * task, 1 + task, size) for task, size in enumerate([5, 10, 40])]
    strata = np.repeat(["x", "y", "z"], [5, 10, 40])
    value, low, high = paired_bootstrap(differences=np.concatenate(tasks), strata=strata, resamples=20_000)
    assert value == pytest.approx(np.mean([task.mean() for task in tasks]))
    error = math.sqrt(sum(task.var(ddof=1) / task.size for task in tasks)) / 3
    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.04)


def test_bootstrap_of_pairs_at_its_limits() -> None:
    assert np.isnan(paired_bootstrap(differences=[])).all()
    value, low, high = paired_bootstrap(differences=[2])
    assert value == 2
    assert math.isnan(low)
    assert math.isnan(high)
    value, low, high = paired_bootstrap(differences=[2, 4, 6], strata=[0, 0, 1])
    assert value == 4.5
    assert math.isnan(low)
    assert paired_bootstrap(differences=[1, 1, 3, 3], strata=[0, 0, 1, 1]) == (2, 2, 2)


@pytest.mark.parametrize("function", [sign_flip_test, paired_bootstrap])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"differences": [1, math.nan]}, "expected finite numbers"),
        ({"differences": [[1]]}, r"shape \(1, 1\)"),
        ({"differences": [1, 2], "strata": ["a"]}, "one label for each of the 2 units"),
        ({"differences": [1, 2], "resamples": 0}, "resamples is 0"),
    ],
)
def test_tests_of_means_refuse_what_cannot_be(function, arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        function(**arguments)
