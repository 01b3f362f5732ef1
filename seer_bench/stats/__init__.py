"""Statistics of success rates and chains: pure functions on counts, with their limits in words."""

from __future__ import annotations

from seer_bench.stats.chains import bootstrap_mean, chain_rates
from seer_bench.stats.proportions import Interval, rate_bounds, wilson
from seer_bench.stats.strata import stratified_mean

__all__ = ["Interval", "bootstrap_mean", "chain_rates", "rate_bounds", "stratified_mean", "wilson"]
