from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from seer_bench.stats import clustered_mean, stratified_mean, wilson

strata = st.lists(
    st.integers(1, 50).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=12
)


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 20), (13, 20), (20, 20), (1, 1), (431, 1000)])
def test_one_stratum_gives_scipys_wilson(successes: int, n: int) -> None:
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert stratified_mean(successes=[successes], n=[n]) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_formula_by_hand() -> None:
    # m = 0.7, V = (0.25 / 19 + 0.09 / 9) / 4 = 0.00578947, n* = 1 + 0.21 / V = 37.2727; the ends p are where
    # (m - p)^2 = z^2 p (1 - p) / n*.
    ratio = 1.9599640**2 / 37.272727
    ends = sorted(np.roots([1 + ratio, -1.4 - ratio, 0.49]))
    assert stratified_mean(successes=[10, 9], n=[20, 10]) == pytest.approx(ends, abs=1e-7)


def test_many_units_give_the_normal_interval_of_the_stratified_mean() -> None:
    n = np.array([40_000, 10_000, 20_000])
    rates = np.array([0.1, 0.5, 0.8])
    low, high = stratified_mean(successes=[int(k) for k in rates * n], n=[int(k) for k in n])
    error = np.sqrt((rates * (1 - rates) / n).sum()) / 3
    assert (low, high) == pytest.approx((rates.mean() - 1.96 * error, rates.mean() + 1.96 * error), abs=0.002 * error)


@given(strata, st.randoms())
def test_it_holds_the_mean_stays_in_range_mirrors_and_forgets_the_order(counts, random) -> None:
    successes, n = map(list, zip(*counts, strict=True))
    low, high = stratified_mean(successes=successes, n=n)
    mean = np.mean([k / m for k, m in counts])
    assert 0 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1
    mirrored = stratified_mean(successes=[m - k for k, m in counts], n=n)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)
    random.shuffle(counts)
    successes, n = map(list, zip(*counts, strict=True))
    assert stratified_mean(successes=successes, n=n) == pytest.approx((low, high), abs=1e-12)


def test_tasks_that_differ_make_it_narrower_than_pooling_and_equal_ones_do_not() -> None:
    def width(interval) -> float:
        return interval.high - interval.low

    pooled = width(wilson(successes=100, n=200))
    assert width(stratified_mean(successes=[19] * 5 + [1] * 5, n=[20] * 10)) < 0.5 * pooled
    assert width(stratified_mean(successes=[10] * 10, n=[20] * 10)) == pytest.approx(pooled, rel=0.03)


def test_without_any_variance_it_is_as_wide_as_pooling() -> None:
    assert stratified_mean(successes=[20] * 10, n=[20] * 10) == pytest.approx(wilson(successes=200, n=200))
    assert stratified_mean(successes=[20, 0], n=[20, 20]) == pytest.approx(wilson(successes=20, n=40))
    assert stratified_mean(successes=[1, 0], n=[1, 1]) == pytest.approx(wilson(successes=1, n=2), abs=0.12)


@pytest.mark.parametrize("n", [3, 20, 50])
@pytest.mark.parametrize(
    "rates",
    [
        [0.5] * 10,
        [0.9] * 10,
        [0.30, 0.50, 0.75, 0.85, 0.20, 0.75, 0.02, 0.02, 0.10, 0.65],
        [0.97] * 7 + [0.1] * 3,
    ],
    ids=["equal", "equal and high", "mixed", "solved or not"],
)
def test_it_covers_about_as_often_as_it_says(rates: list[float], n: int) -> None:
    """3,000 runs of ten tasks: the share of intervals that hold the true mean."""
    rng = np.random.default_rng(1)
    runs = rng.binomial(n, rates, size=(3000, 10)).tolist()
    ends = np.array([stratified_mean(successes=run, n=[n] * 10) for run in runs])
    coverage = ((ends[:, 0] <= np.mean(rates)) & (np.mean(rates) <= ends[:, 1])).mean()
    assert 0.93 < coverage < 0.995


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"successes": [], "n": []}, "expected one of each"),
        ({"successes": [1], "n": [2, 3]}, "expected one of each"),
        ({"successes": [0, 1], "n": [0, 3]}, "no units"),
        ({"successes": [4], "n": [3]}, "expected 0 <= successes <= n"),
        ({"successes": [1], "n": [3], "confidence": 95}, "between 0 and 1"),
    ],
)
def test_it_refuses_what_cannot_be(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stratified_mean(**arguments)


@given(strata)
def test_clusters_of_one_unit_are_strata(counts) -> None:
    clusters = [[[1.0]] * k + [[0.0]] * (n - k) for k, n in counts]
    value, low, high = clustered_mean(clusters=clusters)
    assert value == pytest.approx(np.mean([k / n for k, n in counts]))
    successes, n = map(list, zip(*counts, strict=True))
    assert (low, high) == pytest.approx(stratified_mean(successes=successes, n=n), abs=1e-9)


def test_clusters_by_hand() -> None:
    # Cluster means 2/3, 0 and 1/3: their variance is 1/9, that of the nine units 1/4, so V = max(1/27, 1/36) and
    # n* = 1 + (2/9) / (1/27) = 7.
    found = clustered_mean(clusters=[[[1, 1, 0], [0, 0, 0], [1, 0, 0]]])
    ratio = 1.9599640**2 / 7
    assert found.value == pytest.approx(1 / 3)
    assert found[1:] == pytest.approx(sorted(np.roots([1 + ratio, -2 / 3 - ratio, 1 / 9])), abs=1e-7)


def test_units_that_are_alike_count_once_and_units_that_balance_by_chance_do_not_count_more_than_they_are() -> None:
    alike = clustered_mean(clusters=[[[1, 1, 1]] * 9 + [[0, 0, 0]] * 6])
    assert alike[1:] == pytest.approx(wilson(successes=9, n=15))
    balanced = clustered_mean(clusters=[[[1, 0]] * 15])
    assert balanced[1:] == pytest.approx(wilson(successes=15, n=30))


def test_weights_make_the_mean_of_sums() -> None:
    halves, ones = [[0.5], [0.0], [1.0]], [[1.0], [0.75]]
    found = clustered_mean(clusters=[halves, ones], weights=[6, 8])
    assert found.value == pytest.approx((6 * 0.5 + 8 * 0.875) / 14)
    assert found == pytest.approx(clustered_mean(clusters=[ones, halves], weights=[4, 3]))


def test_without_any_variance_clusters_are_the_units() -> None:
    assert clustered_mean(clusters=[[[1, 1, 1]] * 15])[1:] == pytest.approx(wilson(successes=15, n=15))
    assert clustered_mean(clusters=[[[0.1, 0.1, 0.1]] * 10])[1:] == pytest.approx(wilson(successes=1, n=10))


@pytest.mark.parametrize("alike", [0.0, 0.4, 1.0])
def test_clustered_intervals_cover_about_as_often_as_they_say(alike: float) -> None:
    """1,000 campaigns of four tasks, 15 cases, 3 trials; a share of the cases is all or nothing."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        chance = np.where(rng.random((4, 15)) < alike, rng.random((4, 15)) < 0.6, 0.6)
        solved = (rng.random((4, 15, 3)) < chance[..., None]).astype(float)
        found = clustered_mean(clusters=solved.tolist())
        hits += found.low <= 0.6 <= found.high
    assert 0.92 < hits / 1000 < 0.99


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"clusters": []}, "has no mean"),
        ({"clusters": [[[1]], []]}, "has no mean"),
        ({"clusters": [[[1], []]]}, "has no mean"),
        ({"clusters": [[[2]]]}, "outside 0 to 1"),
        ({"clusters": [[[1]]], "weights": [0]}, "above 0"),
        ({"clusters": [[[1]]], "weights": [1, 1]}, "each of 1 strata"),
        ({"clusters": [[[1]]], "confidence": 95}, "between 0 and 1"),
    ],
)
def test_clusters_that_cannot_be_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        clustered_mean(**arguments)
