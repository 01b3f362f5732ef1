"""Every table and figure of the paper that is reported, and the runs that fill them."""

from __future__ import annotations

from functools import cache
from typing import Any

from seer_bench.errors import UnknownNameError
from seer_bench.report.figure3 import DataEfficiencyFigure
from seer_bench.report.figure5 import GeneralizationFigure
from seer_bench.report.paper_table import PaperTable, Source
from seer_bench.report.real_robot import SOURCE
from seer_bench.report.table1 import ROLLOUTS, TaskTable
from seer_bench.report.table2 import CHAINS, ChainResults
from seer_bench.report.table3 import FINE_TUNING, PRE_TRAINING, AblationTable
from seer_bench.report.table4 import RealRobot

SOURCES: tuple[Source[Any], ...] = (ROLLOUTS, CHAINS, SOURCE)
"""Kinds of runs, by what their protocols name."""


def paper_table(key: str) -> PaperTable:
    """The table or figure called `key`; raises UnknownNameError."""
    by_key = {table.key: table for table in paper_tables()}
    if key not in by_key:
        raise UnknownNameError("table", key, by_key)
    return by_key[key]


@cache
def paper_tables() -> tuple[PaperTable, ...]:
    """In the paper's order; built at the first call, since they read data files."""
    return (
        TaskTable("Table 1", reference="libero-long"),
        ChainResults("table2", "Table 2", reference="calvin-abc-d"),
        AblationTable("table3a", "Table 3a", FINE_TUNING),
        AblationTable("table3b", "Table 3b", PRE_TRAINING),
        RealRobot("Table 4"),
        DataEfficiencyFigure("Figure 3"),
        GeneralizationFigure("Figure 5"),
    )
