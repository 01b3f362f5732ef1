"""How many units a comparison needs, and which difference it could have found.

All functions are about two-sided tests at the level 1 - confidence that find a true difference with the probability
`power`. z is the normal quantile for `confidence`, w that for `power`: 1.96 and 0.84 for 0.95 and 0.8.

For success rates the exact tests of this package decide (`fisher`, `mcnemar`), which count in whole units. A correction
for continuity accounts for that: with n units by the uncorrected formula and the difference d, an exact test needs

    n / 4 (1 + sqrt(1 + 4 / (n d)))^2,

which is about n + 2 / d (Casagrande, Pike and Smith 1978, Biometrics 34, 483-486). The formulas are approximations on
the safe side: by exact calculation, the power reached was 0.80 to 0.86 where 0.8 was asked for, and 0.91 at most, where
no unit of one arm succeeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from seer_bench.stats.proportions import check_confidence
from seer_bench.stats.unpaired import welch_error


def units_for_rates(*, rate_a: float, rate_b: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Units that each of two unpaired arms needs to tell two success rates apart by Fisher's exact test.

    With p for the mean of the rates a and b, and d for their distance, before the correction for continuity:

        n = (z sqrt(2 p (1 - p)) + w sqrt(a (1 - a) + b (1 - b)))^2 / d^2

    (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, section 4.2). A stratified comparison
    needs fewer where the strata differ.

    Raises:
        ValueError: a rate is outside [0, 1], the rates are equal, or confidence or power is outside (0, 1).
    """
    _check_rate("rate_a", rate_a)
    _check_rate("rate_b", rate_b)
    z, w = _quantiles(confidence, power)
    distance = _check_difference(abs(rate_a - rate_b))
    mean = (rate_a + rate_b) / 2
    root = z * math.sqrt(2 * mean * (1 - mean)) + w * math.sqrt(rate_a * (1 - rate_a) + rate_b * (1 - rate_b))
    return _corrected((root / distance) ** 2, distance)


def pairs_for_rates(*, difference: float, discordance: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Units that two paired arms need to tell two success rates apart by McNemar's exact test.

    With c for the share of pairs whose two outcomes differ, before the correction for continuity:

        n = (z sqrt(c) + w sqrt(c - d^2))^2 / d^2

    (Connor 1987, Biometrics 43, 207-211). Arms whose outcomes have nothing to do with one another differ in
    c = a (1 - b) + b (1 - a); the same units usually make c smaller, and then fewer are needed.

    Raises:
        ValueError: not 0 < |difference| <= discordance <= 1, or confidence or power is outside (0, 1).
    """
    _check_rate("discordance", discordance)
    z, w = _quantiles(confidence, power)
    distance = _check_difference(abs(difference))
    if distance > discordance:
        raise ValueError(
            f"the difference is {distance} and discordance {discordance}; rates cannot differ by more than the share "
            "of pairs that differ"
        )
    root = z * math.sqrt(discordance) + w * math.sqrt(discordance - distance**2)
    return _corrected((root / distance) ** 2, distance)


def units_for_means(*, difference: float, deviation: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Units that each of two unpaired arms needs to tell two means apart, such as average chain lengths.

    n = 2 (s (z + w) / d)^2 + z^2 / 4, with s for the standard deviation of the scores in either arm; the last term is
    what Student's t costs over the normal distribution (Guenther 1981, The American Statistician 35, 243-244).

    Raises:
        ValueError: the difference is 0, deviation is not above 0, or confidence or power is outside (0, 1).
    """
    z, w = _quantiles(confidence, power)
    ratio = _check_deviation(deviation) * (z + w) / _check_difference(abs(difference))
    return max(2, math.ceil(2 * ratio**2 + z**2 / 4))


def pairs_for_means(*, difference: float, deviation: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Units that two paired arms need to tell two means apart.

    n = (s (z + w) / d)^2 + z^2 / 2, with s for the standard deviation of the units' differences (Guenther 1981).

    Raises:
        ValueError: the difference is 0, deviation is not above 0, or confidence or power is outside (0, 1).
    """
    z, w = _quantiles(confidence, power)
    ratio = _check_deviation(deviation) * (z + w) / _check_difference(abs(difference))
    return max(2, math.ceil(ratio**2 + z**2 / 2))


def detectable_rate_difference(
    *, n_a: int, n_b: int, rate: float, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest difference of two success rates that two unpaired arms of these sizes would probably find.

    The formula of `units_for_rates`, solved for the difference. One arm has `rate`; the other is taken to lie towards
    1/2, where units tell less, so that a difference to the other side would be found too. None: these units would find
    no difference, however large.

    Raises:
        ValueError: a number of units is negative, or rate, confidence or power is out of range.
    """
    _check_units(n_a, n_b)
    _check_rate("rate", rate)
    z, w = _quantiles(confidence, power)
    if min(n_a, n_b) == 0:
        return None
    inverse = 1 / n_a + 1 / n_b

    def margin(distance: float) -> float:
        other = rate + distance if rate <= 0.5 else rate - distance
        mean = (n_a * rate + n_b * other) / (n_a + n_b)
        chance = z * math.sqrt(max(0.0, mean * (1 - mean)) * inverse)
        spread = w * math.sqrt(rate * (1 - rate) / n_a + max(0.0, other * (1 - other)) / n_b)
        return distance - inverse / 2 - chance - spread

    return _smallest(margin, max(rate, 1 - rate))


def detectable_paired_rate_difference(
    *, n: int, discordance: float, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest difference of two success rates that so many pairs would probably find.

    The formula of `pairs_for_rates`, solved for the difference, with `discordance` the share of pairs that differ. A
    difference above that share needs more pairs to differ; it is then taken as the share itself. None: these pairs
    would find no difference, however large.

    Raises:
        ValueError: n is negative, or discordance, confidence or power is out of range.
    """
    _check_units(n)
    _check_rate("discordance", discordance)
    z, w = _quantiles(confidence, power)
    if n == 0:
        return None

    def margin(distance: float) -> float:
        share = max(discordance, distance)
        return distance - 1 / n - (z * math.sqrt(share) + w * math.sqrt(share - distance**2)) / math.sqrt(n)

    return _smallest(margin, 1.0)


def detectable_mean_difference(
    *, n_a: int, n_b: int, deviation_a: float, deviation_b: float, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest difference of two means that two unpaired arms would probably find.

    It is (t + u) times the standard error, with the quantiles of Student's t for `confidence` and `power` at Welch's
    degrees of freedom. None: an arm has fewer than two units, or no unit of either varies, which says nothing about
    the next one.

    Raises:
        ValueError: a number of units or a deviation is negative, or confidence or power is outside (0, 1).
    """
    _check_units(n_a, n_b)
    _check_spread(deviation_a, deviation_b)
    _quantiles(confidence, power)
    if min(n_a, n_b) < 2:
        return None
    return _detectable(*welch_error(deviation_a, n_a, deviation_b, n_b), confidence, power)


def detectable_paired_mean_difference(
    *, n: int, deviation: float, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest difference of two means that so many pairs would probably find.

    As `detectable_mean_difference`, with the standard deviation of the units' differences. None: fewer than two
    pairs, or no difference varies.

    Raises:
        ValueError: n or deviation is negative, or confidence or power is outside (0, 1).
    """
    _check_units(n)
    _check_spread(deviation)
    _quantiles(confidence, power)
    if n < 2:
        return None
    return _detectable(deviation / math.sqrt(n), n - 1, confidence, power)


def _detectable(error: float, freedom: float, confidence: float, power: float) -> float | None:
    """Difference that a t test with this standard error finds with this power; None without an error."""
    from scipy.special import stdtrit  # here, so that importing this package stays quick

    if error == 0:
        return None
    return float(stdtrit(freedom, (1 + confidence) / 2) + stdtrit(freedom, power)) * error


def _corrected(n: float, distance: float) -> int:
    """Whole number of units after the correction for continuity."""
    return math.ceil(n / 4 * (1 + math.sqrt(1 + 4 / (n * distance))) ** 2)


def _smallest(margin: Callable[[float], float], largest: float) -> float | None:
    """Where the margin rises above zero, by bisection; None where it never does."""
    if margin(largest) < 0:
        return None
    low, high = 0.0, largest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if margin(middle) >= 0 else (middle, high)
    return high


def _quantiles(confidence: float, power: float) -> tuple[float, float]:
    """The normal quantiles of a two-sided level and of the power, which must make sense."""
    check_confidence(confidence)
    if not 0 < power < 1:
        raise ValueError(f"power is {power}; it must lie between 0 and 1, e.g. 0.8")
    normal = NormalDist()
    return normal.inv_cdf((1 + confidence) / 2), normal.inv_cdf(power)


def _check_rate(name: str, rate: float) -> None:
    """Refuse a share outside [0, 1]."""
    if not 0 <= rate <= 1:
        raise ValueError(f"{name} is {rate}; it must lie between 0 and 1, so write 3 % as 0.03")


def _check_difference(difference: float) -> float:
    """Refuse a difference that no number of units shows."""
    if not 0 < difference < math.inf:
        raise ValueError(f"the difference is {difference}; no number of units shows that")
    return difference


def _check_deviation(deviation: float) -> float:
    """Refuse a standard deviation from which nothing can be planned."""
    if not 0 < deviation < math.inf:
        raise ValueError(f"deviation is {deviation}; it must be above 0 to plan with")
    return deviation


def _check_spread(*deviations: float) -> None:
    """Refuse a standard deviation that cannot be."""
    for deviation in deviations:
        if not 0 <= deviation < math.inf:
            raise ValueError(f"a deviation is {deviation}; it must not be negative")


def _check_units(*counts: int) -> None:
    """Refuse a negative number of units."""
    for n in counts:
        if n < 0:
            raise ValueError(f"a number of units is {n}; it must not be negative")
