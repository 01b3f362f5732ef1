"""Filling a table of the paper from a file that says which checkpoints stand behind which row."""

from __future__ import annotations

from seer_bench.reproduce.experiments import Experiment, Experiments, read_experiments
from seer_bench.reproduce.plan import Plan, PlannedArm, PlannedRun, PlannedTable, Settings, make_plan
from seer_bench.reproduce.rows import REAL_ROBOT, rows_of, tables_of
from seer_bench.reproduce.wording import print_plan

__all__ = [
    "REAL_ROBOT",
    "Experiment",
    "Experiments",
    "Plan",
    "PlannedArm",
    "PlannedRun",
    "PlannedTable",
    "Settings",
    "make_plan",
    "print_plan",
    "read_experiments",
    "rows_of",
    "tables_of",
]
