"""Arms against one another: units paired, differences tested, and what could have been found. No run is made here."""

from __future__ import annotations

from seer_bench.compare.arm import ComparedArm, load_arm
from seer_bench.compare.comparison import Comparison, PairComparison, compare_arms, compare_runs
from seer_bench.compare.plan_page import plan_json, print_plan
from seer_bench.compare.planning import plan as plan_comparison
from seer_bench.compare.printing import print_comparison
from seer_bench.compare.record import comparison_json

__all__ = [
    "ComparedArm",
    "Comparison",
    "PairComparison",
    "compare_arms",
    "compare_runs",
    "comparison_json",
    "load_arm",
    "plan_comparison",
    "plan_json",
    "print_comparison",
    "print_plan",
]
