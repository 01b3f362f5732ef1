"""How figures look: sizes for a column of print, and marks that differ without colour."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib.style

WIDTH = 5.5
"""Inches: the text of one column, so that a figure is included at its own size and its letters keep theirs."""
FAMILY = "STIXGeneral"
"""Comes with matplotlib, so every machine draws the same; narrow, and like the text of most papers."""
FONT = 8.5
"""Points; nothing is smaller."""
LINE = 1.22 * FONT / 72
"""Inches from one line of text to the next."""
DPI = 200
GREY = "0.35"
"""Of the paper's values and of small print; 7:1 on white."""
FAINT = "0.88"

MARKERS = ("o", "s", "^", "D", "v", "X", "P", "<", "*", ">", "p", "h")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 1.5), (1.2, 1.2), (5, 1.5, 1.2, 1.5), (9, 2))
_COLOURS = ("#0b4f8a", "#c04a00", "#00785a", "#8a2f6b", "#222222", "#7a6000")

_SETTINGS = {
    "font.family": FAMILY,
    "font.size": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "text.hinting": "none",  # it takes time, and changes nothing that is seen at this resolution
    "text.parse_math": False,  # names are names, with dollar signs too
    "pdf.fonttype": 42,  # TrueType, which every publisher accepts
    "svg.hashsalt": "seer-bench",
}


@dataclass(frozen=True)
class Look:
    """How one curve is drawn; no two of a panel share marker, filling and dashes."""

    marker: str
    filled: bool
    dashes: tuple[float, ...]
    """On and off in points; empty for a solid line."""
    colour: str
    width: float
    """Of the line, points."""


def looks(kinds: list[tuple[int, bool]]) -> list[Look]:
    """The looks of a panel's curves.

    Args:
        kinds: of every curve its kind, and whether it is the paper's own. The first two of a kind that differ in the
            latter share their marker.
    """
    used: set[tuple[int, bool]] = set()
    numbers: dict[int, int] = {}
    given = []
    for kind, printed in kinds:
        number = numbers.setdefault(kind, len(numbers))
        given.append(None if (number, printed) in used else number)
        used.add((number, printed))
    free = len(numbers)
    found = []
    for shared, (_, printed) in zip(given, kinds, strict=True):
        found.append(_look(free if shared is None else shared, printed=printed))
        free += shared is None
    return found


def _look(number: int, *, printed: bool) -> Look:
    """The look number `number`, from 0."""
    turn = number // len(MARKERS)
    return Look(
        marker=MARKERS[number % len(MARKERS)],
        filled=not printed,
        dashes=_DASHES[(number + turn + printed) % len(_DASHES)],
        colour=GREY if printed else _COLOURS[number % len(_COLOURS)],
        width=0.8 if printed else 1.4,
    )


@contextmanager
def settings() -> Iterator[None]:
    """Draw with these settings and no others, whatever the user's own are."""
    with matplotlib.style.context(["default", _SETTINGS], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # shown as a box
        yield
