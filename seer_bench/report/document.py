"""A report without a format: tables of worded cells and numbered notes, which every writer renders as it can.

Everything that a person reads is worded before it gets here, and every number is rounded here, so that the terminal,
Markdown, LaTeX and HTML cannot disagree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ABSENT = "–"
"""What a cell holds where there is no value to show."""

Detail = Literal["always", "roomy", "page"]


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    heading: str
    subheading: str = ""
    align: Literal["left", "right"] = "right"
    detail: Detail = "always"
    """Where the cells' details are shown: everywhere, where there is room for them, or on pages alone (HTML and
    Markdown)."""
    fold: bool = False
    """Where space is short the text moves under that of the first column."""


@dataclass(frozen=True)
class Drawn:
    """The numbers behind a cell, for writers that draw them; all in the unit of the print."""

    value: float | None = None
    """Ours; None on the paper's own line."""
    low: float | None = None
    """Ends of our 95 % interval; None where there is none."""
    high: float | None = None
    printed: float | None = None
    """The paper's value of the same arm; None where there is nothing to compare with."""
    top: float | None = None
    """The highest value that can be, e.g. 100; None where the column's own highest has to do. The lowest is 0."""


@dataclass(frozen=True)
class Cell:
    """One worded value."""

    text: str
    detail: str = ""
    """The smaller text beside or below it, such as an interval."""
    counts: str = ""
    """What it was computed from, e.g. "19/20"; small, but always shown."""
    notes: tuple[int, ...] = ()
    """Numbers of the notes that it refers to, from 1."""
    verdict: str = ""
    """"agrees" or "differs" where the value was compared with a printed one."""
    difference: str = ""
    """By how much it differs from the printed one, e.g. "+0.3"."""
    best: bool = False
    """The best comparable value of its column."""
    drawn: Drawn | None = None
    """The numbers behind `text`; None where they are not drawn."""


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Rows in groups; a writer draws a line between two groups."""

    title: str
    columns: tuple[Column, ...]
    groups: tuple[tuple[Row, ...], ...]
    page: bool = False
    """Shown in files (HTML, Markdown and LaTeX), and on a terminal only where this table was asked for."""


@dataclass(frozen=True)
class Document:
    """A whole report."""

    number: str
    """How the paper calls it, e.g. "Table 2"."""
    title: str
    """The paper's title without its number."""
    lead: str
    """What the numbers are, in one sentence."""
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    """Texts of the numbered notes, in the order of their numbers."""
    problems: tuple[str, ...]
    """What could not be reported, and why."""
    hints: tuple[str, ...]
    """What is missing, each with the command that fills it; the first says most."""

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number}: {self.title}"


class Notes:
    """Gives every distinct note a number, in the order in which they are first needed."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def number(self, texts: Iterable[str]) -> tuple[int, ...]:
        """The numbers of `texts`, ascending."""
        numbers = []
        for text in texts:
            if text not in self._texts:
                self._texts.append(text)
            numbers.append(self._texts.index(text) + 1)
        return tuple(sorted(numbers))

    @property
    def texts(self) -> tuple[str, ...]:
        """All notes so far."""
        return tuple(self._texts)


def marks(tables: Iterable[Table]) -> set[int]:
    """Numbers of the notes that the cells of some tables refer to."""
    return {
        number for table in tables for group in table.groups for row in group for cell in row for number in cell.notes
    }


def plain(text: str) -> str:
    """One line of visible text: control characters and line breaks, which a terminal would obey, become spaces."""
    if text.isprintable():  # most are, and this is ten times as fast
        return text.strip()
    return "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).strip()


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as percent with one decimal, "n/a" for None."""
    return "n/a" if rate is None else f"{100 * rate:.1f}"


def interval(low: float | None, high: float | None, *, digits: int, scale: float = 1.0) -> str:
    """The two ends of an interval, e.g. "3.85–4.10", or "n/a" where there is none."""
    if low is None or high is None:
        return "n/a"
    return f"{scale * low:.{digits}f}–{scale * high:.{digits}f}"


def signed(number: float, digits: int) -> str:
    """A difference with its sign, e.g. "−0.30"; "0.00" without one."""
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def count(number: int) -> str:
    """A whole number, e.g. "12,345"."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number of things, e.g. "1 chain" or "2 chains"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut in the middle because names differ at their ends."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 5
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"
