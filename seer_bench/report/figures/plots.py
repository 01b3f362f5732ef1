"""What a figure shows, still without a drawing: panels of curves, or dots by row and column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A value in the unit of its axis, with its 95 % interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None
    """None exactly where `low` is."""


@dataclass(frozen=True)
class Name:
    """How a row or a curve is called."""

    text: str
    detail: str = ""
    """The smaller print below it, such as the number of units."""


@dataclass(frozen=True)
class Curve:
    """Values at rising positions of the horizontal axis."""

    name: Name
    points: tuple[tuple[float, Mark], ...]
    """Positions, each with its value; at least one."""
    printed: bool
    """The paper's own, not measured by us."""
    kind: int
    """Curves of one kind, e.g. a row of the paper and ours of the same arm, share a marker where there is room."""


@dataclass(frozen=True)
class CurvePanel:
    """Curves that may be compared with one another."""

    title: str
    curves: tuple[Curve, ...]
    """None where nothing was run, which is then said."""
    ticks: tuple[tuple[float, str], ...]
    """Positions on the horizontal axis with their labels."""
    across: str
    """What the horizontal axis is."""
    up: str
    """What the vertical axis is."""
    top: float
    """The highest value that there can be."""


@dataclass(frozen=True)
class CurvePlot:
    """Panels of curves below one another."""

    heading: str
    panels: tuple[CurvePanel, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class DotRow:
    """One method under every column: ours with intervals, and the paper's value as another mark."""

    name: Name
    ours: tuple[Mark | None, ...]
    """One a column, None where there is no value; empty on a row of the paper."""
    printed: tuple[float | None, ...]
    """One a column, None where the paper's text gives none; empty where there is nothing to compare with."""


@dataclass(frozen=True)
class DotGroup:
    """Rows that may be compared with one another."""

    title: str
    """"" for what compares with the paper."""
    rows: tuple[DotRow, ...]


@dataclass(frozen=True)
class DotPlot:
    """Rows of dots on a scale from 0 to 100, a small panel a column."""

    heading: str
    columns: tuple[str, ...]
    groups: tuple[DotGroup, ...]
    across: str
    """What the scale is."""
    notes: tuple[str, ...]


Plot = CurvePlot | DotPlot
