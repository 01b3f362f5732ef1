from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from seer_bench.stats import Interval, clopper_pearson, rate_bounds, wilson


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 10, 200, 1000])
def test_wilson_is_scipys(n: int, confidence: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        ours = wilson(successes=successes, n=n, confidence=confidence)
        theirs = binomtest(successes, n).proportion_ci(confidence, method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_mirrors(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson(successes=successes, n=n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= successes / n <= high
    mirrored = wilson(successes=n - successes, n=n)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-12)


def test_wilson_knows_nothing_without_units() -> None:
    assert wilson(successes=0, n=0) == Interval(0, 1)


def test_wilson_covers_as_often_as_it_says() -> None:
    """Exact coverage, summed over all counts and averaged over rates: single rates swing around the level."""
    n = 100
    ends = [wilson(successes=k, n=n) for k in range(n + 1)]
    low, high = np.array(ends).T
    rates = np.linspace(0.02, 0.98, 97)
    coverage = [binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() for p in rates]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.005)
    assert min(coverage) > 0.9


@pytest.mark.parametrize(
    "arguments",
    [
        {"successes": -1, "n": 3},
        {"successes": 4, "n": 3},
        {"successes": 1, "n": 3, "confidence": 1.0},
        {"successes": 1, "n": 3, "confidence": 95},
    ],
)
def test_wilson_refuses_what_cannot_be(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"expected 0 <= successes <= n|between 0 and 1"):
        wilson(**arguments)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 10, 200, 1000])
def test_clopper_pearson_is_scipys_and_statsmodels(n: int, confidence: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        ours = clopper_pearson(successes=successes, n=n, confidence=confidence)
        theirs = binomtest(successes, n).proportion_ci(confidence, method="exact")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert ours == pytest.approx(proportion_confint(successes, n, 1 - confidence, method="beta"), abs=1e-9)


@pytest.mark.parametrize("n", [1, 5, 30, 200])
def test_clopper_pearson_never_covers_less_than_it_says(n: int) -> None:
    low, high = np.array([clopper_pearson(successes=k, n=n) for k in range(n + 1)]).T
    for rate in np.linspace(0, 1, 201):
        assert binom.pmf(np.arange(n + 1), n, rate)[(low <= rate) & (rate <= high)].sum() >= 0.95


def test_clopper_pearson_at_its_limits() -> None:
    assert clopper_pearson(successes=0, n=0) == Interval(0, 1)
    assert clopper_pearson(successes=0, n=7).low == 0
    assert clopper_pearson(successes=7, n=7).high == 1
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        clopper_pearson(successes=8, n=7)
    with pytest.raises(ValueError, match="between 0 and 1"):
        clopper_pearson(successes=1, n=7, confidence=95)


def test_bounds_count_errors_as_failures_and_as_successes() -> None:
    assert rate_bounds(successes=6, n=8, errors=2) == Interval(0.6, 0.8)
    assert rate_bounds(successes=6, n=8, errors=0) == Interval(0.75, 0.75)
    assert rate_bounds(successes=0, n=0, errors=5) == Interval(0, 1)
    assert rate_bounds(successes=0, n=0, errors=0) == Interval(0, 1)


@given(st.lists(st.sampled_from([0, 1, None]), min_size=1, max_size=30), st.randoms())
def test_bounds_hold_whatever_the_errors_would_have_become(units: list[int | None], random) -> None:
    scored = [u for u in units if u is not None]
    low, high = rate_bounds(successes=sum(scored), n=len(scored), errors=units.count(None))
    truth = [random.randint(0, 1) if u is None else u for u in units]
    assert low <= sum(truth) / len(truth) <= high


def test_bounds_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="errors is -1"):
        rate_bounds(successes=1, n=2, errors=-1)
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        rate_bounds(successes=3, n=2, errors=0)
