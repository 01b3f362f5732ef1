"""Success rates: how sure a share of successes is, and what errors could have made of it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """Two ends of a range, both included."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A value as it was observed, and the two ends of its interval."""

    value: float
    low: float
    high: float


def wilson(*, successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a success rate, without continuity correction.

    With the observed rate p = successes / n and the normal quantile z for `confidence`, the ends are

        (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

    It stays inside [0, 1] and keeps its width where all units succeed or all fail, unlike the textbook p -+ z s.
    With n = 0 nothing is known about the rate, so the interval is (0, 1). Units count as independent.

    Raises:
        ValueError: not 0 <= successes <= n, or not 0 < confidence < 1.
    """
    check_counts(successes, n)
    check_confidence(confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    return score_interval(successes / n, n, confidence)


def score_interval(rate: float, n: float, confidence: float) -> Interval:
    """Wilson's formula for a rate over n units, where n > 0 need not be whole: an effective number serves too."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = rate + z * z / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the edges the formula gives exactly 0 or 1; say so without the rounding.
    low = 0.0 if rate == 0 else (centre - spread) / scale
    high = 1.0 if rate == 1 else (centre + spread) / scale
    return Interval(low, high)


def clopper_pearson(*, successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Exact interval of a success rate (Clopper and Pearson 1934, Biometrika 26, 404-413).

    The ends are the rates at which so many successes or more, or so many or fewer, have the probability
    a = (1 - confidence) / 2. They are quantiles of beta distributions, with k successes among n units:

        low = Beta(a; k, n - k + 1),  high = Beta(1 - a; k + 1, n - k).

    It holds the true rate at least as often as `confidence` says, whatever n and the rate; the price is that it is
    wider than Wilson's interval, which does so on average. Use it where a guarantee is asked for. With n = 0 nothing
    is known about the rate, so the interval is (0, 1).

    Raises:
        ValueError: not 0 <= successes <= n, or not 0 < confidence < 1.
    """
    check_counts(successes, n)
    check_confidence(confidence)
    from scipy.special import betaincinv  # here, so that importing this package stays quick

    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high)


def square_and_add(a: Estimate, b: Estimate, correlation: float = 0.0) -> Estimate:
    """Interval of the difference a - b of two rates from the intervals of both (Newcombe 1998, methods 8 and 10).

    With r for the correlation of the two observed rates, zero for independent arms, the ends are

        low  = a - b - sqrt((a - la)^2 - 2 r (a - la) (ub - b) + (ub - b)^2)
        high = a - b + sqrt((ua - a)^2 - 2 r (ua - a) (b - lb) + (b - lb)^2).

    It stays inside [-1, 1] and inherits the width that the two intervals keep where all units succeed or all fail.
    """

    def reach(x: float, y: float) -> float:
        # Never below zero for |r| <= 1, except by rounding.
        return math.sqrt(max(x * x - 2 * correlation * x * y + y * y, 0.0))

    difference = a.value - b.value
    low = difference - reach(a.value - a.low, b.high - b.value)
    high = difference + reach(a.high - a.value, b.value - b.low)
    return Estimate(difference, max(low, -1.0), min(high, 1.0))


def rate_bounds(*, successes: int, n: int, errors: int) -> Interval:
    """The success rate if every error had been a failure, and if every one had been a success.

    This is no confidence interval: it says how far the excluded units could have moved the rate, whatever made
    them fail. Without errors both ends are the rate itself; with no unit at all they are (0, 1). The bounds of an
    average chain length are the sums of those of its positions.

    Args:
        successes: scored units that succeeded.
        n: scored units, errors not among them.
        errors: units that were excluded because the infrastructure failed.

    Raises:
        ValueError: not 0 <= successes <= n, or errors < 0.
    """
    check_counts(successes, n)
    if errors < 0:
        raise ValueError(f"errors is {errors}; it must not be negative")
    total = n + errors
    if total == 0:
        return Interval(0.0, 1.0)
    return Interval(successes / total, (successes + errors) / total)


def check_confidence(confidence: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1, e.g. 0.95")


def check_counts(successes: int, n: int) -> None:
    """Refuse counts that cannot be."""
    if not 0 <= successes <= n:
        raise ValueError(f"successes is {successes} and n is {n}; expected 0 <= successes <= n")
