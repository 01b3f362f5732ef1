"""Means over strata, such as the tasks of a benchmark, each of which has rollouts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import Interval, check_confidence, check_counts, score_interval


def stratified_mean(*, successes: Sequence[int], n: Sequence[int], confidence: float = 0.95) -> Interval:
    """Interval of the mean of the strata's success rates, every stratum counting the same.

    The strata are fixed (the benchmark has these tasks and no others); chance acts within each of them alone. So tasks
    that are easy or hard for all of their rollouts add nothing to the uncertainty, and the interval is narrower than
    Wilson's over the pooled rollouts, the more the rates differ. With the rate p_t of n_t units in stratum t of T:

        mean  m  = sum p_t / T
        its variance  V  = sum p_t (1 - p_t) / (n_t - 1) / T^2
        effective number of units  n* = 1 + m (1 - m) / V

    and the ends are Wilson's for the rate m over n* units. Both terms of the fraction are unbiased: m (1 - m) is too
    small by V on average, which the 1 makes good. The effective number is how surveys with strata treat proportions
    (Korn and Graubard 1998, Survey Methodology 24, 193-201); Wilson's formula keeps a width where every unit succeeds.

    - One stratum gives Wilson's interval itself.
    - A stratum with one unit shows no variance; it is taken to vary as the mean does, m (1 - m).
    - Where no stratum varies, V = 0 says too much: n* is then what strata of one common rate would give,
      T^2 / sum 1 / n_t, which for equal n_t is the number of all units. That is wide where the rates differ.

    Args:
        successes: (T,) units that succeeded, by stratum.
        n: (T,) scored units, by stratum; each at least 1.
        confidence: share of intervals that hold the true mean.

    Raises:
        ValueError: no stratum, lengths that differ, a stratum without units, not 0 <= successes <= n, or not
            0 < confidence < 1.
    """
    check_confidence(confidence)
    if not n or len(successes) != len(n):
        raise ValueError(f"{len(successes)} successes and {len(n)} n; expected one of each for every stratum")
    for solved, units in zip(successes, n, strict=True):
        check_counts(solved, units)
    if min(n) < 1:
        raise ValueError("a stratum has no units, so it has no rate; leave the mean out, or the stratum")
    rates = [solved / units for solved, units in zip(successes, n, strict=True)]
    mean = sum(rates) / len(rates)
    common = mean * (1 - mean)
    variances = [p * (1 - p) / (units - 1) if units > 1 else common for p, units in zip(rates, n, strict=True)]
    variance = sum(variances) / len(rates) ** 2
    effective = 1 + common / variance if variance > 0 else len(rates) ** 2 / sum(1 / units for units in n)
    return score_interval(mean, effective, confidence)


def strata_of(strata: Sequence[Any] | NDArray[Any] | None, n: int) -> list[NDArray[np.intp]]:
    """Indices of the units of each stratum, in the order of the labels; without labels, one stratum of all units.

    Raises:
        ValueError: there is not one label for every unit.
    """
    if strata is None:
        return [np.arange(n)]
    labels = np.asarray(strata)
    if labels.shape != (n,):
        raise ValueError(f"strata has the shape {labels.shape}; expected one label for each of the {n} units")
    members = np.unique(labels, return_inverse=True)[1]
    return [np.flatnonzero(members == index) for index in range(members.max(initial=-1) + 1)]
