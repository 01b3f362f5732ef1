"""Statistics of success rates, chains and comparisons: pure functions on counts and scores, with their limits."""

from __future__ import annotations

from seer_bench.stats.chains import bootstrap_mean, chain_rates
from seer_bench.stats.multiple import holm
from seer_bench.stats.paired import (
    Pairs,
    count_pairs,
    mcnemar,
    paired_bootstrap,
    paired_difference,
    sign_flip_test,
    stratified_paired_difference,
)
from seer_bench.stats.power import (
    detectable_mean_difference,
    detectable_paired_mean_difference,
    detectable_paired_rate_difference,
    detectable_rate_difference,
    pairs_for_means,
    pairs_for_rates,
    units_for_means,
    units_for_rates,
)
from seer_bench.stats.proportions import Estimate, Interval, clopper_pearson, rate_bounds, wilson
from seer_bench.stats.resampling import Permutation
from seer_bench.stats.selection import Selection, select_best
from seer_bench.stats.strata import clustered_mean, stratified_mean
from seer_bench.stats.unpaired import (
    fisher,
    permutation_test,
    stratified_fisher,
    stratified_unpaired_difference,
    unpaired_bootstrap,
    unpaired_difference,
    welch,
)

__all__ = [
    "Estimate",
    "Interval",
    "Pairs",
    "Permutation",
    "Selection",
    "bootstrap_mean",
    "chain_rates",
    "clopper_pearson",
    "clustered_mean",
    "count_pairs",
    "detectable_mean_difference",
    "detectable_paired_mean_difference",
    "detectable_paired_rate_difference",
    "detectable_rate_difference",
    "fisher",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "paired_difference",
    "pairs_for_means",
    "pairs_for_rates",
    "permutation_test",
    "rate_bounds",
    "select_best",
    "sign_flip_test",
    "stratified_fisher",
    "stratified_mean",
    "stratified_paired_difference",
    "stratified_unpaired_difference",
    "units_for_means",
    "units_for_rates",
    "unpaired_bootstrap",
    "unpaired_difference",
    "welch",
    "wilson",
]
