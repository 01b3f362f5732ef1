"""Two arms on units of their own: tests and intervals of their difference.

Where both arms ran the same units, the functions of `paired` find smaller differences with as many units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.proportions import (
    Estimate,
    check_confidence,
    check_counts,
    square_and_add,
    wilson,
)
from seer_bench.stats.resampling import (
    BLOCK,
    FEW_SCORES,
    Permutation,
    check_resamples,
    percentile_interval,
    resampled_means,
    sorted_values,
)
from seer_bench.stats.strata import stratified_mean


def unpaired_difference(
    *, successes_a: int, n_a: int, successes_b: int, n_b: int, confidence: float = 0.95
) -> Estimate:
    """The difference of two success rates, A minus B, with Newcombe's interval.

    Method 10 of Newcombe 1998 (Statistics in Medicine 17, 873-890): the distances from either rate to the ends of its
    Wilson interval, squared and added. It stays inside [-1, 1] and keeps a width where all units succeed or all fail.
    With no unit in an arm the value is NaN and the interval (-1, 1): nothing is known.

    Raises:
        ValueError: not 0 <= successes <= n in an arm, or not 0 < confidence < 1.
    """
    ends_a = wilson(successes=successes_a, n=n_a, confidence=confidence)
    ends_b = wilson(successes=successes_b, n=n_b, confidence=confidence)
    if min(n_a, n_b) == 0:
        return Estimate(math.nan, -1.0, 1.0)
    return square_and_add(Estimate(successes_a / n_a, *ends_a), Estimate(successes_b / n_b, *ends_b))


def stratified_unpaired_difference(
    *,
    successes_a: Sequence[int],
    n_a: Sequence[int],
    successes_b: Sequence[int],
    n_b: Sequence[int],
    confidence: float = 0.95,
) -> Estimate:
    """The mean over strata (tasks) of the differences of two rates, every stratum counting the same.

    As `unpaired_difference`, with `stratified_mean` of each arm in place of Wilson's interval. One stratum gives
    `unpaired_difference` itself.

    Args:
        successes_a: (T,) units of arm A that succeeded, by stratum.
        n_a: (T,) units of arm A, by stratum; each at least 1.
        successes_b: (T,) the same of arm B.
        n_b: (T,) the same of arm B.
        confidence: share of intervals that hold the true difference.

    Raises:
        ValueError: the arms have different numbers of strata; or as `stratified_mean` does for each arm.
    """
    _check_strata(n_a, n_b)
    arms = []
    for successes, n in ((successes_a, n_a), (successes_b, n_b)):
        ends = stratified_mean(successes=successes, n=n, confidence=confidence)
        arms.append(Estimate(sum(k / units for k, units in zip(successes, n, strict=True)) / len(n), *ends))
    return square_and_add(arms[0], arms[1])


def fisher(*, successes_a: int, n_a: int, successes_b: int, n_b: int) -> float:
    """Two-sided p value of Fisher's exact test: do two arms have the same success rate?

    Given how many units succeeded in all, those of arm A are hypergeometric if the rates are the same; p is the
    probability of all counts no likelier than the observed one (Fisher 1935, Journal of the Royal Statistical Society
    98, 39-82). It keeps its level whatever the rates. Unconditional tests (Barnard, Boschloo) find slightly more with
    few units; this one extends to strata, takes no search over an unknown rate and is quick at any size. An arm
    without units gives p = 1.

    Raises:
        ValueError: not 0 <= successes <= n in an arm.
    """
    return stratified_fisher(successes_a=[successes_a], n_a=[n_a], successes_b=[successes_b], n_b=[n_b])


def stratified_fisher(
    *, successes_a: Sequence[int], n_a: Sequence[int], successes_b: Sequence[int], n_b: Sequence[int]
) -> float:
    """Two-sided p value of the exact Cochran-Mantel-Haenszel test: have two arms the same rate in every stratum?

    Within each stratum (task) the successes of arm A are hypergeometric given all successes there; the statistic is
    their sum, its distribution the convolution over the strata, and p the probability of all sums no likelier than the
    observed one (Mehta, Patel and Gray 1985, JASA 80, 969-973). Differences between the tasks do not weaken it, as they
    do in a test of the pooled counts. It looks for one arm ahead overall: opposite differences in two tasks cancel.
    One stratum gives Fisher's exact test; strata where either arm has no unit say nothing.

    Args:
        successes_a: (T,) units of arm A that succeeded, by stratum.
        n_a: (T,) units of arm A, by stratum.
        successes_b: (T,) the same of arm B.
        n_b: (T,) the same of arm B.

    Raises:
        ValueError: no stratum, lengths that differ, or not 0 <= successes <= n.
    """
    _check_strata(n_a, n_b)
    if len(successes_a) != len(n_a) or len(successes_b) != len(n_b):
        raise ValueError("successes and n have different lengths; expected one of each for every stratum")
    probability = np.ones(1)
    observed = 0
    for k_a, size_a, k_b, size_b in zip(successes_a, n_a, successes_b, n_b, strict=True):
        check_counts(k_a, size_a)
        check_counts(k_b, size_b)
        fewest = max(0, k_a + k_b - size_b)
        observed += k_a - fewest
        probability = np.convolve(probability, _hypergeometric(size_a, size_b, k_a + k_b))
    # Counts as likely as the observed one but for rounding count as equally likely.
    return min(1.0, float(probability[probability <= probability[observed] * (1 + 1e-7)].sum()))


def _check_strata(n_a: Sequence[int], n_b: Sequence[int]) -> None:
    """Refuse arms with different numbers of strata, or none."""
    if not len(n_a) or len(n_a) != len(n_b):
        raise ValueError(f"arm A has {len(n_a)} strata and arm B {len(n_b)}; expected the same ones, at least one")


def _hypergeometric(n_a: int, n_b: int, successes: int) -> NDArray[np.float64]:
    """Probabilities of the successes that fall to arm A, from the fewest to the most possible."""
    from scipy.special import gammaln  # here, so that importing this package stays quick

    k = np.arange(max(0, successes - n_b), min(n_a, successes) + 1)
    logarithm = -(gammaln(k + 1) + gammaln(n_a - k + 1) + gammaln(successes - k + 1) + gammaln(n_b - successes + k + 1))
    weight = np.exp(logarithm - logarithm.max())
    probability: NDArray[np.float64] = weight / weight.sum()
    return probability


def permutation_test(
    *,
    a: Sequence[float] | NDArray[Any],
    b: Sequence[float] | NDArray[Any],
    resamples: int = 10_000,
    seed: int = 0,
) -> Permutation:
    """Permutation test of two means, such as average chain lengths: do two arms have the same one?

    All scores are dealt anew to arms of the sizes of A and B, in every way if there are at most `resamples` of them.
    Else that many are drawn, and p = (1 + those at least as extreme) / (1 + resamples) (Phipson and Smyth 2010,
    Statistical Applications in Genetics and Molecular Biology 9, 39). The
    statistic is Welch's t, not the bare difference: it keeps the level for large arms even where the spreads differ
    (Janssen 1997, Statistics and Probability Letters 36, 9-21), and for equal distributions it is exact at any size.

    An arm with fewer than two units, or scores that are all equal, give p = 1. The order of the units does not matter.

    Args:
        a: (n_a,) scores of arm A, one a unit.
        b: (n_b,) scores of arm B.
        resamples: how often the scores are dealt at most; the smallest possible p is 1 / (resamples + 1).
        seed: of this function's own generator.

    Raises:
        ValueError: scores are not finite or have more than one axis, or resamples < 1.
    """
    check_resamples(resamples)
    first, second = sorted_values("a", a), sorted_values("b", b)
    scores = np.sort(np.concatenate([first, second]))
    if min(first.size, second.size) < 2 or scores[0] == scores[-1]:
        return Permutation(1.0, True)
    # A shift changes no t, and keeps the squares from swallowing the spread.
    scores, first = scores - scores.mean(), first - scores.mean()
    total, squares = float(scores.sum()), float(scores @ scores)

    def t_of(sums: Any, powers: Any) -> NDArray[np.float64]:
        return _welch_t(sums, powers, first.size, total - sums, squares - powers, second.size)

    # Dealings that are as extreme but for rounding count as extreme.
    extreme = float(t_of(first.sum(), first @ first)) * (1 - 1e-9)
    if math.comb(scores.size, first.size) <= resamples:
        every = scores[np.array(list(combinations(range(scores.size), first.size)))]
        t = t_of(every.sum(axis=1), (every**2).sum(axis=1))
        return Permutation(float(np.mean(t >= extreme)), True)
    rng = np.random.default_rng(seed)
    distinct, counts = np.unique(scores, return_counts=True)
    few = distinct.size <= FEW_SCORES
    block = max(1, BLOCK // (distinct.size if few else scores.size))
    reached = 0
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        if few:
            dealt = rng.multivariate_hypergeometric(counts, first.size, size=rows, method="marginals")
            t = t_of(dealt @ distinct, dealt @ distinct**2)
        else:
            dealt = rng.permuted(np.tile(scores, (rows, 1)), axis=1)[:, : first.size]
            t = t_of(dealt.sum(axis=1), (dealt**2).sum(axis=1))
        reached += int(np.count_nonzero(t >= extreme))
    return Permutation((1 + reached) / (1 + resamples), False)


def _welch_t(sum_a: Any, squares_a: Any, n_a: int, sum_b: Any, squares_b: Any, n_b: int) -> NDArray[np.float64]:
    """Absolute value of Welch's t from sums and sums of squares; infinite where two constant arms differ."""
    gap = np.abs(sum_a / n_a - sum_b / n_b)
    variance_a = np.maximum(squares_a - sum_a**2 / n_a, 0) / (n_a - 1) / n_a
    variance_b = np.maximum(squares_b - sum_b**2 / n_b, 0) / (n_b - 1) / n_b
    error = np.sqrt(variance_a + variance_b)
    # Rounding leaves a tiny spread where there is none.
    scale = np.sqrt((squares_a + squares_b) / (n_a + n_b))
    none = error <= 1e-7 * scale / math.sqrt(n_a + n_b)
    t: NDArray[np.float64] = np.where(none, np.where(gap > 1e-7 * scale, np.inf, 0.0), gap / np.where(none, 1.0, error))
    return t


def welch(
    *, a: Sequence[float] | NDArray[Any], b: Sequence[float] | NDArray[Any], confidence: float = 0.95
) -> Estimate:
    """The difference of two means, A minus B, with Welch's t interval (Welch 1947, Biometrika 34, 28-35).

    Made for means such as average chain lengths, whose arms may spread differently; scores need not be normal where
    there are many. An arm without units gives NaN throughout; with a single unit in an arm both ends are NaN, as its
    spread is unknown. Where all scores of both arms are equal, both ends are the value: a limit, so show n.

    Raises:
        ValueError: scores are not finite or have more than one axis, or not 0 < confidence < 1.
    """
    check_confidence(confidence)
    first, second = sorted_values("a", a), sorted_values("b", b)
    if min(first.size, second.size) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    difference = float(first.mean() - second.mean())
    if min(first.size, second.size) == 1:
        return Estimate(difference, math.nan, math.nan)
    error, freedom = welch_error(float(first.std(ddof=1)), first.size, float(second.std(ddof=1)), second.size)
    if error == 0:
        return Estimate(difference, difference, difference)
    from scipy.special import stdtrit  # here, so that importing this package stays quick

    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return Estimate(difference, difference - reach, difference + reach)


def welch_error(deviation_a: float, n_a: int, deviation_b: float, n_b: int) -> tuple[float, float]:
    """Standard error of a difference of means and its degrees of freedom (infinite where nothing varies)."""
    part_a, part_b = deviation_a**2 / n_a, deviation_b**2 / n_b
    if part_a + part_b == 0:
        return 0.0, math.inf
    # Shares of the whole, so that tiny spreads do not vanish when squared.
    share_a, share_b = part_a / (part_a + part_b), part_b / (part_a + part_b)
    return math.sqrt(part_a + part_b), 1 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))


def unpaired_bootstrap(
    *,
    a: Sequence[float] | NDArray[Any],
    b: Sequence[float] | NDArray[Any],
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """The difference of two means, A minus B, with its percentile bootstrap interval.

    Each arm's units are drawn with replacement on their own, as `bootstrap_mean` draws them, whose limits apply: an
    arm with fewer than two units gives NaN ends (without units, a NaN value too), and arms that do not vary give both
    ends equal to the value. With fewer than some 20 units an arm, `welch` is the better choice.

    Raises:
        ValueError: scores are not finite or have more than one axis; confidence or resamples make no sense.
    """
    check_confidence(confidence)
    check_resamples(resamples)
    first, second = sorted_values("a", a), sorted_values("b", b)
    if min(first.size, second.size) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    difference = float(first.mean() - second.mean())
    if min(first.size, second.size) == 1:
        return Estimate(difference, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    means = resampled_means(first, resamples, rng) - resampled_means(second, resamples, rng)
    return Estimate(difference, *percentile_interval(means, confidence))
