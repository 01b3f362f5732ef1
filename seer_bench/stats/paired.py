"""Two arms on the same units: tests and intervals of their difference.

A unit that both arms tried says more than two units that one arm each tried: what makes it easy or hard acts on both.
Use these functions where each unit of arm A has its partner in arm B, and `unpaired` elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seer_bench.stats.chains import bootstrap_mean
from seer_bench.stats.proportions import Estimate, check_confidence, square_and_add
from seer_bench.stats.resampling import (
    BLOCK,
    Permutation,
    check_resamples,
    finite_values,
    percentile_interval,
    resampled_means,
)
from seer_bench.stats.strata import strata_of, stratified_mean

# Exact distributions reach up to this sum of absolute differences; the work grows with its square.
_LARGEST_TOTAL = 20_000
# Up to so many differences that are no whole numbers, all 2^n signs are tried.
_FEW_DIFFERENCES = 16


class Pairs(NamedTuple):
    """Units counted by what became of them in two arms, A and B."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        """Number of pairs."""
        return sum(self)


def count_pairs(*, a: Sequence[bool] | NDArray[Any], b: Sequence[bool] | NDArray[Any]) -> Pairs:
    """Count the units that both arms solved, only A, only B, and neither.

    Args:
        a: (n,) outcomes of arm A, one a unit: booleans, or 0 and 1.
        b: (n,) outcomes of arm B on the same units in the same order.

    Raises:
        ValueError: the shapes differ, or an outcome is neither true nor false.
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"a has the shape {first.shape} and b {second.shape}; expected (n,) twice")
    for outcomes in (first, second):
        if not np.isin(outcomes, (0, 1)).all():
            raise ValueError("an outcome is neither 0 nor 1; expected success or failure of each unit")
    both, ones, others = (int(np.count_nonzero(x)) for x in (first * second, first, second))
    return Pairs(both, ones - both, others - both, first.size - ones - others + both)


def mcnemar(*, only_a: int, only_b: int) -> float:
    """Exact two-sided p value of McNemar's test: is one arm ahead on the pairs that differ?

    If the arms were alike, a pair with two different outcomes would favour either with probability 1/2. With k the
    smaller of the two counts and d their sum, p = min(1, 2 P(X <= k)) for X binomial (d, 1/2) (McNemar 1947,
    Psychometrika 12, 153-157, in its exact form). Pairs with equal outcomes say nothing here. Without any pair that
    differs, p is 1. Fewer than 6 such pairs can never give p < 0.05.

    The exact test keeps its level whatever the counts, which the mid-p variant does not promise; that one would find
    slightly more, by half the probability of the observed count. With strata (tasks), the counts are summed over
    them: within every stratum the chances are the same 1/2.

    Args:
        only_a: pairs that arm A alone solved.
        only_b: pairs that arm B alone solved.

    Raises:
        ValueError: a count is negative.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"only_a is {only_a} and only_b is {only_b}; counts must not be negative")
    from scipy.special import bdtr  # here, so that importing this package stays quick

    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def paired_difference(*, pairs: Pairs, confidence: float = 0.95) -> Estimate:
    """The difference of two success rates over the same units, A minus B, with Newcombe's interval.

    Method 10 of Newcombe 1998 (Statistics in Medicine 17, 2635-2650): the distances from either rate to the ends of
    its Wilson interval are squared and added, less what their correlation makes them share. The correlation comes from
    the four counts, e h - f g over the root of the product of the margins; a positive numerator is first made smaller
    by n / 2, down to zero. It stays inside [-1, 1], needs no iteration, has a width where no pair differs, and has
    the unpaired and the stratified interval as its siblings, so that all of them can stand in one table.

    Near its ends interval and `mcnemar` may disagree, as the test is exact and the interval is approximate; then the
    test decides. Without pairs the value is NaN and the interval (-1, 1): nothing is known.

    Raises:
        ValueError: a count is negative, or not 0 < confidence < 1.
    """
    check_confidence(confidence)
    if pairs.n == 0 and not any(pairs):
        return Estimate(math.nan, -1.0, 1.0)
    return stratified_paired_difference(pairs=[pairs], confidence=confidence)


def stratified_paired_difference(*, pairs: Sequence[Pairs], confidence: float = 0.95) -> Estimate:
    """The mean over strata (tasks) of the paired differences of two rates, every stratum counting the same.

    As `paired_difference`, with `stratified_mean` of each arm in place of Wilson's interval. The covariance of the two
    means is sum c_t / n_t / T^2, with c_t = (e h - f g) / n_t^2 of the n_t pairs in stratum t of T; the correction of
    n / 2 is applied once, for all N pairs: 1 / 2 N^2. One stratum gives `paired_difference` itself.

    Args:
        pairs: (T,) counts, by stratum; each with at least one pair.
        confidence: share of intervals that hold the true difference.

    Raises:
        ValueError: no stratum, one without pairs, a negative count, or not 0 < confidence < 1.
    """
    for index, table in enumerate(pairs):
        if min(table) < 0:
            raise ValueError(f"stratum {index} has the counts {tuple(table)}; they must not be negative")
    n = [table.n for table in pairs]
    solved_a = [table.both + table.only_a for table in pairs]
    solved_b = [table.both + table.only_b for table in pairs]
    arms = []
    for solved in (solved_a, solved_b):
        ends = stratified_mean(successes=solved, n=n, confidence=confidence)
        mean = sum(k / units for k, units in zip(solved, n, strict=True)) / len(n)
        arms.append(Estimate(mean, ends.low, ends.high))
    return square_and_add(arms[0], arms[1], _correlation(pairs))


def _correlation(pairs: Sequence[Pairs]) -> float:
    """Correlation of the two arms' stratified means, with Newcombe's correction; 0 where a mean does not vary."""
    covariance = variance_a = variance_b = 0.0
    for both, only_a, only_b, neither in pairs:
        cube = float(both + only_a + only_b + neither) ** 3
        covariance += (both * neither - only_a * only_b) / cube
        variance_a += (both + only_a) * (only_b + neither) / cube
        variance_b += (both + only_b) * (only_a + neither) / cube
    if variance_a * variance_b == 0:
        return 0.0
    if covariance > 0:
        covariance = max(0.0, covariance - len(pairs) ** 2 / (2 * sum(table.n for table in pairs) ** 2))
    return max(-1.0, min(1.0, covariance / math.sqrt(variance_a * variance_b)))


def sign_flip_test(
    *,
    differences: Sequence[float] | NDArray[Any],
    strata: Sequence[Any] | NDArray[Any] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Permutation:
    """Paired permutation test: is the mean of the units' differences zero?

    If the arms were alike, each difference could as well have had the other sign. The two-sided p value is the share
    of all 2^n choices of signs whose mean is at least as far from zero as the observed one (Fisher 1935, The Design of
    Experiments, section 21). What is tested is that the differences are symmetric about zero; with many units it
    keeps its level wherever their mean is zero. For outcomes of 0 and 1 it is `mcnemar`.

    Whole differences, such as those of solved subtasks, are counted exactly: those of one size add a binomial number
    of plus signs, and the distribution of the sum is the convolution over the sizes. Other differences are counted
    exactly up to 16 of them that are not zero; beyond that, and where the sum of the sizes exceeds 20,000, signs are
    drawn at random, and p = (1 + those as extreme) / (1 + resamples) (Phipson and Smyth 2010).

    No differences, or only zeros, give p = 1. The order of the units does not matter.

    Args:
        differences: (n,) score of A minus score of B, one a unit.
        strata: (n,) labels, such as tasks; the mean is then that of the strata's means. Default: none.
        resamples: random choices of signs where not all can be counted.
        seed: of this function's own generator.

    Raises:
        ValueError: differences are not finite or have more than one axis; strata does not match; resamples < 1.
    """
    check_resamples(resamples)
    scores = finite_values("differences", differences)
    groups = strata_of(strata, scores.size)
    # Each unit weighs 1 / n_t; a common multiple makes the weights, and so the sums, whole numbers.
    multiple = math.lcm(*(group.size for group in groups)) if len(groups) > 1 else scores.size
    weighted = scores.copy()
    for group in groups:
        weighted[group] *= multiple // max(1, group.size)
    weighted = np.sort(weighted[weighted != 0])
    sizes = np.abs(weighted)
    if weighted.size == 0:
        return Permutation(1.0, True)
    whole = bool((weighted == np.rint(weighted)).all())
    if whole and sizes.sum() <= _LARGEST_TOTAL:
        return Permutation(_whole_p_value(weighted.astype(np.int64)), True)
    # Sums that are equal but for rounding count as equal.
    extreme = abs(weighted.sum()) - 1e-9 * sizes.sum()
    if weighted.size <= _FEW_DIFFERENCES:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate([sums + size, sums - size])
        return Permutation(float(np.mean(np.abs(sums) >= extreme)), True)
    reached = _extreme_flips(sizes, extreme, resamples, np.random.default_rng(seed))
    return Permutation((1 + reached) / (1 + resamples), False)


def _whole_p_value(differences: NDArray[np.int64]) -> float:
    """Share of all choices of signs that bring the sum at least as far from zero."""
    from scipy.special import gammaln  # here, so that importing this package stays quick

    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    divisor = int(np.gcd.reduce(sizes))
    positive = np.ones(1)  # probabilities of the sum of the sizes that have a plus sign
    for size, count in zip(sizes // divisor, counts, strict=True):
        k = np.arange(count + 1)
        binomial = np.zeros(size * count + 1)
        binomial[::size] = np.exp(gammaln(count + 1) - gammaln(k + 1) - gammaln(count - k + 1) - count * math.log(2))
        positive = np.convolve(positive, binomial)
    total = positive.size - 1
    sums = 2 * np.arange(total + 1) - total
    return min(1.0, float(positive[np.abs(sums) >= abs(int(differences.sum())) // divisor].sum()))


def _extreme_flips(sizes: NDArray[np.float64], extreme: float, resamples: int, rng: np.random.Generator) -> int:
    """Random choices of signs whose sum is at least `extreme` away from zero."""
    distinct, counts = np.unique(sizes, return_counts=True)
    block = max(1, BLOCK // distinct.size)
    reached = 0
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        positive = rng.binomial(counts, 0.5, size=(rows, distinct.size))
        reached += int(np.count_nonzero(np.abs((2 * positive - counts) @ distinct) >= extreme))
    return reached


def paired_bootstrap(
    *,
    differences: Sequence[float] | NDArray[Any],
    strata: Sequence[Any] | NDArray[Any] | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """The mean of the units' differences with its percentile bootstrap interval.

    Without strata this is `bootstrap_mean` over the differences: whole pairs are drawn. With strata the value is the
    mean of the strata's means, and units are drawn within each stratum: n_t - 1 of its n_t, which makes the variance
    of the resampled means unbiased, where n_t draws would make it too small (McCarthy and Snowden 1985, Vital and
    Health Statistics 2-95). With 20 rollouts a task that is 5 % of the variance.

    - No unit: the value is NaN. With one unit, or a stratum with one, both ends are NaN: there is no spread to draw.
    - Where all differences of every stratum are equal, both ends are the value: a limit of the method, so show n.
    - For success rates prefer `paired_difference`, which keeps a width at the edges.

    Args:
        differences: (n,) score of A minus score of B, one a unit.
        strata: (n,) labels, such as tasks. Default: none.
        confidence: share of intervals that hold the true mean, for large n.
        resamples: how many samples are drawn.
        seed: of this function's own generator.

    Raises:
        ValueError: differences are not finite or have more than one axis; strata does not match; confidence or
            resamples make no sense.
    """
    check_confidence(confidence)
    check_resamples(resamples)
    scores = finite_values("differences", differences)
    if scores.size == 0:
        return Estimate(math.nan, math.nan, math.nan)
    if strata is None:
        ends = bootstrap_mean(values=scores, confidence=confidence, resamples=resamples, seed=seed)
        return Estimate(float(np.sort(scores).mean()), ends.low, ends.high)
    groups = [np.sort(scores[group]) for group in strata_of(strata, scores.size)]
    value = float(np.mean([group.mean() for group in groups]))
    if min(group.size for group in groups) < 2:
        return Estimate(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    means = sum(resampled_means(group, resamples, rng, draws=group.size - 1) for group in groups) / len(groups)
    ends = percentile_interval(np.asarray(means), confidence)
    return Estimate(value, ends.low, ends.high)
