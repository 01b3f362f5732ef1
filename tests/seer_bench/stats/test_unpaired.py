from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, fisher_exact, ttest_ind
from scipy.stats import permutation_test as scipys_permutation_test
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import confint_proportions_2indep

from seer_bench.stats import (
    Permutation,
    fisher,
    permutation_test,
    stratified_fisher,
    stratified_unpaired_difference,
    unpaired_bootstrap,
    unpaired_difference,
    welch,
)

arms = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
scores = st.lists(st.integers(0, 5), min_size=2, max_size=30)
MIXED = np.array([0.30, 0.50, 0.75, 0.85, 0.20, 0.75, 0.02, 0.02, 0.10, 0.65])


@settings(deadline=None)
@given(arms, arms)
def test_difference_is_statsmodels_newcombe(a, b) -> None:
    ours = unpaired_difference(successes_a=a[0], n_a=a[1], successes_b=b[0], n_b=b[1])
    assert ours.value == pytest.approx(a[0] / a[1] - b[0] / b[1])
    assert ours[1:] == pytest.approx(confint_proportions_2indep(*a, *b, method="newcomb"), abs=1e-9)
    assert -1 <= ours.low <= ours.value <= ours.high <= 1
    swapped = unpaired_difference(successes_a=b[0], n_a=b[1], successes_b=a[0], n_b=a[1])
    assert swapped == pytest.approx((-ours.value, -ours.high, -ours.low), abs=1e-12)


def test_difference_without_units_knows_nothing() -> None:
    value, low, high = unpaired_difference(successes_a=0, n_a=0, successes_b=3, n_b=5)
    assert math.isnan(value)
    assert (low, high) == (-1, 1)
    assert unpaired_difference(successes_a=5, n_a=5, successes_b=0, n_b=5).high == 1


def test_one_stratum_is_the_plain_difference_and_many_units_the_normal_one() -> None:
    plain = unpaired_difference(successes_a=15, n_a=20, successes_b=9, n_b=30)
    assert stratified_unpaired_difference(successes_a=[15], n_a=[20], successes_b=[9], n_b=[30]) == plain
    n, rates = np.array([40_000, 20_000]), np.array([[0.9, 0.2], [0.85, 0.3]])
    solved = (n * rates).round().astype(int).tolist()
    value, low, high = stratified_unpaired_difference(
        successes_a=solved[0], n_a=n.tolist(), successes_b=solved[1], n_b=n.tolist()
    )
    error = math.sqrt((rates * (1 - rates) / n).sum()) / 2
    assert value == pytest.approx(-0.025)
    assert (low, high) == pytest.approx((value - 1.96 * error, value + 1.96 * error), abs=0.01 * error)


@pytest.mark.parametrize(
    ("rate_a", "rate_b", "n_a", "n_b"),
    [
        ([0.9], [0.8], 200, 200),
        ([0.95], [0.95], 1000, 50),
        (MIXED + 0.1, MIXED, 20, 20),
        ([0.95] * 10, [0.9] * 10, 20, 50),
        (MIXED, MIXED, 3, 3),
    ],
    ids=["rates", "unequal arms", "tasks", "tasks, high rates", "tasks, few units"],
)
def test_difference_covers_about_as_often_as_it_says(rate_a, rate_b, n_a: int, n_b: int) -> None:
    """1,500 comparisons of independent arms: how often the interval holds the true difference."""
    rng = np.random.default_rng(3)
    tasks = len(rate_a)
    truth = np.mean(np.subtract(rate_a, rate_b))
    hits = 0
    for a, b in zip(
        rng.binomial(n_a, rate_a, (1500, tasks)).tolist(),
        rng.binomial(n_b, rate_b, (1500, tasks)).tolist(),
        strict=True,
    ):
        _, low, high = stratified_unpaired_difference(
            successes_a=a, n_a=[n_a] * tasks, successes_b=b, n_b=[n_b] * tasks
        )
        hits += low <= truth <= high
    assert 0.92 < hits / 1500 < 0.995


@settings(deadline=None)
@given(arms, arms)
def test_fisher_is_scipys(a, b) -> None:
    theirs = fisher_exact([[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]).pvalue
    assert fisher(successes_a=a[0], n_a=a[1], successes_b=b[0], n_b=b[1]) == pytest.approx(theirs, rel=1e-6)


def test_fisher_at_its_limits() -> None:
    assert fisher(successes_a=0, n_a=0, successes_b=3, n_b=5) == 1
    assert fisher(successes_a=0, n_a=9, successes_b=0, n_b=5) == 1
    assert fisher(successes_a=1000, n_a=1000, successes_b=0, n_b=1000) < 1e-200
    assert fisher(successes_a=870_000, n_a=1_000_000, successes_b=870_000, n_b=1_000_000) == pytest.approx(1)


small = st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(st.lists(st.tuples(small, small), min_size=1, max_size=3), st.randoms())
def test_stratified_fisher_counts_all_tables(strata, random) -> None:
    """By the definition: every combination of the strata's tables with the observed margins."""
    totals: dict[int, float] = {}
    choices = [range(ka + kb + 1) for (ka, _), (kb, _) in strata]
    for counts in itertools.product(*choices):
        chance = math.prod(
            math.comb(na, k) * math.comb(nb, ka + kb - k) / math.comb(na + nb, ka + kb)
            for k, ((ka, na), (kb, nb)) in zip(counts, strata, strict=True)
        )
        totals[sum(counts)] = totals.get(sum(counts), 0.0) + chance
    observed = totals[sum(ka for (ka, _), _ in strata)]
    expected = sum(chance for chance in totals.values() if chance <= observed * (1 + 1e-7))

    def ours() -> float:
        return stratified_fisher(
            successes_a=[a[0] for a, _ in strata],
            n_a=[a[1] for a, _ in strata],
            successes_b=[b[0] for _, b in strata],
            n_b=[b[1] for _, b in strata],
        )

    assert ours() == pytest.approx(min(1, expected), rel=1e-9)
    random.shuffle(strata)
    assert ours() == pytest.approx(min(1, expected), rel=1e-9)


def test_stratified_fisher_is_near_cochran_mantel_haenszel_with_many_units() -> None:
    n, solved_a, solved_b = [400] * 3, [100, 200, 380], [90, 170, 370]
    tables = [[[a, 400 - a], [b, 400 - b]] for a, b in zip(solved_a, solved_b, strict=True)]
    theirs = StratifiedTable([np.array(t) for t in tables]).test_null_odds(correction=True).pvalue
    ours = stratified_fisher(successes_a=solved_a, n_a=n, successes_b=solved_b, n_b=n)
    assert 0.001 < theirs < 0.2
    assert ours == pytest.approx(theirs, rel=0.05)


def test_strata_that_differ_hide_a_difference_from_the_pooled_counts() -> None:
    """200 rollouts an arm, all of 5 tasks solved or hardly: 12 points are clear by task and not in the sum."""
    a, b = [20, 20, 20, 20, 20, 4, 4, 4, 4, 4], [20, 20, 20, 20, 20, 1, 1, 1, 1, 1]
    n = [20] * 10
    assert stratified_fisher(successes_a=a, n_a=n, successes_b=b, n_b=n) < 0.01
    assert fisher(successes_a=sum(a), n_a=200, successes_b=sum(b), n_b=200) > 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"successes_a": [], "n_a": [], "successes_b": [], "n_b": []}, "at least one"),
        ({"successes_a": [1], "n_a": [2], "successes_b": [1, 1], "n_b": [2, 2]}, "arm A has 1 strata and arm B 2"),
        ({"successes_a": [1, 1], "n_a": [2], "successes_b": [1], "n_b": [2]}, "one of each"),
        ({"successes_a": [3], "n_a": [2], "successes_b": [1], "n_b": [2]}, "expected 0 <= successes <= n"),
    ],
)
def test_strata_that_cannot_be_are_refused(arguments: dict, words: str) -> None:
    for function in (stratified_fisher, stratified_unpaired_difference):
        with pytest.raises(ValueError, match=words):
            function(**arguments)


def welch_t(a, b, axis):
    """Absolute value of Welch's t, by scipy where it is defined and by its limits where it is not."""
    gap = np.abs(a.mean(axis=axis) - b.mean(axis=axis))
    error = np.sqrt(a.var(axis=axis, ddof=1) / a.shape[axis] + b.var(axis=axis, ddof=1) / b.shape[axis])
    return np.where(error > 1e-9, gap / np.maximum(error, 1e-9), np.where(gap > 1e-9, np.inf, 0.0))


@pytest.mark.parametrize("kind", ["few scores", "many scores"])
def test_permutation_is_scipys_up_to_its_noise(kind: str) -> None:
    rng = np.random.default_rng(2)
    draw = (lambda n: rng.integers(0, 6, n)) if kind == "few scores" else (lambda n: rng.normal(3, 1, n))
    a, b = draw(9), draw(7)
    if kind == "many scores":
        # More distinct values than are counted: both sets twice over, with a small shift.
        a, b = np.concatenate([a, draw(12)]), np.concatenate([b, draw(14)])
    b = b + 1
    theirs = scipys_permutation_test(
        (a, b), welch_t, vectorized=True, alternative="greater", n_resamples=20_000, rng=rng
    ).pvalue
    ours = permutation_test(a=a, b=b, resamples=10_000)
    assert not ours.exact
    assert 0.001 < theirs < 0.9
    assert ours.p_value == pytest.approx(theirs, abs=5 * math.sqrt(theirs / 10_000))


@pytest.mark.parametrize("seed", range(6))
def test_permutation_counts_all_dealings_where_they_are_few(seed: int) -> None:
    """As scipy does; with fewer resamples than dealings they are drawn."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=4), rng.normal(size=2)
    theirs = scipys_permutation_test((a, b), welch_t, vectorized=True, alternative="greater", n_resamples=np.inf).pvalue
    found = permutation_test(a=a, b=b, resamples=15)
    assert found.exact
    assert found.p_value == pytest.approx(theirs)
    drawn = permutation_test(a=np.repeat(a, 3), b=np.repeat(b, 3), resamples=14)
    assert not drawn.exact


def test_permutation_keeps_its_level_where_the_spreads_differ() -> None:
    """Equal means, unequal spreads and sizes, 500 times: the test of the bare difference would reject 20 %."""
    rng = np.random.default_rng(8)
    steady = rng.choice(6, size=(500, 160), p=[0, 0.05, 0.45, 0.45, 0.05, 0])
    wild = rng.choice(6, size=(500, 40), p=[0.4, 0.05, 0.05, 0.05, 0.05, 0.4])
    p_values = [
        permutation_test(a=x, b=y, resamples=199, seed=i).p_value
        for i, (x, y) in enumerate(zip(steady, wild, strict=True))
    ]
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.025)


def test_permutation_at_its_limits() -> None:
    assert permutation_test(a=[], b=[1, 2]) == Permutation(1.0, True)
    assert permutation_test(a=[5], b=[1, 2]) == Permutation(1.0, True)
    assert permutation_test(a=[3, 3], b=[3, 3, 3]) == Permutation(1.0, True)
    assert permutation_test(a=[5] * 50, b=[0] * 50, resamples=99).p_value == 0.01
    assert permutation_test(a=[0.1] * 50, b=[0.3] * 50, resamples=99).p_value == 0.01


@settings(deadline=None)
@given(scores, scores, st.randoms())
def test_the_order_of_units_does_not_matter(a: list[int], b: list[int], random) -> None:
    def all_of_it() -> str:
        return repr(
            [permutation_test(a=a, b=b, resamples=30), welch(a=a, b=b), unpaired_bootstrap(a=a, b=b, resamples=30)]
        )

    before = all_of_it()
    random.shuffle(a)
    random.shuffle(b)
    assert all_of_it() == before


@given(scores, scores)
def test_arms_swap(a: list[int], b: list[int]) -> None:
    value, low, high = welch(a=a, b=b)
    assert low <= value <= high
    assert welch(a=b, b=a) == pytest.approx((-value, -high, -low))


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_welch_is_scipys(confidence: float) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 12), rng.integers(2, 4, 31)
    theirs = ttest_ind(a, b, equal_var=False).confidence_interval(confidence)
    ours = welch(a=a, b=b, confidence=confidence)
    assert ours == pytest.approx((a.mean() - b.mean(), theirs.low, theirs.high))


def test_bootstrap_is_scipys_up_to_its_noise() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 150), rng.gamma(2.0, size=100)
    value, low, high = unpaired_bootstrap(a=a, b=b, resamples=20_000)
    theirs = bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=rng,
    ).confidence_interval
    assert value == pytest.approx(a.mean() - b.mean())
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * np.hypot(a.std() / 12, b.std() / 10))


@pytest.mark.parametrize("function", [welch, unpaired_bootstrap])
def test_intervals_of_means_at_their_limits(function) -> None:
    assert np.isnan(function(a=[], b=[1, 2])).all()
    value, low, high = function(a=[3], b=[1, 2])
    assert value == 1.5
    assert math.isnan(low)
    assert math.isnan(high)
    assert function(a=[3, 3], b=[1, 1, 1]) == (2, 2, 2)
    assert not np.isnan(function(a=[3, 3], b=[1, 1, 2])).any()


@pytest.mark.parametrize("function", [welch, unpaired_bootstrap, permutation_test])
def test_scores_that_are_not_finite_are_refused(function) -> None:
    with pytest.raises(ValueError, match="b have the shape"):
        function(a=[1, 2], b=[math.inf, 1])
