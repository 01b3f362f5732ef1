"""Means over strata, such as the tasks of a benchmark, each of which has rollouts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import Estimate, Interval, check_confidence, check_counts, score_interval

_ROUNDING = 1e-14
"""What sums of equal values may be off by."""


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


def clustered_mean(
    *,
    clusters: Sequence[Sequence[Sequence[float]]],
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """A mean over strata whose units come in clusters, such as the repeated trials of each case of each task.

    Trials of one case resemble one another (its start state is easy or hard), so the cases are what chance drew, and
    their trials are no independent units. The method is that of `stratified_mean`, which this gives exactly where every
    cluster holds one unit that is 0 or 1; one stratum of such clusters gives Wilson's interval. With the mean m_t of
    the cluster means of stratum t, and its share w_t of the weights:

        mean  m = sum w_t m_t
        its variance  V = sum w_t^2 V_t,  V_t = max(S_t / C_t, s_t / N_t)
        effective number of units  n* = 1 + m (1 - m) / V

    where S_t is the variance among the C_t cluster means and s_t that among all N_t units (both with n - 1). Clusters
    whose units are more alike make S_t / C_t the larger term. By chance it comes out smaller than independent units
    would make it, which is no knowledge, so those stand in for it then.

    - A stratum with one cluster shows no variance; it is taken to vary as the mean does, m (1 - m).
    - Where nothing varies, V = 0 says too much: n* is then what clusters of one common rate would give,
      1 / sum (w_t^2 / C_t), the number of all clusters where strata are equal.

    Simulated with 15 clusters of three units, alike to every degree, and rates from 0.1 to 0.95, intervals of 95 % hold
    the true mean in 91 to 98 % of cases for values of 0 and 1, and in 89 to 98 % for values in between.

    Args:
        clusters: of each stratum its clusters, of each cluster the values of its units, 0 to 1.
        weights: of each stratum, above 0; None where all count the same. Only their proportions matter.
        confidence: share of intervals that hold the true mean.

    Raises:
        ValueError: no stratum, a stratum without clusters, a cluster without units, values outside 0 to 1, or
            weights that are not one a stratum and above 0.
    """
    check_confidence(confidence)
    if not clusters or not all(clusters) or not all(len(cluster) for stratum in clusters for cluster in stratum):
        raise ValueError("a stratum without clusters, or a cluster without units, has no mean; leave it out")
    shares = np.asarray([1.0] * len(clusters) if weights is None else weights, dtype=np.float64)
    if shares.shape != (len(clusters),) or not (np.isfinite(shares) & (shares > 0)).all():
        raise ValueError(f"weights are {weights}; expected a number above 0 for each of {len(clusters)} strata")
    shares = shares / shares.sum()
    # Sorted, so that sums round alike whatever order the units came in.
    units = [np.sort(np.concatenate([np.asarray(c, dtype=np.float64) for c in stratum])) for stratum in clusters]
    if not all(((values >= 0) & (values <= 1)).all() for values in units):
        raise ValueError("a value lies outside 0 to 1")
    means = [np.sort([float(np.mean(np.sort(cluster))) for cluster in stratum]) for stratum in clusters]
    mean = float(sum(share * of.mean() for share, of in zip(shares, means, strict=True)))
    mean = float(round(mean)) if abs(mean - round(mean)) < _ROUNDING else mean
    common = mean * (1 - mean)
    variances = [
        max(of.var(ddof=1) / of.size, values.var(ddof=1) / values.size) if of.size > 1 else common
        for of, values in zip(means, units, strict=True)
    ]
    variance = float(sum(share**2 * part for share, part in zip(shares, variances, strict=True)))
    number = float(1 / sum(share**2 / of.size for share, of in zip(shares, means, strict=True)))
    effective = 1 + common / variance if variance > _ROUNDING else number
    return Estimate(mean, *score_interval(mean, effective, confidence))


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
