"""The pictures of the pages; every number in them also stands in a table or a text beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seer_bench.contracts import Array
from seer_bench.report.document import Drawn, shorten
from seer_bench.report.pages.details import Quartiles
from seer_bench.report.pages.svg import Svg, drawing, element, line, polyline, text

SERIES = 6
"""Lines that one chart can tell apart without colour: by their marks, their dashes and their names."""

_ROOMY = 4
"""Tracks up to which each has room for two lines of text."""
_POINTS = 180
"""Points along a line, beyond which it is thinned out."""


def interval_bar(drawn: Drawn, top: float) -> Svg:
    """A value with its interval on a scale from 0 to `top`, and the paper's value as a hollow diamond."""

    def at(value: float) -> float:
        return 3 + 94 * min(1.0, max(0.0, value / top))

    parts = [line(3.0, 7.0, 97.0, 7.0, "axis")]
    if drawn.low is not None and drawn.high is not None:
        left, right = at(drawn.low), at(drawn.high)
        parts += [element("rect", x=left, y=5.0, width=max(1.0, right - left), height=4.0, class_="range")]
    if drawn.value is not None:
        parts.append(line(at(drawn.value), 2.0, at(drawn.value), 12.0, "value"))
    if drawn.printed is not None:
        x = at(drawn.printed)
        parts.append(element("path", d=f"M{x:.1f} 3.5l3.5 3.5l-3.5 3.5l-3.5 -3.5z", class_="printed"))
    return drawing(100, 14, "", parts, "bar")


def spread_bar(spread: Quartiles, top: float) -> Svg:
    """Lowest to highest as a thin line, the middle half as a bar, the median as a stroke; from 0 to `top`."""

    def at(value: float) -> float:
        return 2 + 220 * min(1.0, value / top)

    box = max(1.0, at(spread.third) - at(spread.first))
    parts = [
        line(2.0, 7.0, 222.0, 7.0, "axis"),
        line(at(spread.low), 7.0, at(spread.high), 7.0, "whisker"),
        element("rect", x=at(spread.first), y=4.0, width=box, height=6.0, class_="range"),
        line(at(spread.median), 2.0, at(spread.median), 12.0, "value"),
    ]
    return drawing(224, 14, "", parts, "bar wide")


@dataclass(frozen=True)
class Curve:
    """One line of the survival chart."""

    label: str
    values: tuple[float, ...]
    """Fraction of chains with at least 1, 2, ... solved subtasks."""
    ends: tuple[tuple[float, float], ...]
    """Their 95 % intervals."""


def survival_chart(curves: Sequence[Curve]) -> Svg:
    """Percent of chains that are still going after each subtask, with intervals; at most `SERIES` curves."""
    width, height, left, right, top, bottom = 440.0, 270.0, 44.0, 142.0, 14.0, 40.0
    length = len(curves[0].values)

    def x(position: float) -> float:
        return left + (width - left - right) * position / length

    def y(share: float) -> float:
        return top + (height - top - bottom) * (1 - share)

    parts = []
    for percent in (0, 25, 50, 75, 100):
        parts += [line(left, y(percent / 100), x(length), y(percent / 100), "grid")]
        parts += [text(left - 6, y(percent / 100) + 4, f"{percent} %", "tick", "end")]
    parts += [text(x(i), height - bottom + 18, str(i), "tick", "middle") for i in range(length + 1)]
    parts.append(text(x(length / 2), height - 5, "subtasks solved in a row", "tick", "middle"))
    heights = _apart([y(curve.values[-1]) + 4 for curve in curves], 15, top + 4, height - bottom + 4)
    for i, (curve, at) in enumerate(zip(curves, heights, strict=True)):
        points = [(x(0), y(1.0)), *((x(k), y(v)) for k, v in enumerate(curve.values, start=1))]
        shift = 3.0 * (i - (len(curves) - 1) / 2)
        bars = [
            line(x(k) + shift, y(low), x(k) + shift, y(high), "whisker")
            for k, (low, high) in enumerate(curve.ends, start=1)
        ]
        marks = [_mark(i, px, py) for px, py in points[1:]]
        label = text(x(length) + 24, at, shorten(curve.label, 18), "name")
        key = _mark(i, x(length) + 14, at - 4)
        parts.append(
            element("g", "".join([*bars, polyline(points, "curve"), *marks, key, label]), class_=f"series s{i}")
        )
    spoken = "; ".join(f"{c.label}: {', '.join(f'{100 * v:.1f} %' for v in c.values)}" for c in curves)
    return drawing(width, height, f"Chains that survive 1 to {length} subtasks. {spoken}", parts, "chart")


def tracks(series: Mapping[str, Sequence[float]], steps: Sequence[int], *, label: str, unit: str, last: int) -> Svg:
    """Small line charts below one another over the same steps, each on the same scale.

    Args:
        series: the values of each track, one an entry of `steps`.
        steps: where they were measured.
        label: what is drawn, for those who cannot see it.
        unit: of the values.
        last: the step at which all tracks end.
    """
    values = np.array(list(series.values()), dtype=float)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    span = (high - low) or 1.0
    width, left, right = 380.0, 116.0, 8.0
    each = 27.0 if len(series) > _ROOMY else 42.0
    height = each * len(series) + 26
    x = left + (width - left - right) * np.asarray(steps) / max(1, last)
    parts = []
    for i, (name, row) in enumerate(zip(series, values, strict=True)):
        base = each * i + each - 4
        zero = base - (each - 8) * (0 - low) / span
        parts.append(line(left, zero, width - right, zero, "grid"))
        kept = _thinned(row)
        y = base - (each - 8) * (row[kept] - low) / span
        parts.append(polyline(list(zip(x[kept].tolist(), y.tolist(), strict=True)), "track"))
        if len(series) > _ROOMY:
            parts.append(text(left - 8, base - 6, shorten(name, 15), "tick", "end"))
        else:
            parts.append(text(left - 8, base - 16, shorten(name, 15), "name", "end"))
            parts.append(text(left - 8, base - 2, f"{row.min():.3g} to {row.max():.3g}{unit}", "tick", "end"))
    axis = height - 20
    parts.append(line(left, axis, width - right, axis, "axis"))
    for at in (0, last // 2, last):
        place = left + (width - left - right) * at / max(1, last)
        anchor = "start" if at == 0 else "end" if at == last else "middle"
        parts.append(text(place, height - 6, str(at), "tick", anchor))
    if len(series) > _ROOMY:
        parts.append(text(left - 8, height - 6, f"{low:.3g} to {high:.3g}{unit}", "tick", "end"))
    return drawing(width, height, f"{label} over {last} control steps: {', '.join(series)}", parts, "chart tracks")


def action_tracks(actions: Array, kind: str) -> Svg:
    """The executed actions (T, dim) over the control steps, a track a component."""
    names = _components(actions.shape[1], kind)
    values = {name: actions[:, i].astype(float).tolist() for i, name in enumerate(names)}
    steps = list(range(1, len(actions) + 1))
    return tracks(values, steps, label="Actions", unit="", last=len(actions))


def _components(dim: int, kind: str) -> list[str]:
    """Names of an action's components."""
    if kind.startswith("cartesian") and dim == 7:
        return [*(f"move {axis}" for axis in "xyz"), *(f"turn {axis}" for axis in "xyz"), "gripper"]
    return [f"action {i + 1}" for i in range(dim)]


def _thinned(row: Array) -> list[int]:
    """Positions that keep the shape of a long line: the lowest and the highest of each stretch."""
    if len(row) <= _POINTS:
        return list(range(len(row)))
    kept = {0, len(row) - 1}
    for stretch in np.array_split(np.arange(len(row)), _POINTS // 2):
        kept |= {int(stretch[np.argmin(row[stretch])]), int(stretch[np.argmax(row[stretch])])}
    return sorted(kept)


def _mark(i: int, x: float, y: float) -> Svg:
    """The mark of the curve number `i`; hollow ones are filled with the page's colour."""
    shapes = (
        f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
        f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
    )
    return element("path", d=shapes[i % 3], class_="mark hollow" if i >= 3 else "mark")


def _apart(heights: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """The heights, moved as little as needed so that labels do not overlap; the order stays."""
    order = sorted(range(len(heights)), key=lambda i: (heights[i], i))
    placed = dict.fromkeys(order, 0.0)
    at = top - gap
    for i in order:
        at = placed[i] = max(heights[i], at + gap)
    at = bottom + gap
    for i in reversed(order):
        at = placed[i] = min(placed[i], at - gap)
    return [placed[i] for i in range(len(heights))]
