from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from seer_bench.stats import (
    detectable_mean_difference,
    detectable_paired_mean_difference,
    detectable_paired_rate_difference,
    detectable_rate_difference,
    mcnemar,
    pairs_for_means,
    pairs_for_rates,
    permutation_test,
    sign_flip_test,
    units_for_means,
    units_for_rates,
)


def power_of_fisher(n: int, rate_a: float, rate_b: float) -> float:
    """Probability that Fisher's exact test gives p <= 0.05, over all pairs of counts."""
    power = 0.0
    for solved in range(2 * n + 1):
        k = np.arange(max(0, solved - n), min(n, solved) + 1)
        chance = hypergeom.pmf(k, 2 * n, solved, n)
        p_values = np.array([chance[chance <= c * (1 + 1e-7)].sum() for c in chance])
        joint = binom.pmf(k, n, rate_a) * binom.pmf(solved - k, n, rate_b)
        power += joint[p_values <= 0.05].sum()
    return power


def power_of_mcnemar(n: int, discordance: float, difference: float) -> float:
    """Probability that McNemar's exact test gives p <= 0.05, over all counts of pairs that differ."""
    power = 0.0
    ahead = (discordance + difference) / (2 * discordance)
    for differ in range(n + 1):
        weight = binom.pmf(differ, n, discordance)
        if weight > 1e-9:
            p_values = np.array([mcnemar(only_a=k, only_b=differ - k) for k in range(differ + 1)])
            power += weight * binom.pmf(np.arange(differ + 1), differ, ahead)[p_values <= 0.05].sum()
    return power


@pytest.mark.parametrize(("a", "b"), [(0.87, 0.90), (0.5, 0.53), (0.2, 0.1), (0.98, 0.9)])
def test_units_for_rates_are_statsmodels_plus_the_correction(a: float, b: float) -> None:
    plain = samplesize_proportions_2indep_onetail(a - b, b, 0.8)
    corrected = plain / 4 * (1 + np.sqrt(1 + 4 / (plain * abs(a - b)))) ** 2
    assert units_for_rates(rate_a=a, rate_b=b) == np.ceil(corrected)
    assert units_for_rates(rate_a=a, rate_b=b) == units_for_rates(rate_a=b, rate_b=a)


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.7), (0.5, 0.75), (0.95, 0.85)])
def test_planned_units_give_fishers_test_its_power(a: float, b: float) -> None:
    assert power_of_fisher(units_for_rates(rate_a=a, rate_b=b), a, b) == pytest.approx(0.82, abs=0.02)


@pytest.mark.parametrize(("discordance", "difference"), [(0.3, 0.1), (0.1, 0.05), (0.5, 0.2), (0.2, 0.15)])
def test_planned_pairs_give_mcnemars_test_its_power(discordance: float, difference: float) -> None:
    n = pairs_for_rates(difference=difference, discordance=discordance)
    assert pairs_for_rates(difference=-difference, discordance=discordance) == n
    assert 0.8 <= power_of_mcnemar(n, discordance, difference) < 0.87


@pytest.mark.parametrize(("difference", "deviation"), [(0.1, 1.5), (0.3, 1.5), (1.0, 1.0)])
def test_units_for_means_are_statsmodels(difference: float, deviation: float) -> None:
    size = difference / deviation
    unpaired = TTestIndPower().solve_power(size, power=0.8, alpha=0.05)
    assert units_for_means(difference=difference, deviation=deviation) == math.ceil(unpaired)
    paired = TTestPower().solve_power(size, power=0.8, alpha=0.05)
    assert pairs_for_means(difference=difference, deviation=deviation) == math.ceil(paired)


def test_detectable_means_are_statsmodels() -> None:
    unpaired = TTestIndPower().solve_power(nobs1=60, ratio=0.5, power=0.8, alpha=0.05)
    ours = detectable_mean_difference(n_a=60, n_b=30, deviation_a=1.3, deviation_b=1.3)
    assert ours == pytest.approx(1.3 * unpaired, rel=0.01)
    paired = TTestPower().solve_power(nobs=25, power=0.9, alpha=0.01)
    ours = detectable_paired_mean_difference(n=25, deviation=2.0, confidence=0.99, power=0.9)
    assert ours == pytest.approx(2 * paired, rel=0.01)


@given(st.floats(0, 1), st.floats(0.02, 0.4))
def test_detectable_rates_and_planned_units_are_each_others_inverse(rate: float, difference: float) -> None:
    other = rate + difference if rate <= 0.5 else rate - difference
    n = units_for_rates(rate_a=rate, rate_b=other)
    assert detectable_rate_difference(n_a=n, n_b=n, rate=rate) <= difference + 1e-9
    fewer = detectable_rate_difference(n_a=n - 1, n_b=n - 1, rate=rate)
    assert fewer is None or fewer > difference - 1e-9
    discordance = difference + (1 - difference) * rate
    n = pairs_for_rates(difference=difference, discordance=discordance)
    assert detectable_paired_rate_difference(n=n, discordance=discordance) <= difference + 1e-9
    assert detectable_paired_rate_difference(n=n - 1, discordance=discordance) > difference - 1e-9


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.87, 1.0])
def test_detectable_difference_is_found_with_the_power_and_to_the_other_side_too(rate: float) -> None:
    n = 100
    difference = detectable_rate_difference(n_a=n, n_b=n, rate=rate)
    side = 1 if rate <= 0.5 else -1
    assert 0.8 <= power_of_fisher(n, rate, rate + side * difference) < (0.92 if rate in (0, 1) else 0.83)
    if 0 <= rate - side * difference <= 1:
        assert power_of_fisher(n, rate, rate - side * difference) > 0.78


def test_more_units_find_smaller_differences() -> None:
    found = [detectable_rate_difference(n_a=n, n_b=200, rate=0.8) for n in (20, 50, 200, 1000)]
    assert sorted(found, reverse=True) == found
    found = [detectable_paired_rate_difference(n=n, discordance=0.1) for n in (20, 50, 200, 1000)]
    assert sorted(found, reverse=True) == found
    # Pairs of which none differed say that few do, not that the smallest difference would show.
    assert detectable_paired_rate_difference(n=200, discordance=0.0) > 0.03


def test_too_little_finds_nothing() -> None:
    assert detectable_rate_difference(n_a=0, n_b=1000, rate=0.5) is None
    assert detectable_rate_difference(n_a=3, n_b=3, rate=0.5) is None
    assert detectable_paired_rate_difference(n=0, discordance=0.5) is None
    assert detectable_paired_rate_difference(n=3, discordance=0.5) is None
    assert detectable_mean_difference(n_a=1, n_b=1000, deviation_a=0, deviation_b=1) is None
    assert detectable_mean_difference(n_a=9, n_b=9, deviation_a=0, deviation_b=0) is None
    assert detectable_paired_mean_difference(n=1, deviation=1) is None
    assert detectable_paired_mean_difference(n=9, deviation=0) is None


def test_planned_chains_give_the_permutation_tests_their_power() -> None:
    """Chains of five subtasks, 800 comparisons of a true difference of 0.5: how often p <= 0.05."""
    rng = np.random.default_rng(4)
    weights = np.array([[0.1, 0.1, 0.1, 0.1, 0.1, 0.5], [0.2, 0.1, 0.1, 0.1, 0.1, 0.4]])
    means = weights @ np.arange(6)
    deviation = np.sqrt((weights @ np.arange(6) ** 2 - means**2).mean())
    n = units_for_means(difference=means[0] - means[1], deviation=deviation)
    found = 0
    for i in range(800):
        a, b = (rng.choice(6, size=n, p=p) for p in weights)
        found += permutation_test(a=a, b=b, resamples=499, seed=i).p_value <= 0.05
    assert found / 800 == pytest.approx(0.8, abs=0.05)

    chances = np.array([0.05, 0.05, 0.1, 0.4, 0.2, 0.2])  # of differences from -3 to 2
    values = np.arange(-3, 3)
    spread = np.sqrt(chances @ values**2 - (chances @ values) ** 2)
    pairs = pairs_for_means(difference=chances @ values, deviation=spread)
    found = sum(
        sign_flip_test(differences=rng.choice(values, size=pairs, p=chances)).p_value <= 0.05 for _ in range(800)
    )
    assert found / 800 == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (units_for_rates, {"rate_a": 0.5, "rate_b": 0.5}, "the difference is 0"),
        (units_for_rates, {"rate_a": 87, "rate_b": 0.5}, "rate_a is 87; .* write 3 % as 0.03"),
        (units_for_rates, {"rate_a": 0.6, "rate_b": 0.5, "power": 1}, "power is 1"),
        (units_for_rates, {"rate_a": 0.6, "rate_b": 0.5, "confidence": 95}, "confidence is 95"),
        (pairs_for_rates, {"difference": 0.2, "discordance": 0.1}, "cannot differ by more"),
        (pairs_for_rates, {"difference": 0.0, "discordance": 0.1}, "the difference is 0"),
        (pairs_for_rates, {"difference": 0.2, "discordance": 1.1}, "discordance is 1.1"),
        (units_for_means, {"difference": 0.2, "deviation": 0}, "deviation is 0"),
        (pairs_for_means, {"difference": float("nan"), "deviation": 1}, "the difference is nan"),
        (detectable_rate_difference, {"n_a": -1, "n_b": 2, "rate": 0.5}, "units is -1"),
        (detectable_rate_difference, {"n_a": 1, "n_b": 2, "rate": 5}, "rate is 5"),
        (detectable_paired_rate_difference, {"n": -1, "discordance": 0.5}, "units is -1"),
        (detectable_mean_difference, {"n_a": 5, "n_b": 5, "deviation_a": -1, "deviation_b": 1}, "a deviation is -1"),
        (detectable_paired_mean_difference, {"n": 5, "deviation": 1, "power": 0}, "power is 0"),
    ],
)
def test_what_cannot_be_is_refused(function, arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        function(**arguments)
