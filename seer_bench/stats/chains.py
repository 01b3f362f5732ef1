"""Chains of subtasks: rates by position and the uncertainty of their average length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import Interval, check_confidence
from seer_bench.stats.resampling import (
    check_resamples,
    exact_percentile_interval,
    percentile_interval,
    resampled_means,
    sorted_values,
)


def chain_rates(*, solved: Sequence[int] | NDArray[np.integer[Any]], length: int) -> NDArray[np.float64]:
    """Share of chains in which at least i subtasks were solved, for i = 1 .. length.

    The sum of the rates is the average length. Without chains every rate is NaN: there is nothing to report.

    Args:
        solved: (n,) solved subtasks of each chain, 0 .. length.
        length: subtasks in a chain, at least 1.

    Returns:
        (length,) float64, never increasing.

    Raises:
        ValueError: `solved` is not such an array.
    """
    counts = np.asarray(solved)
    if length < 1:
        raise ValueError(f"length is {length}; it must be at least 1")
    if counts.ndim != 1 or (counts.size and not np.issubdtype(counts.dtype, np.integer)):
        raise ValueError(f"solved is {counts.dtype} {counts.shape}; expected integers (n,)")
    if counts.size == 0:
        return np.full(length, np.nan)
    if counts.min() < 0 or counts.max() > length:
        raise ValueError(f"solved reaches from {counts.min()} to {counts.max()}; expected 0 to {length}")
    return np.array([np.mean(counts >= position) for position in range(1, length + 1)])


def bootstrap_mean(
    *,
    values: Sequence[float] | NDArray[Any],
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a mean over chains (Efron and Tibshirani 1993, chapter 13).

    Samples of as many chains as there are are drawn with replacement; the ends are quantiles of their means. Subtasks
    of one chain depend on one another, so the chain is what is drawn. For whole scores such as solved subtasks nothing
    is left to chance: the means of all possible samples have a distribution that is computed exactly. For others
    `resamples` samples are drawn. The same values in any order, with the same seed, give the same interval; the global
    random state is neither read nor changed.

    - With fewer than two values there is no spread to draw from: both ends are NaN.
    - Where all values are equal, both ends are that value. This is a limit of the method and no certainty: show n.
    - With few values (n < 20, say) the interval is too narrow.

    Args:
        values: (n,) scores, one a chain, e.g. the number of solved subtasks.
        confidence: share of intervals that hold the true mean, for large n.
        resamples: how many samples are drawn where any are; memory does not grow with n times `resamples`.
        seed: of this function's own generator.

    Raises:
        ValueError: values are not finite or have more than one axis; confidence or resamples make no sense.
    """
    check_confidence(confidence)
    check_resamples(resamples)
    scores = sorted_values("values", values)
    if scores.size < 2:
        return Interval(np.nan, np.nan)
    if scores[0] == scores[-1]:
        return Interval(float(scores[0]), float(scores[0]))
    exact = exact_percentile_interval(scores, confidence)
    if exact is not None:
        return exact
    return percentile_interval(resampled_means(scores, resamples, np.random.default_rng(seed)), confidence)
