"""Text that fits: widths, line breaks, and labels that keep clear of one another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from seer_bench.report.document import shorten
from seer_bench.report.figures.style import FAMILY, FONT

_BREAKS = "_-/=.,"
"""Behind these a word that is too wide is broken, if it can be."""
_BOX = 1.4
"""Widths of an em that a character takes which the font lacks; a box is drawn for it."""
_FEWEST = 4
"""Characters that a name is cut to at least."""


def width(text: str) -> float:
    """How wide one line of text is, inches; without kerning, which would only make it narrower."""
    return sum(map(_advance, text))


def wrap(text: str, room: float, most: int | None = None) -> list[str]:
    """Lines no wider than `room` inches; a word that is wider is cut. Beyond `most` lines the text is shortened."""
    lines = _wrapped(text, room)
    length = len(text)
    while most is not None and len(lines) > most and length > _FEWEST:
        length -= max(1, length // 20)
        lines = _wrapped(shorten(text, length), room)
    return lines


def wrap_names(names: Sequence[str], room: float) -> list[list[str]]:
    """Names in at most two lines each; in as many as they need where they could else not be told apart."""
    found = [wrap(name, room, most=2) for name in names]
    shown = [tuple(lines) for lines in found]
    alike = [shown.count(lines) > names.count(name) for name, lines in zip(names, shown, strict=True)]
    return [wrap(name, room) if same else lines for name, lines, same in zip(names, found, alike, strict=True)]


def spread(wanted: Sequence[float], heights: Sequence[float], top: float) -> list[float]:
    """Where labels go that want to be at `wanted` but must not overlap, nor leave [0, `top`].

    Args:
        wanted: centres, falling.
        heights: of the labels; they must fit into `top` together.
        top: the upper end.
    """
    centres: list[float] = []
    ceiling = top
    for want, height in zip(wanted, heights, strict=True):
        centre = min(want, ceiling - height / 2)
        centres.append(centre)
        ceiling = centre - height / 2
    floor = 0.0
    for i in reversed(range(len(centres))):
        centres[i] = max(centres[i], floor + heights[i] / 2)
        floor = centres[i] + heights[i] / 2
    return centres


def _wrapped(text: str, room: float) -> list[str]:
    """Greedy line breaks at spaces, within words only where one alone is too wide."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        rest = word
        while width(rest) > room:
            fitting = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or width(rest[:n]) <= room)
            breaks = [n for n in range(fitting // 2, fitting + 1) if rest[n - 1] in _BREAKS]
            fitting = max(breaks, default=fitting)
            lines[-1] = rest[:fitting]
            rest = rest[fitting:]
            lines.append("")
        lines[-1] = rest
    return [line for line in lines if line] or [""]


@lru_cache(maxsize=4096)
def _advance(character: str) -> float:
    """Inches from one character to the next."""
    if not _font().get_char_index(ord(character)):
        return _BOX * FONT / 72
    return _font().load_char(ord(character)).linearHoriAdvance / 65536 / 72


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    """The font of all text at 72 pixels an inch, so that a pixel is a point."""
    font = FT2Font(findfont(FAMILY))
    font.set_size(FONT, 72)
    return font
