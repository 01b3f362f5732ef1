"""A report for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from seer_bench.report.document import ABSENT, Cell, Column, Document, Row, Table, marks, shorten

_ROOMY = 110
"""Columns from which details are shown that a narrow terminal has no room for."""
_WIDE = 140
"""Columns from which nothing has to be folded."""
_MANY = 8
"""Columns of a table from which a narrow terminal shows them closer together."""
_NAME = 25
"""Columns for the name of a row, which is broken into lines; the longest protocol name has as many."""
_WIDE_NAME = 44
"""The same on a wide terminal."""
_NARROW_NAME = 19
"""The same for a table that is too wide otherwise."""
_ANY = 1000
"""Columns that no table needs."""
_HEADING = 44
"""Characters of a heading, which is broken into lines."""
_SIGNS = {"agrees": "=", "differs": "≠"}
_SUPERSCRIPTS = str.maketrans("0123456789,", "⁰¹²³⁴⁵⁶⁷⁸⁹˒")


def print_document(document: Document, console: Console, *, whole: bool = False) -> None:
    """Print every part but the problems; texts are never read as rich markup.

    The first table is followed by the notes of all that the paper has, each of the others by its own.

    Args:
        document: what to print.
        console: where to.
        whole: also the tables that otherwise stand on pages alone.
    """
    console.print(Text(document.heading, style="bold"))
    console.print(Text(document.lead, style="dim"))
    shown = [table for table in document.tables if whole or not table.page]
    own = marks(table for table in document.tables if not table.page)
    for i, table in enumerate(shown):
        console.print()
        console.print(Text(table.title, style="bold"))
        names = _WIDE_NAME if console.width >= _WIDE else _NAME
        rich = _render(table, console.width, names)
        if console.measure(rich, options=console.options.update(max_width=_ANY)).maximum > console.width:
            rich = _render(table, console.width, _NARROW_NAME)
        console.print(rich)
        used = own if i == 0 else marks([table]) if table.page else set()
        for number in sorted(used):
            note = Text(document.notes[number - 1], style="dim")
            console.print(_hanging(_superscript((number,)), note))
    print_hints(document.hints, console)


def print_hints(hints: Sequence[str], console: Console) -> None:
    """Print what is missing in a table and how it is filled."""
    for hint in hints:
        console.print(_hanging("→", Text(hint)))


def print_problems(problems: Sequence[str], console: Console) -> None:
    """Print what could not be reported."""
    for problem in problems:
        console.print(_hanging("!", Text(problem, style="yellow")))


def _render(table: Table, width: int, names: int) -> RichTable:
    """The table with what fits into `width` columns, `names` of them for the names of rows."""
    folded = [i for i, column in enumerate(table.columns) if column.fold and width < _WIDE]
    shown = [i for i in range(len(table.columns)) if i not in folded]
    gap = 0 if width < _ROOMY and len(shown) >= _MANY else 1
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    for i in shown:
        column = table.columns[i]
        # The first column's texts are broken to size already, and a name that could be folded is shown whole; the rest
        # may wrap.
        rich.add_column(_heading(column), justify=column.align, overflow="fold", no_wrap=i == 0 or column.fold)
    for group in table.groups:
        for row in group:
            cells = [_cell(row[i], table.columns[i], width) for i in shown]
            cells[0] = _first(row, folded, names)
            rich.add_row(*cells)
        rich.add_section()
    return rich


def _heading(column: Column) -> Text:
    """The heading; names of rows break behind their dots, protocol names below it at their slash."""
    text = Text(shorten(column.heading, _HEADING).replace(" · ", " ·\n"))
    if column.subheading:
        text.append("\n" + column.subheading.replace("/", "/\n"), style="dim")
    return text


def _first(row: Row, folded: list[int], space: int) -> Text:
    """The row's name, in as many lines as the space asks for, with the folded cells below."""
    raised = _superscript(row[0].notes)
    text = Text("\n".join(_broken(row[0].text + raised, space)))
    for i in folded:
        if row[i].text != ABSENT:
            text.append("\n" + "\n".join(_broken(row[i].text, space)), style="dim")
    return text


def _broken(text: str, space: int) -> list[str]:
    """Lines of at most `space` characters, broken behind the dots of a name if that will do, else between words."""
    lines: list[str] = []
    for part in text.split(" · "):
        if lines and len(lines[-1]) + 3 + len(part) <= space:
            lines[-1] += f" · {part}"
        else:
            lines += wrap(part, space) or [""]
    return lines


def _cell(cell: Cell, column: Column, width: int) -> Text:
    """The value with its detail below, where the column wants it shown."""
    shown = column.detail == "always" or (column.detail == "roomy" and width >= _ROOMY)
    text = Text(cell.text, style="bold" if cell.best else "")
    if cell.verdict and not shown:
        text.append(_SIGNS[cell.verdict], style="not bold dim")
    text.append(_superscript(cell.notes))
    if cell.counts:
        text.append("\n" + cell.counts, style="not bold dim")
    if cell.detail and shown:
        text.append("\n" + cell.detail, style="not bold dim")
    if cell.verdict and shown:
        text.append(f"\n{_SIGNS[cell.verdict]} {cell.difference}", style="not bold dim")
    return text


def _superscript(numbers: tuple[int, ...]) -> str:
    """The marks of notes as raised digits, e.g. "¹˒²"."""
    return ",".join(str(number) for number in numbers).translate(_SUPERSCRIPTS)


def _hanging(mark: str, text: Text) -> RichTable:
    """A paragraph that hangs behind its mark."""
    grid = RichTable.grid(padding=(0, 1))
    grid.add_column(width=3, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark), text)
    return grid
