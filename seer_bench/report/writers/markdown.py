"""A report as Markdown, for a repository or an issue."""

from __future__ import annotations

import re

from seer_bench.report.document import Cell, Document, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def render(document: Document) -> str:
    """The whole page."""
    parts = [f"# {escape(document.heading)}", escape(document.lead)]
    for i, table in enumerate(document.tables):
        parts += [f"## {escape(table.title)}", _table(table)]
        if i == 0:
            parts.append("\n".join(f"{n}. {escape(note)}" for n, note in enumerate(document.notes, start=1)))
    for title, lines in (("Missing", document.hints), ("Not reported", document.problems)):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {escape(line)}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, HTML tags and table bars included."""
    return _SPECIAL.sub(r"\\\1", text)


def _table(table: Table) -> str:
    """A table with bars; Markdown knows no lines between groups of rows."""
    heads = [f"{escape(c.heading)}{_small(c.subheading)}" for c in table.columns]
    rules = ["---:" if c.align == "right" else ":---" for c in table.columns]
    rows = [[_cell(cell) for cell in row] for group in table.groups for row in group]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, rules, *rows])


def _cell(cell: Cell) -> str:
    """The value, the marks of its notes, and the small texts below."""
    marks = f"<sup>{','.join(str(n) for n in cell.notes)}</sup>" if cell.notes else ""
    text = f"**{escape(cell.text)}**" if cell.best else escape(cell.text)
    verdict = f"{cell.verdict} ({cell.difference})" if cell.verdict else ""
    return f"{text}{marks}{_small(cell.counts)}{_small(cell.detail)}{_small(verdict)}"


def _small(text: str) -> str:
    """Small text below, or nothing."""
    return f"<br><sub>{escape(text)}</sub>" if text else ""
