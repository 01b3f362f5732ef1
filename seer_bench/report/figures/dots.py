"""Draws rows of dots: a line a method, a small panel a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seer_bench.report.document import ABSENT
from seer_bench.report.figures.plots import DotPlot, DotRow
from seer_bench.report.figures.sheet import MARGIN, ROOM, Segment, Sheet
from seer_bench.report.figures.style import FAINT, GREY, LINE, WIDTH
from seer_bench.report.figures.text import width, wrap, wrap_names

OURS = "ours, with its 95 % interval"
PAPER = "printed in the paper"

_ACROSS = (5, 6)
"""Panels side by side, at the most; the second number where the sheet would else be higher than `_PAGE`."""
_PAGE = 9.0
"""Inches of text on a page."""
_LEFT = 1.66
"""Inches for the names."""
_SIDE = 0.22
"""Inches between two panels."""
_ROW = 0.05
"""Inches between two rows."""
_ABOVE = 0.06
_AXIS = 0.24
"""Inches below a panel, for its scale."""
_BETWEEN = 0.14
_KEY = 0.24
_TICKS = (0, 50, 100)
_COLOUR = "#0b4f8a"
_DOT: dict[str, Any] = {"color": _COLOUR, "marker": "o", "markersize": 4.2, "linestyle": "none", "zorder": 3}
_DIAMOND: dict[str, Any] = {
    "marker": "D",
    "markersize": 4.8,
    "markerfacecolor": "none",  # so that a dot behind it is seen
    "markeredgecolor": "0.1",
    "markeredgewidth": 0.8,
    "linestyle": "none",
    "zorder": 4,
}


@dataclass(frozen=True)
class _Line:
    """One row, or the title of a group, with its place."""

    row: DotRow | None
    """None for a title."""
    name: list[str]
    detail: list[str]
    top: float
    """Inches below the top of a panel."""

    @property
    def bottom(self) -> float:
        """Where the next one begins."""
        return self.top + _ROW + (len(self.name) + len(self.detail)) * LINE

    @property
    def middle(self) -> float:
        """Where its dots are: beside the name."""
        return self.top + (_ROW + len(self.name) * LINE) / 2


@dataclass(frozen=True)
class _Band:
    """Panels side by side."""

    columns: range
    titles: list[list[str]]
    """Of every panel the lines of its title."""

    @property
    def above(self) -> float:
        """Inches for the titles."""
        return max(map(len, self.titles)) * LINE + _ABOVE


@dataclass(frozen=True)
class _Layout:
    """Where everything goes."""

    lines: list[_Line]
    bands: list[_Band]
    each: float
    """Inches from 0 to 100."""

    @property
    def rows(self) -> float:
        """Inches of all rows."""
        return self.lines[-1].bottom

    @property
    def inner(self) -> float:
        """Inches between heading and notes."""
        return _KEY + sum(band.above + self.rows + _AXIS + _BETWEEN for band in self.bands) + LINE

    def left(self, place: int) -> float:
        """Where the panel number `place` of a band has its 0."""
        return _LEFT + place * (self.each + _SIDE)


def draw_dots(plot: DotPlot) -> Sheet:
    """The sheet with bands of panels below one another, each band with the names at its left."""
    lines = _lay_out_rows(plot)
    layouts = [_lay_out(plot, lines, most) for most in _ACROSS]
    layout = next((layout for layout in layouts if layout.inner < _PAGE), layouts[-1])
    sheet = Sheet(plot.heading, plot.notes, layout.inner)
    _draw_key(sheet, plot)
    top = sheet.top + _KEY
    for band in layout.bands:
        top += band.above
        _draw_names(sheet, top, lines, right=layout.left(len(band.columns)) - _SIDE / 2)
        for place, (column, title) in enumerate(zip(band.columns, band.titles, strict=True)):
            left = layout.left(place)
            sheet.text(left + layout.each / 2, top - _ABOVE / 2 - len(title) * LINE, title, align="center")
            _draw_panel(sheet, left, top, layout.each, lines, column)
        top += layout.rows + _AXIS + _BETWEEN
    middle = (_LEFT + layout.left(len(layout.bands[-1].columns)) - _SIDE) / 2
    sheet.text(middle, top - _BETWEEN, [plot.across], align="center")
    return sheet


def _lay_out(plot: DotPlot, lines: list[_Line], most: int) -> _Layout:
    """Bands of at most `most` panels, as even as can be."""
    number = len(plot.columns)
    across = math.ceil(number / math.ceil(number / most))
    each = (WIDTH - MARGIN - _LEFT - _SIDE / 2 - _SIDE * (across - 1)) / across
    bands = []
    for start in range(0, number, across):
        columns = range(start, min(start + across, number))
        bands.append(_Band(columns, [wrap(plot.columns[column], each + _SIDE / 2) for column in columns]))
    return _Layout(lines, bands, each)


def _lay_out_rows(plot: DotPlot) -> list[_Line]:
    """Every row and the titles of the groups, with their places."""
    room = _LEFT - MARGIN - _SIDE / 2
    names = iter(wrap_names([row.name.text for group in plot.groups for row in group.rows], room))
    lines: list[_Line] = []
    for group in plot.groups:
        if group.title:
            lines.append(_Line(None, wrap(group.title, ROOM), [], lines[-1].bottom + _ROW if lines else 0.0))
        for row in group.rows:
            detail = wrap(row.name.detail, room) if row.name.detail else []
            lines.append(_Line(row, next(names), detail, lines[-1].bottom if lines else 0.0))
    return lines


def _draw_key(sheet: Sheet, plot: DotPlot) -> None:
    """What the marks are; only those that are there."""
    rows = [row for group in plot.groups for row in group.rows]
    left, y = MARGIN + 0.1, sheet.top + LINE / 2
    if any(mark for row in rows for mark in row.ours):
        sheet.segments([((left - 0.1, y), (left + 0.1, y))], colour=_COLOUR, width=1.2, above=2)
        sheet.line([left], [y], **_DOT)
        sheet.text(left + 0.16, sheet.top, [OURS])
        left += 0.16 + width(OURS) + 0.3
    if any(value is not None for row in rows for value in row.printed):
        sheet.line([left], [y], **_DIAMOND)
        sheet.text(left + 0.12, sheet.top, [PAPER])


def _draw_names(sheet: Sheet, top: float, lines: Sequence[_Line], *, right: float) -> None:
    """The names of all rows, and lines between the groups."""
    for line in lines:
        y = top + line.top + _ROW / 2
        sheet.text(MARGIN, y, line.name)
        sheet.text(MARGIN, y + len(line.name) * LINE, line.detail, colour=GREY)
    borders: list[Segment] = [
        ((MARGIN, top + line.top - _ROW / 2), (right, top + line.top - _ROW / 2))
        for line in lines[1:]
        if line.row is None
    ]
    sheet.segments(borders, colour="0.6", width=0.6, above=1)


def _draw_panel(sheet: Sheet, left: float, top: float, each: float, lines: Sequence[_Line], column: int) -> None:
    """The dots of one column, with the scale below."""
    bottom = top + lines[-1].bottom

    def x(value: float) -> float:
        return left + each * value / 100

    guides: list[Segment] = []
    intervals: list[Segment] = []
    dots: list[tuple[float, float]] = []
    diamonds: list[tuple[float, float]] = []
    for line in lines:
        if line.row is None:
            continue
        y = top + line.middle
        guides.append(((x(0), y), (x(100), y)))
        guides += [((x(tick), top + line.top), (x(tick), top + line.bottom)) for tick in _TICKS]
        mark = line.row.ours[column] if line.row.ours else None
        printed = line.row.printed[column] if line.row.printed else None
        if mark is not None:
            dots.append((x(mark.value), y))
            if mark.low is not None and mark.high is not None:
                intervals.append(((x(mark.low), y), (x(mark.high), y)))
        if printed is not None:
            diamonds.append((x(printed), y))
        if mark is None and printed is None:
            absent = ABSENT if line.row.ours else "n/a"
            sheet.text(left + each / 2, y - LINE / 2, [absent], colour=GREY, align="center")
    sheet.segments(guides, colour=FAINT, width=0.5, above=0)
    sheet.segments(intervals, colour=_COLOUR, width=1.2, above=2)
    for places, look in ((dots, _DOT), (diamonds, _DIAMOND)):
        sheet.line([place for place, _ in places], [y for _, y in places], **look)
    sheet.segments([((x(0), bottom), (x(100), bottom))], colour="black", width=0.6, above=1)
    sheet.segments([((x(t), bottom), (x(t), bottom + 0.035)) for t in _TICKS], colour="black", width=0.6, above=1)
    for tick in _TICKS:
        sheet.text(x(tick), bottom + 0.05, [str(tick)], align="center")
