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

from seer_bench.errors import SeerBenchError, UsageError
from seer_bench.report import records
from seer_bench.report.chains import ChainSummary, summarise
from seer_bench.report.document import Document
from seer_bench.report.labels import with_distinct_labels
from seer_bench.report.paper_tables import PaperChainTable, load_chain_table
from seer_bench.report.table2 import build_document
from seer_bench.report.writers import html, latex, markdown, terminal
from seer_bench.store import RunData, find_runs, read_run

TABLE = "table2"
"""The paper's table that is reported."""


@dataclass(frozen=True)
class Report:
    """The paper's table with every run that was found."""

    paper: PaperChainTable
    summaries: tuple[ChainSummary, ...]
    """The rows, in order: what compares with the paper first, then by protocol and label."""
    problems: tuple[str, ...]
    """What could not be reported, in words."""
    found: int
    """Run directories that were found, those left out among them."""
    document: Document
    """The same, worded."""


def build_report(paths: Sequence[Path]) -> Report:
    """Read every run among `paths` and below them; shards of one run become one row.

    Whatever cannot be read or merged becomes a problem of the report, and the rest is still reported. The order of
    `paths` does not matter.
    """
    paper = load_chain_table(TABLE)
    problems: list[str] = []
    summaries: list[ChainSummary] = []
    found = _find_all(paths, problems)
    shards: defaultdict[str, list[RunData]] = defaultdict(list)
    for run in _read_all(found, problems):
        shards[run.manifest.identity].append(run)
    for same in shards.values():
        try:
            summary = summarise(same)
        except SeerBenchError as error:
            problems.append(f"{_where(same)}: left out. {error}")
            continue
        if summary is None:
            problems.append(f"{_where(same)}: left out, because no chain has an outcome yet.")
        elif len(summary.rates) != paper.length:
            problems.append(
                f"{_where(same)}: left out, because {summary.protocol.name} has chains of {len(summary.rates)} "
                f"subtasks; the table is about chains of {paper.length}."
            )
        else:
            summaries.append(summary)
    ordered = tuple(sorted(with_distinct_labels(summaries), key=_order))
    document = build_document(paper, ordered, problems, found=len(found))
    return Report(paper, ordered, tuple(problems), len(found), document)


def report_json(report: Report) -> dict[str, Any]:
    """The report as a JSON tree; `seer_bench.report.records` describes its schema."""
    return records.to_json(report.paper, report.summaries, report.document)


def print_report(report: Report, console: Console) -> None:
    """Print the report for a person."""
    terminal.print_document(report.document, console)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the report in every format; each file is replaced as a whole.

    Returns:
        The files: Markdown, LaTeX, HTML, JSON, CSV of the chains, CSV of the tasks.

    Raises:
        UsageError: the folder cannot be written to.
    """
    texts = {
        f"{TABLE}.md": markdown.render(report.document),
        f"{TABLE}.tex": latex.render(report.document),
        f"{TABLE}.html": html.render(report.document),
        f"{TABLE}.json": json.dumps(report_json(report), indent=2, allow_nan=False) + "\n",
        f"{TABLE}.csv": records.chains_csv(report.paper, report.summaries),
        f"{TABLE}_tasks.csv": records.tasks_csv(report.summaries),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder}: {error.strerror}. Choose another folder with --out."
        ) from error
    return [folder / name for name in texts]


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
    """Every readable run of a protocol that the table is about; `problems` takes the others."""
    for path in found:
        try:
            run = read_run(path)
        except SeerBenchError as error:
            problems.append(f"{path}: left out. {error}")
            continue
        problems.extend(run.problems)
        protocol = run.manifest.protocol
        if protocol.table == TABLE:
            yield run
        else:
            problems.append(f"{path}: left out, because {protocol.name} belongs to '{protocol.table}', not '{TABLE}'.")


def _order(summary: ChainSummary) -> tuple[bool, str, str, str]:
    """Rows that compare with the paper come first."""
    protocol = summary.protocol
    return (protocol.comparable != "yes", protocol.name, summary.label, summary.manifest.identity)


def _where(runs: Sequence[RunData]) -> str:
    """The directories of some runs."""
    return ", ".join(str(run.path) for run in runs)


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
