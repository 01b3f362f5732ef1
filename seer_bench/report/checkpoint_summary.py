"""The few lines that end the evaluation of several checkpoints: each of them, and the row that they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seer_bench.report.build import build_report
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.document import Document, plain
from seer_bench.report.paper_table import TableReport
from seer_bench.report.wording import checkpoint_note, checkpoint_table, estimate_text
from seer_bench.report.writers import terminal


def print_checkpoints(paths: Sequence[Path], console: Console) -> None:
    """Print what runs that differ in their checkpoints come to, as the table that they belong to would show it.

    Args:
        paths: run directories, or folders of shards; those that do not exist are left out.
        console: where to print.
    """
    report = build_report([path for path in paths if path.is_dir()])
    filled = next((found for found in report.tables if found.rows and isinstance(found.table, ComparedTable)), None)
    if filled is not None:
        _print_rows(filled, console)
    terminal.print_problems(report.problems, console)


def _print_rows(filled: TableReport, console: Console) -> None:
    """Every row: a table of its checkpoints, or one line where there is only one."""
    table = filled.table
    if not isinstance(table, ComparedTable):
        return
    measure = table.measures[-1]
    for row in filled.rows:
        name = plain(f"{row.summary.label} on {row.summary.protocol.name}")
        values = [table.estimates(run)[-1] for run in row.runs]
        if row.choice is None:
            text = "n/a" if values[0] is None else estimate_text(values[0], measure)
            console.print(Text(f"{name}: {measure.heading} {text}"), soft_wrap=True)
            continue
        document = Document(
            number=table.number,
            title=name,
            lead=checkpoint_note(row, measure, table.unit),
            tables=(checkpoint_table([row], [values], measure),),
            notes=(),
            problems=(),
            hints=(),
        )
        terminal.print_document(document, console)
