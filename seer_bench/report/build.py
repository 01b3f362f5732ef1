"""From run directories to a report, and from a report to files."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from seer_bench.errors import SeerBenchError, UnknownNameError, UsageError
from seer_bench.report import records
from seer_bench.report.counts import RunSummary
from seer_bench.report.document import plain
from seer_bench.report.labels import with_distinct_labels
from seer_bench.report.paper_table import PaperTable, TableReport
from seer_bench.report.table1 import TaskTable
from seer_bench.report.table2 import ChainTable
from seer_bench.report.writers import html, latex, markdown, terminal
from seer_bench.store import RunData, find_runs, read_run

TABLES: tuple[PaperTable[Any], ...] = (TaskTable("table1", "Table 1"), ChainTable("table2", "Table 2"))
"""The paper's tables that are reported, in its order."""


@dataclass(frozen=True)
class Report:
    """The paper's tables with every run that was found."""

    tables: tuple[TableReport[Any], ...]
    """As in `TABLES`, those without a run among them."""
    problems: tuple[str, ...]
    """What could not be reported, in words."""
    found: int
    """Run directories that were found, those left out among them."""

    def table(self, key: str) -> TableReport[Any]:
        """The table called `key`; raises UnknownNameError."""
        by_key = {report.table.key: report for report in self.tables}
        if key not in by_key:
            raise UnknownNameError("table", key, by_key)
        return by_key[key]


def build_report(paths: Sequence[Path]) -> Report:
    """Read every run among `paths` and below them; shards of one run become one row.

    Whatever cannot be read or merged becomes a problem of the report, and the rest is still reported. The order of
    `paths` does not matter.
    """
    problems: list[str] = []
    found = _find_all(paths, problems)
    runs: defaultdict[str, list[RunData]] = defaultdict(list)
    for run in _read_all(found, problems):
        runs[run.manifest.protocol.table].append(run)
    unknown = len(found) - sum(len(runs[table.key]) for table in TABLES)
    reports = tuple(_report_table(table, runs[table.key], problems, unknown) for table in TABLES)
    everything = (problem for report in reports for problem in report.document.problems)
    return Report(reports, tuple(dict.fromkeys([*map(plain, problems), *everything])), len(found))


def report_json(report: Report) -> dict[str, Any]:
    """The report as a JSON tree; `seer_bench.report.records` describes its schema."""
    return records.report_record(report.tables, report.problems)


def print_report(report: Report, console: Console) -> None:
    """Print the report for a person: the tables that have rows of ours, and how the others get some."""
    filled = [table for table in report.tables if table.summaries]
    for i, table in enumerate(filled or report.tables):
        if i:
            console.print()
        terminal.print_document(table.document, console)
    terminal.print_problems(report.problems, console)
    for table in report.tables if filled else ():
        if not table.summaries:
            console.print()
            terminal.print_hints(table.document, console)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the report in every format; each file is replaced as a whole.

    Returns:
        The files of each table: Markdown, LaTeX, HTML, JSON, CSV of the rows, CSV of the tasks.

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
        texts |= {f"{key}{suffix}.csv": text for suffix, text in table.table.csv(table.summaries).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder}: {error.strerror}. Choose another folder with --out."
        ) from error
    return [folder / name for name in texts]


def _report_table(
    table: PaperTable[Any], runs: Sequence[RunData], general: Sequence[str], unknown: int
) -> TableReport[Any]:
    """One table with its runs; problems in `general` and `unknown` runs may belong to it."""
    problems = list(general)
    summaries: list[RunSummary] = []
    shards: defaultdict[str, list[RunData]] = defaultdict(list)
    for run in runs:
        problems.extend(run.problems)
        shards[run.manifest.identity].append(run)
    for same in shards.values():
        where = ", ".join(str(run.path) for run in same)
        try:
            summary = table.summarise(same)
        except SeerBenchError as error:
            problems.append(f"{where}: left out. {error}")
            continue
        if summary is None:
            problems.append(f"{where}: left out, because no {table.unit} has an outcome yet.")
        else:
            summaries.append(summary)
    ordered = tuple(sorted(with_distinct_labels(summaries), key=_order))
    return TableReport(table, ordered, table.document(ordered, problems, found=len(runs) + unknown))


def _find_all(paths: Sequence[Path], problems: list[str]) -> list[Path]:
    """Every run directory among `paths` and below them, each once; `problems` takes the paths without any."""
    found: dict[Path, Path] = {}
    for root in sorted(paths):
        try:
            below = find_runs([root])
        except SeerBenchError as error:
            problems.append(str(error))
            continue
        if not below:
            problems.append(f"{root}: holds no run. Name a directory that `seer-bench run` made, or one above it.")
        for path in below:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def _read_all(found: Sequence[Path], problems: list[str]) -> Iterator[RunData]:
    """Every readable run of a protocol that one of the tables is about; `problems` takes the others."""
    known = [table.key for table in TABLES]
    for path in found:
        try:
            run = read_run(path)
        except SeerBenchError as error:
            problems.append(f"{path}: left out. {error}")
            continue
        protocol = run.manifest.protocol
        if protocol.table in known:
            yield run
        else:
            problems.append(
                f"{path}: left out, because {protocol.name} belongs to '{protocol.table}', and the tables are "
                f"{', '.join(known)}."
            )


def _order(summary: RunSummary) -> tuple[bool, str, str, str]:
    """Rows that compare with the paper come first."""
    protocol = summary.protocol
    return (protocol.comparable != "yes", protocol.name, summary.label, summary.manifest.identity)


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
