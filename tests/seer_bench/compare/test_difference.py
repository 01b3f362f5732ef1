"""Tests and intervals of one difference, against hand counts, scipy and statsmodels, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from seer_bench.compare.difference import compare_paired, compare_unpaired
from seer_bench.compare.units import Groups
from seer_bench.errors import UsageError


def units(n: int) -> Groups:
    return Groups(np.arange(n), None)


def tasks(*sizes: int) -> Groups:
    labels = np.repeat([f"T{i}" for i in range(len(sizes))], sizes)
    return Groups(np.arange(labels.size), labels)


def row(*scores: float) -> np.ndarray:
    return np.array([scores], dtype=float)


def test_outcomes_are_compared_by_mcnemar_as_counted_by_hand():
    a = row(*[1] * 8, *[0] * 1, *[1] * 6, *[0] * 5)
    b = row(*[0] * 8, *[1] * 1, *[1] * 6, *[0] * 5)
    found = compare_paired(a, b, units(20), top=1)
    assert (found.ahead_a, found.ahead_b) == (8, 1)
    assert found.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert found.p_value == pytest.approx(statsmodels_mcnemar([[6, 8], [1, 5]], exact=True).pvalue)
    assert found.estimate.value == pytest.approx(7 / 20)
    assert (found.test, found.interval) == ("exact McNemar test", "Newcombe")


def test_newcombes_own_example():
    # Newcombe 1998 (Statistics in Medicine 17, 2635-2650), table II, column b: counts 36, 12, 2, 0; method 10.
    a = row(*[1] * 36, *[1] * 12, *[0] * 2)
    b = row(*[1] * 36, *[0] * 12, *[1] * 2)
    found = compare_paired(a, b, units(50), top=1).estimate
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-4)


def test_lengths_are_compared_by_all_choices_of_signs():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 6, 12), rng.integers(0, 6, 12)
    found = compare_paired(row(*a), row(*b), units(12), top=5)
    exact = stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**12,
    )
    assert found.p_value == pytest.approx(exact.pvalue)
    assert found.test == "paired sign-flip test"


def test_six_chains_in_a_row_are_the_fewest_that_can_tell():
    assert compare_paired(row(*[5] * 6), row(*[4] * 6), units(6), top=5).p_value == pytest.approx(2 / 64)
    assert compare_paired(row(*[5] * 5), row(*[4] * 5), units(5), top=5).p_value == pytest.approx(2 / 32)


def test_a_unit_of_several_checkpoints_scores_their_mean():
    a = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]], dtype=float)
    b = np.zeros((1, 6))
    found = compare_paired(a, b, units(6), top=1)
    assert (found.a, found.b) == (pytest.approx(16 / 18), 0)
    assert found.p_value == pytest.approx(2 / 64)  # six units, not eighteen


def test_tasks_count_alike_and_their_discordant_pairs_are_added():
    a = row(*[1] * 4, *[0] * 16, 1, 1, 1, 1)
    b = row(*[0] * 4, *[0] * 16, 0, 0, 0, 1)
    found = compare_paired(a, b, tasks(20, 4), top=1)
    assert found.estimate.value == pytest.approx((4 / 20 + 3 / 4) / 2)
    assert found.p_value == pytest.approx(stats.binomtest(7, 7).pvalue)


def test_repeated_trials_of_a_case_are_no_pairs_of_their_own():
    members = np.repeat(np.arange(5), 3)
    groups = Groups(members, np.array(["T"] * 5))
    found = compare_paired(np.ones((1, 15)), np.zeros((1, 15)), groups, top=1)
    assert found.n_a == 5
    assert found.p_value == pytest.approx(2 / 32)  # of 15 independent pairs it would be 2 / 2**15
    mixed = np.array([[1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1]], dtype=float)
    best = compare_paired(mixed, np.zeros((1, 15)), Groups(members, np.array(["T"] * 5), "best_of"), top=1)
    assert (best.a, best.test) == (1.0, "exact McNemar test")
    majority = compare_paired(mixed, np.zeros((1, 15)), Groups(members, np.array(["T"] * 5), "majority"), top=1)
    assert majority.a == pytest.approx(3 / 5)
    mean = compare_paired(mixed, np.zeros((1, 15)), Groups(members, np.array(["T"] * 5)), top=1)
    assert mean.a == pytest.approx(9 / 15)
    assert mean.p_value == pytest.approx(2 / 32)


def test_arms_without_pairs_are_compared_by_fisher_and_by_strata():
    a, b = row(*[1] * 9, 0, 0, 0), row(*[1] * 2, *[0] * 8)
    found = compare_unpaired(a, b, units(12), units(10), top=1)
    assert found.p_value == pytest.approx(stats.fisher_exact([[9, 3], [2, 8]]).pvalue)
    assert found.ahead_a is None
    one, other = row(1, 1, 1, 0, *[1, 0, 0, 0]), row(1, 0, 0, 0, *[0, 0, 0, 0])
    by_task = compare_unpaired(one, other, tasks(4, 4), tasks(4, 4), top=1)
    assert by_task.estimate.value == pytest.approx(0.375)
    table = StratifiedTable([np.array([[3, 1], [1, 3]]), np.array([[1, 0 + 3], [0, 4]])])
    assert by_task.p_value > table.test_null_odds().pvalue  # an exact test is the more careful one
    assert by_task.test == "exact Cochran-Mantel-Haenszel test"


def test_lengths_without_pairs_have_welchs_interval():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 40), rng.integers(0, 4, 60)
    found = compare_unpaired(row(*a), row(*b), units(40), units(60), top=5)
    expected = stats.ttest_ind(a, b, equal_var=False)
    ends = expected.confidence_interval()
    assert (found.estimate.low, found.estimate.high) == pytest.approx((ends.low, ends.high))
    assert found.p_value == pytest.approx(expected.pvalue, abs=2e-3)


def test_what_has_no_test_is_refused():
    half = np.array([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(UsageError, match="Name one checkpoint an arm"):
        compare_unpaired(half, half, tasks(1, 1), tasks(1, 1), top=1)


def test_few_pairs_that_differ_do_not_promise_a_small_detectable_difference():
    a, b = row(1, *[0] * 19), row(*[0] * 20)
    found = compare_paired(a, b, units(20), top=5)
    # Six of twenty pairs must differ before any exact test can reject.
    assert found.detectable is not None
    assert found.detectable > 6 / 20
    assert compare_paired(b, b, units(20), top=5).detectable is None


def test_more_comparisons_need_larger_differences():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (1, 50)).astype(float), rng.integers(0, 6, (1, 50)).astype(float)
    one, four = (compare_paired(a, b, units(50), top=5, tests=k).detectable for k in (1, 4))
    assert one is not None
    assert four is not None
    assert four > one


@pytest.mark.parametrize("top", [1, 5])
def test_arms_that_are_alike_are_told_apart_in_at_most_one_of_twenty_cases(top: int):
    rng = np.random.default_rng(7)
    hard = rng.uniform(0.3, 0.9, 60)
    found = 0
    for _ in range(400):
        a, b = (rng.binomial(top, hard)[None].astype(float) for _ in "ab")
        found += compare_paired(a, b, units(60), top=top).p_value <= 0.05
    assert found <= 20 + 3 * np.sqrt(19)


def test_the_detectable_difference_is_found_as_often_as_promised():
    rng = np.random.default_rng(3)
    none = np.zeros((1, 120))
    sample = np.rint(rng.normal(0, 20, (1, 120)))
    size = compare_paired(sample, none, units(120), top=100).detectable
    assert size is not None
    moved = (np.rint(rng.normal(size, sample.std(ddof=1), (1, 120))) for _ in range(300))
    found = sum(compare_paired(gaps, none, units(120), top=100).p_value <= 0.05 for gaps in moved)
    assert 0.73 < found / 300 < 0.87


def test_the_detectable_difference_of_rates_is_found_as_often_as_promised():
    rng = np.random.default_rng(4)
    sample = compare_paired(row(*[1] * 15, *[0] * 85), row(*[0] * 15, *[1] * 15, *[0] * 70), units(100), top=1)
    size = sample.detectable
    assert size is not None
    found = 0
    for _ in range(400):
        ahead, behind, _ = rng.multinomial(100, [(0.3 + size) / 2, (0.3 - size) / 2, 0.7])
        found += stats.binomtest(ahead, ahead + behind).pvalue <= 0.05
    assert 0.75 < found / 400 < 0.93  # exact tests need whole units, so a little more is found
