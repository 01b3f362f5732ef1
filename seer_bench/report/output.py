"""A report for people and for machines: printed, as JSON, and as files."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from seer_bench.errors import UsageError
from seer_bench.report import records
from seer_bench.report.build import Report
from seer_bench.report.writers import html, latex, markdown, terminal

MORE = "All rows that are missing, with their commands: seer-bench report --only KEY (such as table2), and the files."


def report_json(report: Report) -> dict[str, Any]:
    """The report as a JSON tree; `seer_bench.report.records` describes its schema."""
    return records.report_record(report.tables, report.problems)


def print_report(report: Report, console: Console) -> None:
    """Print the report for a person: what has rows of ours, and how the rest gets some.

    Without any row everything is printed, so that the paper is seen. A table that was asked for alone is printed whole,
    with what otherwise stands in files alone.
    """
    alone = len(report.tables) == 1
    filled = [table for table in report.tables if table.rows or alone] or list(report.tables)
    for i, table in enumerate(filled):
        if i:
            console.print()
        terminal.print_document(table.document, console, whole=alone)
    terminal.print_problems(report.problems, console)
    for table in report.tables:
        if table not in filled:
            console.print()
            terminal.print_hints(table.document.hints[:1], console)
    if len(filled) < len(report.tables):
        console.print()
        terminal.print_hints([MORE], console)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the report in every format; each file is replaced as a whole.

    Returns:
        The files of each table: Markdown, LaTeX, HTML, JSON and CSV.

    Raises:
        UsageError: the folder cannot be written to.
    """
    texts: dict[str, str] = {}
    for table in report.tables:
        key = table.table.key
        texts |= {
            f"{key}.md": markdown.render(table.document),
            f"{key}.tex": latex.render(table.document),
            f"{key}.html": html.render(table.document),
            f"{key}.json": json.dumps(records.table_record(table), indent=2, allow_nan=False) + "\n",
        }
        texts |= {f"{key}{suffix}.csv": text for suffix, text in table.table.csv(table.rows).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder}: {error.strerror}. Choose another folder with --out."
        ) from error
    return [folder / name for name in texts]


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and rename it, so that nobody reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
