"""The difference of two arms in one measure: its interval, its test, and what could have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seer_bench.compare.units import Groups
from seer_bench.errors import UsageError
from seer_bench.report.counts import Estimate
from seer_bench.stats import Estimate as StatsEstimate
from seer_bench.stats import (
    Pairs,
    count_pairs,
    detectable_mean_difference,
    detectable_paired_mean_difference,
    detectable_paired_rate_difference,
    detectable_rate_difference,
    mcnemar,
    paired_bootstrap,
    permutation_test,
    sign_flip_test,
    stratified_fisher,
    stratified_paired_difference,
    stratified_unpaired_difference,
    welch,
)

MCNEMAR = "exact McNemar test"
SIGN_FLIP = "paired sign-flip test"
FISHER = "Fisher's exact test"
STRATIFIED_FISHER = "exact Cochran-Mantel-Haenszel test"
PERMUTATION = "permutation test of Welch's t"
NEWCOMBE = "Newcombe"
BOOTSTRAP = "bootstrap"
WELCH = "Welch's t"


@dataclass(frozen=True)
class Difference:
    """One measure in two arms, A minus B."""

    a: float
    b: float
    estimate: Estimate
    """The difference with its 95 % interval, which knows of no other comparison."""
    interval: str
    """Which interval it is."""
    test: str
    """Which two-sided test gave `p_value`."""
    p_value: float
    n_a: int
    """What was counted in A: units, or clusters of them."""
    n_b: int
    """The same in B; of pairs the same number."""
    ahead_a: int | None
    """Pairs in which A scored higher; None without pairs."""
    ahead_b: int | None
    """Pairs in which B scored higher; None without pairs."""
    detectable: float | None
    """The smallest difference that so many units would have shown with 80 % power; None where the units do not tell, or
    none would be shown."""


def compare_paired(
    a: NDArray[np.float64], b: NDArray[np.float64], groups: Groups, *, top: int, tests: int = 1
) -> Difference:
    """Compare the scores of two arms on the same units.

    Outcomes of 0 and 1 are compared by McNemar's exact test and Newcombe's interval, other scores by flipping signs
    and by the bootstrap. Strata count alike. Clusters are what is counted, each by its mean.

    Args:
        a: (m_a, n) score of each of A's checkpoints on each unit.
        b: (m_b, n) score of B's on the same units.
        groups: clusters and strata of the units, at least one.
        top: the highest possible score; 1 for outcomes.
        tests: how many comparisons share the level of 5 %; it counts for `detectable` alone.
    """
    first, second = groups.means(a), groups.means(b)
    gaps = first - second
    whole = math.lcm(len(a), len(b)) * groups.whole
    ahead = int((gaps > 0).sum()), int((gaps < 0).sum())
    confidence = 1 - 0.05 / tests
    means = _mean(first, groups), _mean(second, groups)
    if top == 1 and _binary(first) and _binary(second):
        tables = [_pairs(first[rows], second[rows]) for rows in groups.rows()]
        discordance = sum(ahead) / groups.n
        estimate = stratified_paired_difference(pairs=tables)
        p_value = mcnemar(only_a=ahead[0], only_b=ahead[1])
        detectable = detectable_paired_rate_difference(n=groups.n, discordance=discordance, confidence=confidence)
        names = NEWCOMBE, MCNEMAR
    else:
        estimate = paired_bootstrap(differences=gaps, strata=groups.strata)
        flipped = np.rint(whole * gaps)  # a scale changes no test, and whole numbers are counted exactly
        p_value = sign_flip_test(differences=flipped, strata=groups.strata).p_value
        detectable = _detectable_mean(gaps, groups, sum(ahead) / groups.n, whole, confidence)
        names = BOOTSTRAP, SIGN_FLIP
    return Difference(*means, as_estimate(estimate), *names, p_value, groups.n, groups.n, *ahead, detectable)


def compare_unpaired(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    groups_a: Groups,
    groups_b: Groups,
    *,
    top: int,
    tests: int = 1,
) -> Difference:
    """Compare the scores of two arms on units of their own.

    Outcomes of 0 and 1 are compared by Fisher's exact test and Newcombe's interval, by strata where there are any;
    other scores by dealing them anew and by Welch's interval.

    Args:
        a: (m_a, n_a) score of each of A's checkpoints on each of its units.
        b: (m_b, n_b) score of B's on theirs.
        groups_a: clusters and strata of A's units.
        groups_b: the same of B's, with the same strata.
        top: the highest possible score; 1 for outcomes.
        tests: as in `compare_paired`.

    Raises:
        UsageError: the scores have strata and are no outcomes of 0 and 1, for which there is no such test.
    """
    first, second = groups_a.means(a), groups_b.means(b)
    n = groups_a.n, groups_b.n
    confidence = 1 - 0.05 / tests
    means = _mean(first, groups_a), _mean(second, groups_b)
    if top == 1 and _binary(first) and _binary(second):
        k_a, n_a = _counts(first, groups_a)
        k_b, n_b = _counts(second, groups_b)
        estimate = stratified_unpaired_difference(successes_a=k_a, n_a=n_a, successes_b=k_b, n_b=n_b)
        p_value = stratified_fisher(successes_a=k_a, n_a=n_a, successes_b=k_b, n_b=n_b)
        rate = (sum(k_a) + sum(k_b)) / sum(n)
        detectable = detectable_rate_difference(n_a=n[0], n_b=n[1], rate=rate, confidence=confidence)
        names = NEWCOMBE, FISHER if len(n_a) == 1 else STRATIFIED_FISHER
    elif groups_a.strata is not None:
        raise UsageError(
            "Without pairs, means over checkpoints or over repeated trials cannot be tested task by task. Name one "
            "checkpoint an arm, or play the same units with both arms and leave --unpaired out."
        )
    else:
        estimate = welch(a=first, b=second)
        p_value = permutation_test(a=first, b=second).p_value
        spread = (float(scores.std(ddof=1)) if scores.size > 1 else 0.0 for scores in (first, second))
        deviation_a, deviation_b = spread
        by_size = detectable_mean_difference(
            n_a=n[0], n_b=n[1], deviation_a=deviation_a, deviation_b=deviation_b, confidence=confidence
        )
        # As for pairs: where nearly all scores are the same one, the normal approximation promises too much.
        counts = np.unique(np.concatenate([first, second]), return_counts=True)[1]
        share = 1 - float(counts.max() / counts.sum())
        by_share = detectable_rate_difference(n_a=n[0], n_b=n[1], rate=share, confidence=confidence)
        detectable = None if by_size is None or by_share is None else max(by_size, by_share)
        names = WELCH, PERMUTATION
    return Difference(*means, as_estimate(estimate), *names, p_value, *n, None, None, detectable)


def as_estimate(estimate: StatsEstimate) -> Estimate:
    """The same with None for ends that are not known."""
    known = not (math.isnan(estimate.low) or math.isnan(estimate.high))
    return Estimate(
        float(estimate.value), float(estimate.low) if known else None, float(estimate.high) if known else None
    )


def _pairs(a: NDArray[np.float64], b: NDArray[np.float64]) -> Pairs:
    """Counts of outcomes of 0 and 1."""
    return count_pairs(a=a.astype(bool), b=b.astype(bool))


def _binary(scores: NDArray[np.float64]) -> bool:
    """Whether every score is 0 or 1."""
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _mean(scores: NDArray[np.float64], groups: Groups) -> float:
    """Mean of the strata's means."""
    return float(np.mean([scores[rows].mean() for rows in groups.rows()]))


def _counts(scores: NDArray[np.float64], groups: Groups) -> tuple[Sequence[int], Sequence[int]]:
    """Successes and units of every stratum."""
    return [int(scores[row].sum()) for row in groups.rows()], [row.size for row in groups.rows()]


def _detectable_mean(
    gaps: NDArray[np.float64], groups: Groups, share: float, whole: int, confidence: float
) -> float | None:
    """The smallest difference of means that so many pairs would show; None where no pair differs from another.

    Where few pairs differ, the normal approximation promises what no exact test can keep: it needs a certain share of
    pairs that differ, each by at least one step.
    """
    deviation = _deviation(gaps, groups)
    by_size = detectable_paired_mean_difference(n=groups.n, deviation=deviation, confidence=confidence)
    by_share = detectable_paired_rate_difference(n=groups.n, discordance=share, confidence=confidence)
    if by_size is None or by_share is None:
        return None
    return max(by_size, by_share / whole)


def _deviation(gaps: NDArray[np.float64], groups: Groups) -> float:
    """Standard deviation that makes the standard error of the strata's mean when divided by the root of n.

    A stratum with one unit shows no spread; that over all units stands in for it.
    """
    if gaps.size < 2:
        return 0.0
    parts = [gaps[rows] for rows in groups.rows()]
    overall = float(gaps.var(ddof=1))
    variance = sum((float(part.var(ddof=1)) if part.size > 1 else overall) / part.size for part in parts)
    return math.sqrt(variance * gaps.size) / len(parts)
