"""The rows of the paper that a table or figure asks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from seer_bench.errors import UnknownNameError
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.figure3 import PANELS, DataEfficiencyFigure
from seer_bench.report.missing import Wanted
from seer_bench.report.paper_table import PaperTable
from seer_bench.report.tables import paper_tables

REAL_ROBOT = ("table4", "figure5")
"""What a real robot played, so that no command can."""
_TOGETHER: Mapping[str, tuple[str, ...]] = MappingProxyType({"table3": ("table3a", "table3b")})


def tables_of(name: str) -> tuple[PaperTable, ...]:
    """The tables and figures that a name stands for: "table2", "table3" for both of its parts, "all".

    Raises:
        UnknownNameError: there is none of that name.
    """
    tables = {table.key: table for table in paper_tables()}
    if name == "all":
        return tuple(tables.values())
    keys = _TOGETHER.get(name, (name,))
    if keys[0] not in tables:
        raise UnknownNameError("table", name, [*tables, *_TOGETHER, "all"])
    return tuple(tables[key] for key in keys)


def rows_of(table: PaperTable) -> tuple[Wanted, ...]:
    """The paper's rows, or a figure's points, with the arm and the protocol that fill each; none of a real robot."""
    if table.key in REAL_ROBOT:
        return ()
    if isinstance(table, ComparedTable):
        return tuple(Wanted(printed.label, printed.arm, table.benchmark, table.protocol) for printed in table.printed)
    if isinstance(table, DataEfficiencyFigure):
        return tuple(
            Wanted(
                f"{series}, {100 * share:g}%, {panel.benchmark}",
                arm_of_paper(series, data=f"{100 * share:g}%"),
                panel.benchmark,
                panel.protocol,
            )
            for panel in PANELS
            for series in table.paper.series
            for share in table.paper.fractions
        )
    return ()
