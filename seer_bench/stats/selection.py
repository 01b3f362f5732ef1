"""The best checkpoints, chosen on the very units they are then judged by.

A mean over the best k of m checkpoints is too high: chance decides with the policies' merit which ones are best, and
the same chance then counts in their favour. The more checkpoints, and the closer they are, the more it adds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import Estimate, check_confidence
from seer_bench.stats.resampling import check_resamples
from seer_bench.stats.strata import strata_of


class Selection(NamedTuple):
    """What a mean over the best checkpoints is worth.

    Attributes:
        chosen: rows of the chosen checkpoints, best first.
        selected: mean over the chosen ones, as papers report it, with an interval for the true mean of these
            checkpoints that allows for the choice. The value is no unbiased estimate and often lies in the upper
            part of the interval.
        unselected: mean over all checkpoints, with its interval; no choice was made, so it is not biased.
        optimism: the most that the choice can have added to the selected mean, on average: what it adds where all
            checkpoints are in truth equally good.
    """

    chosen: tuple[int, ...]
    selected: Estimate
    unselected: Estimate
    optimism: float


def select_best(
    *,
    scores: Sequence[Sequence[float]] | NDArray[Any],
    best: int,
    top: float = 1.0,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    confidence: float = 0.95,
    resamples: int = 20_000,
    seed: int = 0,
) -> Selection:
    """The mean over the best k of m checkpoints with an interval that allows for having chosen them.

    Each checkpoint's mean is off by an error of its own; the errors are jointly normal for many units, with the
    covariance that the units show (checkpoints that fail on the same units err together). Two arguments make the ends,
    whatever the true means are:

    - Low: the chosen checkpoints' mean error is never larger than U, the mean of the k largest of all m errors. So the
      low end is the selected mean less the upper quantile of U, from errors drawn with that covariance. No less would
      do where all checkpoints are equally good; it is cautious where some are clearly worse and never had a chance.
      This is simultaneous inference over all choices (Berk et al. 2013, Annals of Statistics 41, 802-837).
    - High: the truly best k have a true mean no lower than the chosen ones, and an observed mean no higher. So the
      choice needs no allowance upwards, and the high end is the usual one, with the chosen checkpoints' standard error.

    Both ends come from the scores with z^2 imagined units added, half of which every checkpoint solves and half none
    (Agresti and Coull 1998, The American Statistician 52, 119-126), which keeps a width where all units are solved.
    With one checkpoint, or best = m, nothing is chosen, and the interval is that of Agresti and Coull.

    The order of the units does not matter; that of the checkpoints moves the low end by the noise of the draws, some
    hundredths of the interval's width.

    Limits: units are independent (within their strata), and there are enough of them for normal errors: some dozens.
    The interval is about the chosen checkpoints on this benchmark. It does not cover a choice made elsewhere too,
    such as that of the training run, nor says what the next training run would give.

    Args:
        scores: (m, n) score of each checkpoint on each unit, 0 to `top`; the same units in the same order.
        best: k, how many checkpoints are chosen by their mean; of equal ones the earlier row.
        top: the highest possible score: 1 for success, 5 for chains of five subtasks.
        strata: (n,) labels, such as tasks; means are then those of the strata's means, and chance acts within each.
            Where a stratum has a single unit, its spread is unknown, and the spread over all units stands in for it,
            which is cautious.
        confidence: share of intervals, at least, that hold the true mean of the chosen checkpoints.
        resamples: how many times errors are drawn.
        seed: of this function's own generator.

    Raises:
        ValueError: scores are not such an array or have no units; best is not from 1 to m; the rest makes no sense.
    """
    check_confidence(confidence)
    check_resamples(resamples)
    table = _check_scores(scores, best, top)
    m, n = table.shape
    groups = strata_of(strata, n)
    means, covariance = _means(table, groups)
    chosen = np.argsort(-means, kind="stable")[:best]
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre, spread = _with_imagined_units(means, covariance, n, top, z * z)

    allowance = optimism = 0.0
    if best < m:
        rng = np.random.default_rng(seed)
        errors = rng.multivariate_normal(np.zeros(m), spread, size=resamples, method="eigh", check_valid="ignore")
        largest = np.partition(errors, m - best, axis=1)[:, m - best :].mean(axis=1)
        allowance = float(np.quantile(largest, (1 + confidence) / 2))
        # The imagined units made all errors smaller by n / (n + z^2); this is no place for that.
        optimism = max(0.0, float(largest.mean()) * (n + z * z) / n)

    def ends(rows: NDArray[np.intp], down: float) -> tuple[float, float]:
        error = math.sqrt(max(0.0, float(spread[np.ix_(rows, rows)].mean())))
        middle = float(centre[rows].mean())
        return max(0.0, middle - max(down, z * error)), min(top, middle + z * error)

    return Selection(
        tuple(int(row) for row in chosen),
        Estimate(float(means[chosen].mean()), *ends(chosen, allowance)),
        Estimate(float(means.mean()), *ends(np.arange(m), 0.0)),
        optimism,
    )


def _check_scores(scores: Sequence[Sequence[float]] | NDArray[Any], best: int, top: float) -> NDArray[np.float64]:
    """The scores as an (m, n) array that can be judged."""
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"scores have the shape {table.shape}; expected (checkpoints, units), at least one of each")
    if not 0 < top < math.inf:
        raise ValueError(f"top is {top}; it must be the highest possible score, above 0")
    if not ((table >= 0) & (table <= top)).all():
        raise ValueError(f"scores reach from {table.min()} to {table.max()}; expected 0 to {top}")
    if not 1 <= best <= len(table):
        raise ValueError(f"best is {best} of {len(table)} checkpoints; expected 1 to {len(table)}")
    return table


def _means(
    table: NDArray[np.float64], groups: list[NDArray[np.intp]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each checkpoint over the strata, (m,), and the covariance of these means, (m, m)."""
    # Units are sorted within their stratum, so that sums round alike whatever order they came in.
    parts = [table[:, group][:, np.lexsort(table[:, group])] for group in groups]
    means = np.mean([part.mean(axis=1) for part in parts], axis=0)
    if min(part.shape[1] for part in parts) < 2:
        parts = [table[:, np.lexsort(table)]]
    covariance = np.zeros((len(table), len(table)))
    for part in parts:
        size = part.shape[1]
        off = part - part.mean(axis=1, keepdims=True)
        covariance += off @ off.T / max(1, size - 1) / size
    return means, covariance / len(parts) ** 2


def _with_imagined_units(
    means: NDArray[np.float64], covariance: NDArray[np.float64], n: int, top: float, added: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and their covariance once half of `added` units score `top` and half 0 with every checkpoint."""
    size = n + added
    centre = (n * means + added / 2 * top) / size
    off, above = means - centre, top - centre
    squares = n**2 * covariance + n * np.outer(off, off)
    squares += added / 2 * (np.outer(above, above) + np.outer(centre, centre))
    return centre, squares / size**2
