"""Draws panels of curves, each named at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seer_bench.report.figures.plots import Curve, CurvePanel, CurvePlot
from seer_bench.report.figures.sheet import MARGIN, ROOM, Sheet
from seer_bench.report.figures.style import GREY, LINE, WIDTH, Look, looks
from seer_bench.report.figures.text import spread, wrap, wrap_names

_LEFT = 0.46
_PLOT = 2.6
"""Inches from the first position to the right end of a panel."""
_SAMPLE = 0.3
"""Inches of line that are shown beside a name."""
_NAMES = _LEFT + _PLOT + 0.2
_TEXT = _NAMES + _SAMPLE + 0.06
_ROOM = WIDTH - _TEXT - MARGIN
_GAP = 0.05
"""Inches between two names."""
_LOWEST = 1.7
"""Inches of the lowest panel."""
_ABOVE = 0.07
_AXIS = 0.4
"""Inches below a panel, for the horizontal axis."""
_BETWEEN = 0.12
_DODGE = 0.24
"""Share of the distance of two positions over which intervals are set side by side."""
_TICKS = MaxNLocator(6, steps=[1, 2, 5, 10])
_CAP = 0.012
"""Half the width of the ends of intervals, as a share of the horizontal axis."""


@dataclass(frozen=True)
class _Layout:
    """A panel with its names broken into lines."""

    panel: CurvePanel
    title: list[str]
    names: list[list[str]]
    """Of every curve its name."""
    details: list[list[str]]
    """Of every curve its small print."""

    @property
    def heights(self) -> list[float]:
        """Inches that the names need."""
        return [(len(name) + len(detail)) * LINE + _GAP for name, detail in zip(self.names, self.details, strict=True)]

    @property
    def plot(self) -> float:
        """Inches of the plot alone."""
        return max(_LOWEST if self.panel.curves else _LOWEST / 2, sum(self.heights))

    @property
    def total(self) -> float:
        """With title and axis, and the space to the next."""
        return len(self.title) * LINE + _ABOVE + self.plot + _AXIS + _BETWEEN


def draw_curves(plot: CurvePlot) -> Sheet:
    """The sheet with all panels below one another."""
    layouts = [_lay_out(panel) for panel in plot.panels]
    sheet = Sheet(plot.heading, plot.notes, _BETWEEN / 2 + sum(layout.total for layout in layouts))
    top = sheet.top + _BETWEEN / 2
    for layout in layouts:
        _draw_panel(sheet, top, layout)
        top += layout.total
    return sheet


def _lay_out(panel: CurvePanel) -> _Layout:
    """Break the names into lines."""
    names = wrap_names([curve.name.text for curve in panel.curves], _ROOM)
    details = [wrap(curve.name.detail, _ROOM) if curve.name.detail else [] for curve in panel.curves]
    return _Layout(panel, wrap(panel.title, ROOM), names, details)


def _draw_panel(sheet: Sheet, top: float, layout: _Layout) -> None:
    """One panel with its names."""
    panel = layout.panel
    sheet.text(MARGIN, top, layout.title)
    top += len(layout.title) * LINE + _ABOVE
    axes = sheet.axes(_LEFT, top, _PLOT, layout.plot)
    axes.set_facecolor("none")  # the threads to the names begin within
    positions = [position for position, _ in panel.ticks]
    step = min((b - a for a, b in pairwise(positions)), default=1.0)
    axes.set_xlim(positions[0] - 0.3 * step, positions[-1] + 0.3 * step)
    low, high = _range(panel)
    axes.set_ylim(low, high)
    axes.set_yticks([tick for tick in _TICKS.tick_values(low, high) if low <= tick <= high])
    axes.set_xticks(positions, [label for _, label in panel.ticks])
    axes.set_xlabel(panel.across, labelpad=1.5)
    axes.set_ylabel(panel.up, labelpad=2)
    axes.grid(axis="y", color="0.9", linewidth=0.5)
    axes.set_axisbelow(True)
    if not panel.curves:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", color=GREY)
        return
    given = looks([(curve.kind, curve.printed) for curve in panel.curves])
    shifts = _dodge(panel.curves, step)
    for curve, look, shift in zip(panel.curves, given, shifts, strict=True):
        _draw_curve(axes, curve, look, shift)
    _draw_names(sheet, top, layout, axes, given, shifts)


def _range(panel: CurvePanel) -> tuple[float, float]:
    """The ends of the vertical axis: to the top, and from 0 unless everything is far above it."""
    lows = [mark.value if mark.low is None else mark.low for curve in panel.curves for _, mark in curve.points]
    tenths = 10 * min(lows, default=0.0) / panel.top
    start = panel.top * math.floor(tenths - 0.5) / 10 if tenths > 2 else 0.0
    room = 0.03 * (panel.top - start)
    return start - room, panel.top + room


def _dodge(curves: Sequence[Curve], step: float) -> list[float]:
    """How far each curve is moved sideways, so that intervals stand side by side; the paper's have none and stay."""
    ours = [i for i, curve in enumerate(curves) if not curve.printed]
    shifts = [0.0] * len(curves)
    for rank, i in enumerate(ours):
        shifts[i] = _DODGE * step * (rank / (len(ours) - 1) - 0.5) if len(ours) > 1 else 0.0
    return shifts


def _draw_curve(axes: Axes, curve: Curve, look: Look, shift: float) -> None:
    """Line, marks and intervals."""
    places = [position + shift for position, _ in curve.points]
    left, right = axes.get_xlim()
    cap = _CAP * (right - left)
    bars = []
    for x, (_, mark) in zip(places, curve.points, strict=True):
        if mark.low is not None and mark.high is not None:
            bars.append([(x, mark.low), (x, mark.high)])
            bars += [[(x - cap, end), (x + cap, end)] for end in (mark.low, mark.high)]
    above = 2.0 if curve.printed else 3.0
    axes.add_collection(LineCollection(bars, colors=look.colour, linewidths=0.8, zorder=above), autolim=False)
    values = [mark.value for _, mark in curve.points]
    axes.add_line(Line2D(places, values, **_drawn(look), zorder=above + 0.5, clip_on=False))


def _drawn(look: Look) -> dict[str, Any]:
    """A look as the drawing library has it."""
    return {
        "color": look.colour,
        "linewidth": look.width,
        "linestyle": (0, look.dashes) if look.dashes else "-",
        "marker": look.marker,
        "markersize": 4.4,
        "markerfacecolor": look.colour if look.filled else "white",
        "markeredgewidth": 0.8,
    }


def _draw_names(
    sheet: Sheet, top: float, layout: _Layout, axes: Axes, given: Sequence[Look], shifts: Sequence[float]
) -> None:
    """Names beside the ends of the curves, each with a sample of its line and a thread to its end."""
    (left, right), (bottom, ceiling) = axes.get_xlim(), axes.get_ylim()
    curves = layout.panel.curves
    ends = [layout.plot * (curve.points[-1][1].value - bottom) / (ceiling - bottom) for curve in curves]
    order = sorted(range(len(curves)), key=lambda i: -ends[i])
    heights = layout.heights
    centres = spread([ends[i] for i in order], [heights[i] for i in order], layout.plot)
    threads = []
    for i, centre in zip(order, centres, strict=True):
        upper = top + layout.plot - centre - (heights[i] - _GAP) / 2
        first, end = upper + LINE / 2, top + layout.plot - ends[i]
        start = _LEFT + _PLOT * (curves[i].points[-1][0] + shifts[i] - left) / (right - left) + 0.04
        bend = _LEFT + _PLOT
        threads += [((start, end), (bend, end)), ((bend, end), (_NAMES - 0.03, first))]
        sheet.line([_NAMES, _NAMES + _SAMPLE / 2, _NAMES + _SAMPLE], [first] * 3, **_drawn(given[i]), markevery=[1])
        sheet.text(_TEXT, upper, layout.names[i])
        sheet.text(_TEXT, upper + len(layout.names[i]) * LINE, layout.details[i], colour=GREY)
    sheet.segments(threads, colour="0.7", width=0.5, above=0)
