"""Figures of the report for print: PNG and PDF, readable without colour, the same bytes for the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.document import count
from seer_bench.report.figure3 import DataEfficiencyFigure
from seer_bench.report.figure5 import GeneralizationFigure
from seer_bench.report.figures.compared import chain_plot, dot_plot
from seer_bench.report.figures.pictured import data_efficiency_plot, generalization_plot
from seer_bench.report.figures.plots import CurvePlot, Plot
from seer_bench.report.paper_table import PaperTable, TableReport
from seer_bench.report.table1 import TaskTable
from seer_bench.report.table2 import ChainTable
from seer_bench.report.table4 import RealRobot

SUFFIXES = (".png", ".pdf")
"""Formats in which a figure is written."""


MOST_ROWS = 40
"""Of ours; a page holds no more, and the table has them all."""


def plot(report: TableReport) -> Plot | None:
    """What the figure of a table shows; None where there is nothing to show, neither of ours nor of the paper."""
    shown = _plot(report.table, report.rows[:MOST_ROWS], report.document.heading)
    if shown is None or len(report.rows) <= MOST_ROWS:
        return shown
    left_out = f"The first {MOST_ROWS} of {count(len(report.rows))} rows of ours; the table has all of them."
    return replace(shown, notes=(left_out, *shown.notes))


def _plot(table: PaperTable, rows: Sequence[ArmRow[Any]], heading: str) -> Plot | None:
    """As `plot`, of some rows of ours."""
    if isinstance(table, ChainTable):
        return chain_plot(heading, table, rows)
    if isinstance(table, TaskTable):
        columns = {i: measure.heading for i, measure in enumerate(table.measures)}
        intervals = "Wilson for a task, stratified by task for the mean"
        return dot_plot(heading, table, rows, columns, across="Solved rollouts in %", intervals=intervals)
    if isinstance(table, RealRobot):
        rates = {i: measure.heading for i, measure in enumerate(table.measures) if measure.scale == 100}
        return dot_plot(heading, table, rows, rates, across="SR in %", intervals="the cases are the units", joint=False)
    if isinstance(table, DataEfficiencyFigure):
        return data_efficiency_plot(heading, table, rows)
    if isinstance(table, GeneralizationFigure):
        return generalization_plot(heading, table, rows)
    return None


def render(report: TableReport) -> dict[str, bytes]:
    """The figure of a table by suffix; empty where there is nothing to show."""
    shown = plot(report)
    if shown is None:
        return {}
    # The drawing library takes a good part of a second to import, which only a report is worth.
    from seer_bench.report.figures.curves import draw_curves
    from seer_bench.report.figures.dots import draw_dots
    from seer_bench.report.figures.style import settings

    with settings():
        sheet = draw_curves(shown) if isinstance(shown, CurvePlot) else draw_dots(shown)
        return {".png": sheet.png(), ".pdf": sheet.pdf()}
