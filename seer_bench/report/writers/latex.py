"""A report as LaTeX tables; the preamble needs booktabs and a Unicode engine or inputenc's utf8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seer_bench.report.document import ABSENT, Cell, Column, Document, Row, Table, marks

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


def render(document: Document) -> str:
    """All tables but those for pages, each a `table` environment, with the notes below the first."""
    parts = [f"% {document.heading}. Needs \\usepackage{{booktabs}}."]
    parts += [f"% Not reported: {problem}" for problem in document.problems]
    shown = [table for table in document.tables if not table.page]
    used = marks(shown)
    for i, table in enumerate(shown):
        notes = {number: document.notes[number - 1] for number in sorted(used)} if i == 0 else {}
        # LaTeX numbers the tables of the page it is in; whose table this is must be said beside that number.
        source = f"{document.number} of the paper"
        caption = f"{document.title} ({source}). {document.lead}" if i == 0 else f"{table.title} ({source})"
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
        rf"\caption{{{escape(caption)}}}",
        *([r"\footnotesize"] if any(len(column.heading) > _LONG_HEADING for column in shown[1:]) else []),
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
    cells = [_cell(cell, column) for cell, column in pairs if not column.fold]
    below = [_small(cell.text) for cell, column in pairs if column.fold and cell.text != ABSENT]
    return _line([_stack([cells[0], *below], "l"), *cells[1:]])


def _line(cells: list[str]) -> str:
    """One row."""
    return f"{' & '.join(cells)} \\\\"


def _heading(column: Column) -> str:
    """The heading, with the subheading behind it; a long one is broken into lines."""
    text = escape(f"{column.heading} ({column.subheading})" if column.subheading else column.heading)
    if len(column.heading) <= _LONG_HEADING:
        return text
    return rf"\parbox[b]{{1.8cm}}{{\raggedleft {text}}}" if column.align == "right" else text


def _cell(cell: Cell, column: Column) -> str:
    """The value, the marks of its notes, and the small texts: below it where there are counts, else behind it."""
    value = rf"\textbf{{{escape(cell.text)}}}" if cell.best else escape(cell.text)
    detail = cell.detail if column.detail == "always" else ""
    lines = [f"{value}{_mark(*cell.notes)}", *(_small(part) for part in (cell.counts, detail) if part)]
    if cell.verdict:
        lines.append(rf"{{\scriptsize {_SIGNS[cell.verdict]} {escape(cell.difference)}}}")
    return _stack(lines, column.align[0]) if cell.counts or cell.verdict else " ".join(lines)


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
