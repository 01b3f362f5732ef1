"""What permutation tests and bootstraps share: checked values, resampled means, their quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import Interval

# Up to so many distinct scores a resample is drawn as counts of each score instead of one by one.
FEW_SCORES = 32
# Resampled values held in memory at once (32 MiB of int64 indices and float64 values together).
BLOCK = 1 << 21
# Distances of whole scores up to which the distribution of their mean is computed instead of sampled.
_LARGEST_STEP = 1000


class Permutation(NamedTuple):
    """Result of a permutation test.

    Attributes:
        p_value: two-sided, in (0, 1].
        exact: whether every permutation was counted; otherwise they were drawn at random, with a seed, and the
            smallest possible p value is 1 / (resamples + 1).
    """

    p_value: float
    exact: bool


def check_resamples(resamples: int) -> None:
    """Refuse a number of resamples below one."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; it must be at least 1")


def sorted_values(name: str, values: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """The values as float64 in rising order, so that no result depends on the order of the units.

    Raises:
        ValueError: they are not finite or have more than one axis.
    """
    return np.sort(finite_values(name, values))


def finite_values(name: str, values: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """The values as float64 in their own order.

    Raises:
        ValueError: they are not finite or have more than one axis.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"{name} have the shape {scores.shape} or are not finite; expected finite numbers (n,)")
    return scores


def resampled_means(
    scores: NDArray[np.float64], resamples: int, rng: np.random.Generator, draws: int | None = None
) -> NDArray[np.float64]:
    """Means of `resamples` samples of `draws` scores (default: all) with replacement, in blocks of bounded memory."""
    size = scores.size if draws is None else draws
    distinct, counts = np.unique(scores, return_counts=True)
    few = distinct.size <= FEW_SCORES
    block = max(1, BLOCK // (distinct.size if few else size))
    means = np.empty(resamples)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        if few:
            drawn = rng.multinomial(size, counts / scores.size, size=rows)
            means[start : start + rows] = drawn @ distinct / size
        else:
            means[start : start + rows] = scores[rng.integers(scores.size, size=(rows, size))].mean(axis=1)
    return means


def exact_percentile_interval(scores: NDArray[np.float64], confidence: float) -> Interval | None:
    """What `percentile_interval` of infinitely many `resampled_means` tends to, for whole scores; None for others.

    The sum of n draws has the n-fold convolution of the scores' distribution: the n-th power of its Fourier transform,
    taken over a circle of sums so wide that all others together have a probability below 1e-30 (Bernstein).

    Args:
        scores: (n,) in rising order, at least one.
        confidence: share of the means between the ends.
    """
    n, steps = scores.size, scores - scores[0]
    distinct, counts = np.unique(steps, return_counts=True)
    if distinct[-1] > _LARGEST_STEP or not (distinct == np.rint(distinct)).all():
        return None
    shares = counts / n
    mean = float(shares @ distinct)
    reach = 12 * math.sqrt(n * float(shares @ (distinct - mean) ** 2)) + 50 * float(distinct[-1]) + 1
    width = 1 << math.ceil(math.log2(2 * reach))
    circle = np.zeros(width)
    circle[distinct.astype(np.intp)] = shares
    lowest = math.floor(n * mean - reach)
    chances = np.roll(np.fft.irfft(np.fft.rfft(circle) ** n, width), -lowest % width)
    tail = (1 - confidence) / 2
    # A chance that equals the tail but for rounding counts as equal.
    low, high = (lowest + np.searchsorted(np.cumsum(chances) + 1e-12, [tail, 1 - tail])) / n
    return Interval(float(scores[0] + low), float(scores[0] + high))


def percentile_interval(values: NDArray[np.float64], confidence: float) -> Interval:
    """The quantiles that leave half of 1 - confidence on either side."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
