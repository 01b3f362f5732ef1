"""What the figures of tables show that have rows of the paper: chains as curves, tasks as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.comparison import Line, Measure
from seer_bench.report.counts import Estimate
from seer_bench.report.figures.plots import Curve, CurvePanel, CurvePlot, DotGroup, DotPlot, DotRow, Mark, Name
from seer_bench.report.figures.words import apart_title, compared_title, detail, notes, together
from seer_bench.report.verdict import obstacles
from seer_bench.report.wording import estimate_text

MOST = 12
"""Curves of a panel; more go to the next."""

Rows = Sequence[ArmRow[Any]]
_Item = TypeVar("_Item")


def chain_plot(heading: str, table: ComparedTable, rows: Rows) -> CurvePlot:
    """Rates by position, a curve a row; all measures but the last are rates."""
    *rates, last = table.measures
    found: list[tuple[Line, Curve]] = []
    several = _several(rows)
    for kind, line in _lines(table, rows):
        values = [_mark(line, column, table.measures) for column in range(len(rates))]
        points = tuple((i + 1.0, mark) for i, mark in enumerate(values) if mark is not None)
        if points:
            found.append(
                (line, Curve(_chain_name(line, last, table.measures, several), points, line.row is None, kind))
            )
    panels = tuple(
        CurvePanel(
            title=title,
            curves=curves,
            ticks=tuple((i + 1.0, measure.heading) for i, measure in enumerate(rates)),
            across="Instructions followed in a row, at least",
            up="Chains in %",
            top=100,
        )
        for whole, items in _groups(found).items()
        for title, curves in _parts(whole, items)
    )
    intervals = f"Wilson for rates, bootstrap over chains for {last.heading}"
    return CurvePlot(heading, panels, notes(rows, intervals))


def dot_plot(
    heading: str,
    table: ComparedTable,
    rows: Rows,
    columns: Mapping[int, str],
    *,
    across: str,
    intervals: str,
    joint: bool = True,
) -> DotPlot:
    """Some measures, all of them percent, a row a row of the table.

    Args:
        heading: number and title.
        table: whose measures they are.
        rows: ours.
        columns: numbers of the measures, each with the title of its panel.
        across: what the scale is.
        intervals: what kind they are, in brackets.
        joint: whether rows of several checkpoints have another kind.
    """
    several = _several(rows)
    found = [(line, _dot_row(line, columns, table.measures, several)) for _, line in _lines(table, rows)]
    groups = tuple(DotGroup(title, tuple(items)) for title, items in _groups(found).items())
    if len(groups) == 1 and not rows:
        groups = (DotGroup("", groups[0].rows),)
    return DotPlot(heading, tuple(columns.values()), groups, across, notes(rows, intervals, joint=joint))


def scaled(estimate: Estimate, scale: float) -> Mark:
    """An estimate in the unit of the print."""
    low, high = estimate.low, estimate.high
    return Mark(scale * estimate.value, None if low is None else scale * low, None if high is None else scale * high)


def _several(rows: Rows) -> bool:
    """Whether rows that compare with the paper's are of several protocols, which then have to be told apart."""
    return len({row.summary.protocol.name for row in rows if not obstacles(row.summary)}) > 1


def _lines(table: ComparedTable, rows: Rows) -> list[tuple[int, Line]]:
    """Every line of the table with the number of its group."""
    return [(number, line) for number, group in enumerate(table.lines(rows)) for line in group]


def _groups(found: Sequence[tuple[Line, _Item]]) -> dict[str, list[_Item]]:
    """What compares, then a group a protocol what does not, by their titles."""
    protocols = [line.row.summary.protocol.name for line, _ in found if line.row is not None and line.comparable]
    groups: dict[str, list[_Item]] = {compared_title(protocols): [item for line, item in found if line.comparable]}
    for line, item in found:
        if line.row is not None and not line.comparable:
            groups.setdefault(apart_title(line.row.summary.protocol.name), []).append(item)
    return {title: items for title, items in groups.items() if items}


def _parts(title: str, curves: Sequence[Curve]) -> list[tuple[str, tuple[Curve, ...]]]:
    """No more curves a panel than can be told apart."""
    parts = [tuple(curves[i : i + MOST]) for i in range(0, len(curves), MOST)]
    if len(parts) == 1:
        return [(title, parts[0])]
    return [(f"{title} ({i + 1} of {len(parts)})", part) for i, part in enumerate(parts)]


def _chain_name(line: Line, last: Measure, measures: Sequence[Measure], several: bool) -> Name:
    """Method and average length; of ours also n and what else qualifies it."""
    column = len(measures) - 1
    if line.row is None:
        value = line.value(column, measures)
        known = "n/a" if value is None else f"{value:.{last.digits}f}"
        return Name(f"Paper: {line.label}", together(f"{last.heading} {known}"))
    estimate = line.estimates[column]
    known = "n/a" if estimate is None else estimate_text(estimate, last)
    return Name(line.label, f"{together(f'{last.heading} {known}')}, {_detail(line.row, several)}")


def _detail(row: ArmRow[Any], several: bool) -> str:
    """What qualifies one row of ours, its protocol among it where it shares a panel with others."""
    return detail(row.summary, protocol=several and not obstacles(row.summary))


def _dot_row(line: Line, columns: Mapping[int, str], measures: Sequence[Measure], several: bool) -> DotRow:
    """One line; ours has the value that it is compared with beside its own."""
    printed = line.printed.values if line.printed is not None and line.comparable else None
    shown = () if printed is None else tuple(printed[column] for column in columns)
    if line.row is None:
        return DotRow(Name(line.label), (), shown)
    marks = tuple(_mark(line, column, measures) for column in columns)
    return DotRow(Name(line.label, _detail(line.row, several)), marks, shown)


def _mark(line: Line, column: int, measures: Sequence[Measure]) -> Mark | None:
    """One value of a line, ours with its interval."""
    if line.row is None:
        value = line.value(column, measures)
        return None if value is None else Mark(value)
    estimate = line.estimates[column]
    return None if estimate is None else scaled(estimate, measures[column].scale)
