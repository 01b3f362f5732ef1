"""SVG by hand: elements as text, escaped where they are made, numbers as short as they can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

Svg = NewType("Svg", str)
"""Markup whose texts and attributes are escaped; templates take it as it is."""


def element(name: str, body: str = "", **attributes: str | float | None) -> Svg:
    """An element around markup; `class_` becomes "class", other underscores hyphens, and None no attribute."""
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    head = "".join(
        f' {key}="{number(value) if isinstance(value, float) else escape(str(value))}"' for key, value in pairs
    )
    return Svg(f"<{name}{head}>{body}</{name}>" if body else f"<{name}{head}/>")


def drawing(width: float, height: float, label: str, parts: Iterable[Svg], class_: str) -> Svg:
    """A whole picture with what a screen reader says instead; with an empty label it is decoration."""
    box = f"0 0 {number(width)} {number(height)}"
    if not label:
        return element("svg", "".join(parts), viewBox=box, class_=class_, aria_hidden="true")
    return element("svg", "".join(parts), viewBox=box, class_=class_, role="img", aria_label=label)


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Svg:
    """A line of text."""
    return element("text", escape(words), x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Svg:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> Svg:
    """A line through points."""
    return element("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), class_=class_)


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
