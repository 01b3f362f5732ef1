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
from seer_bench.report import figures, records
from seer_bench.report.build import Report
from seer_bench.report.pages import render, write_pages
from seer_bench.report.paper_table import TableReport
from seer_bench.report.writers import latex, markdown, parquet, terminal

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


def write_report(report: Report, folder: Path, *, whole: Report | None = None) -> list[Path]:
    """Write the report in every format; each file is replaced as a whole, and none before all are made.

    Figures and Parquet files of an earlier report that this one has not are removed, so that nothing in the folder
    speaks of other runs.

    Args:
        report: whose tables are written.
        folder: where to; it is made if need be.
        whole: what the pages show, where that is more than `report`; a new `folder`/html replaces the old one.

    Returns:
        The files of each table: Markdown, LaTeX, JSON and CSV, its figure as PNG and PDF where it has one, and Parquet
        where that can be written, see `not_written`; then the pages, which are in `folder`/html.

    Raises:
        UsageError: the folder cannot be written to.
    """
    files: dict[str, bytes] = {}
    for table in report.tables:
        files |= _table_files(table)
    pages = render(whole or report)
    figure_names = {f"{table.table.key}{suffix}" for table in report.tables for suffix in figures.SUFFIXES}
    parquet_names = {f"{name.removesuffix('.csv')}.parquet" for name in files if name.endswith(".csv")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(folder / name, content)
        for name in (figure_names | parquet_names) - set(files):
            (folder / name).unlink(missing_ok=True)
        written = write_pages(pages, folder / "html")
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder}: {error.strerror}. Choose another folder with --out."
        ) from error
    return [*(folder / name for name in files), *written]


def not_written() -> str:
    """What `write_report` leaves out on this machine, and how to get it; "" where nothing is."""
    return "" if parquet.available() else parquet.MISSING


def _table_files(report: TableReport) -> dict[str, bytes]:
    """The files of one table by name."""
    key = report.table.key
    tables = {f"{key}{suffix}": text for suffix, text in report.table.csv(report.rows).items()}
    texts = {
        f"{key}.md": markdown.render(report.document),
        f"{key}.tex": latex.render(report.document),
        f"{key}.json": json.dumps(records.table_record(report), indent=2, allow_nan=False) + "\n",
        **{f"{name}.csv": text for name, text in tables.items()},
    }
    files = {name: text.encode() for name, text in texts.items()}
    if parquet.available():
        files |= {f"{name}.parquet": parquet.render(text) for name, text in tables.items()}
    return files | {f"{key}{suffix}": content for suffix, content in figures.render(report).items()}


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that nobody reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
