"""A report as LaTeX tables; the preamble needs booktabs and a Unicode engine or inputenc's utf8."""

from __future__ import annotations

from seer_bench.report.document import Cell, Column, Document, Table

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
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)


def render(document: Document) -> str:
    """All tables, each a `table` environment with the notes below the first."""
    parts = [f"% {document.title}. Needs \\usepackage{{booktabs}}."]
    parts += [f"% Not reported: {problem}" for problem in document.problems]
    for i, table in enumerate(document.tables):
        notes = document.notes if i == 0 else ()
        caption = f"{document.title}. {document.lead}" if i == 0 else table.title
        parts.append(_table(table, caption, notes))
    if document.hint:
        parts.append(f"% {document.hint}")
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return text.translate(_SPECIAL)


def _table(table: Table, caption: str, notes: tuple[str, ...]) -> str:
    """One `table` environment."""
    layout = "".join("r" if column.align == "right" else "l" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        _line([_heading(column) for column in table.columns]),
    ]
    for group in table.groups:
        lines.append(r"\midrule")
        lines += [
            _line([_cell(cell, column) for cell, column in zip(row, table.columns, strict=True)]) for row in group
        ]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {_mark(i)} {escape(note)}" for i, note in enumerate(notes, start=1)]
    return "\n".join([*lines, r"\end{table}"])


def _line(cells: list[str]) -> str:
    """One row."""
    return f"{' & '.join(cells)} \\\\"


def _heading(column: Column) -> str:
    """The heading, with the subheading behind it."""
    return escape(f"{column.heading} ({column.subheading})" if column.subheading else column.heading)


def _cell(cell: Cell, column: Column) -> str:
    """The value, the marks of its notes, and a detail that is always shown."""
    detail = f" {{\\scriptsize {escape(cell.detail)}}}" if cell.detail and column.detail == "always" else ""
    return f"{escape(cell.text)}{_mark(*cell.notes)}{detail}"


def _mark(*numbers: int) -> str:
    """The raised marks of notes."""
    return rf"\textsuperscript{{{','.join(str(n) for n in numbers)}}}" if numbers else ""
