"""A report as LaTeX tables; the preamble needs booktabs and a Unicode engine or inputenc's utf8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

from seer_bench.report.document import ABSENT, Cell, Column, Document, Row, Table, marks, shorten

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "·": r"\textperiodcentered{}",
        "–": "--",
        "−": r"\textminus{}",
        "≠": r"\ensuremath{\neq}",
        "…": r"\ldots{}",
        "±": r"\textpm{}",
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)

_SIGNS = {"agrees": "=", "differs": r"\ensuremath{\neq}"}

_LONG_HEADING = 16
"""Characters from which a heading of numbers is broken."""
_HEADING = 60
"""Characters of a heading."""
_LINE, _SMALL_LINE = 36, 48
"""Characters from which other texts are, and small print."""
_MANY = 7
"""Columns from which there is a third less room for them."""


def render(document: Document) -> str:
    """All tables, each a `table` environment.

    The first holds the notes of all that the paper has; published results have tables of their own, with their notes.
    """
    parts = [f"% {document.heading}. Needs \\usepackage{{booktabs}}."]
    parts += [f"% Not reported: {problem}" for problem in document.problems]
    own = marks(table for table in document.tables if not table.page)
    for i, table in enumerate(document.tables):
        used = own if i == 0 else marks([table]) if table.page else set()
        notes = {number: document.notes[number - 1] for number in sorted(used)}
        # LaTeX numbers the tables of the page it is in; whose table this is must be said beside that number.
        source = f"{document.number} of the paper"
        caption = f"{document.title} ({source}). {document.lead}" if i == 0 else f"{table.title} ({source})"
        if table.page:
            caption = f"{table.title} (beside {source}). Other sources, other protocols: not to be ranked with it."
        parts.append(_table(table, caption, notes))
    parts += [f"% {hint}" for hint in document.hints]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return text.translate(_SPECIAL)


def _table(table: Table, caption: str, notes: Mapping[int, str]) -> str:
    """One `table` environment."""
    shown = [column for column in table.columns if not column.fold]
    layout = "".join("r" if column.align == "right" else "l" for column in shown)
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\setlength{\belowcaptionskip}{4pt}",  # the caption stands above, where LaTeX leaves no space
        rf"\caption{{{escape(caption)}}}",
        *([r"\footnotesize"] if table.page or any(len(c.heading) > _LONG_HEADING for c in shown[1:]) else []),
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        _line([_heading(column) for column in shown]),
    ]
    for group in table.groups:
        lines.append(r"\midrule")
        lines += [_row(row, table.columns) for row in group]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\raggedright\footnotesize {_mark(i)} {escape(note)}" for i, note in notes.items()]
    return "\n".join([*lines, r"\end{table}"])


def _row(row: Row, columns: Sequence[Column]) -> str:
    """One row; what can be folded stands below the first cell, since a page is narrow."""
    pairs = list(zip(row, columns, strict=True))
    line, small = (size * 2 // 3 if len(columns) >= _MANY else size for size in (_LINE, _SMALL_LINE))
    cells = [_cell(cell, column, line) for cell, column in pairs if not column.fold]
    folded = (cell.text for cell, column in pairs if column.fold and cell.text != ABSENT)
    below = [_small(part) for text in folded for part in wrap(text, small)]
    return _line([_stack([cells[0], *below], "l"), *cells[1:]])


def _line(cells: list[str]) -> str:
    """One row."""
    return f"{' & '.join(cells)} \\\\"


def _heading(column: Column) -> str:
    """The heading, with the subheading behind it; a long one is broken into lines."""
    heading = shorten(column.heading, _HEADING)
    heading = f"{heading} ({column.subheading})" if column.subheading else heading
    text = escape(heading)
    if len(heading) <= _LONG_HEADING:
        return text
    return rf"\parbox[b]{{1.8cm}}{{\raggedleft {text}}}" if column.align == "right" else text


def _cell(cell: Cell, column: Column, line: int) -> str:
    """The value, the marks of its notes, and the small texts: below it where there are counts, else behind it."""
    texts = [escape(text) for text in wrap(cell.text, line)] or [""]
    lines = [rf"\textbf{{{text}}}" if cell.best else text for text in texts]
    lines[-1] += _mark(*cell.notes)
    detail = cell.detail if column.detail == "always" else ""
    small = [_small(part) for part in (cell.counts, detail) if part]
    if len(lines) == 1 and not cell.counts and not cell.verdict:
        return " ".join([*lines, *small])
    lines += small
    if cell.verdict:
        lines.append(rf"{{\scriptsize {_SIGNS[cell.verdict]} {escape(cell.difference)}}}")
    return _stack(lines, column.align[0])


def _stack(lines: Sequence[str], align: str) -> str:
    """Lines below one another within a cell."""
    if len(lines) == 1:
        return lines[0]
    return rf"\begin{{tabular}}[t]{{@{{}}{align}@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def _small(text: str) -> str:
    """Small print."""
    return rf"{{\scriptsize {escape(text)}}}"


def _mark(*numbers: int) -> str:
    """The raised marks of notes."""
    return rf"\textsuperscript{{{','.join(str(n) for n in numbers)}}}" if numbers else ""
