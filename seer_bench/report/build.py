"""From run directories to a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seer_bench._cycles import no_search_for_cycles
from seer_bench.errors import SeerBenchError, UnknownNameError
from seer_bench.report.checkpoints import ArmRow, group_arms
from seer_bench.report.document import plain
from seer_bench.report.labels import with_distinct_labels
from seer_bench.report.paper_table import Findings, Source, TableReport
from seer_bench.report.tables import SOURCES, paper_tables
from seer_bench.store import find_runs, read_manifest, read_run


@dataclass(frozen=True)
class Report:
    """The paper's tables and figures with every run that was found."""

    tables: tuple[TableReport, ...]
    """In the paper's order, those without a run among them."""
    problems: tuple[str, ...]
    """What could not be reported, in words."""
    found: int
    """Run directories that were found, those left out among them."""

    def table(self, key: str) -> TableReport:
        """The table called `key`; raises UnknownNameError."""
        by_key = {report.table.key: report for report in self.tables}
        if key not in by_key:
            raise UnknownNameError("table", key, by_key)
        return by_key[key]

    def only(self, key: str) -> Report:
        """The report with that table alone; raises UnknownNameError."""
        return replace(self, tables=(self.table(key),))


@dataclass(frozen=True)
class _Counted:
    """The runs of one source, as rows."""

    rows: tuple[ArmRow[Any], ...]
    problems: tuple[str, ...]
    found: int


def build_report(paths: Sequence[Path], *, policies: Collection[str] = ()) -> Report:
    """Read every run among `paths` and below them; shards become one run, checkpoints of one arm one row.

    Whatever cannot be read or merged becomes a problem of the report, and the rest is still reported. The order of
    `paths` does not matter.

    Args:
        paths: run directories, or folders above some.
        policies: names of installed policies, so that the report can say which missing rows they could fill.
    """
    problems: list[str] = []
    found = _find_all(paths, problems)
    groups = _group_all(found, problems)
    counted = {source.key: _count(source, groups[source.key]) for source in SOURCES}
    unknown = len(found) - sum(part.found for part in counted.values())
    reports = []
    for table in paper_tables():
        parts = [counted[key] for key in table.sources]
        rows = table.own(row for part in parts for row in part.rows)
        everything = (*problems, *(problem for part in parts for problem in part.problems))
        findings = Findings(everything, sum(part.found for part in parts) + unknown, frozenset(policies))
        reports.append(TableReport(table, tuple(rows), table.document(rows, findings)))
    all_problems = (problem for report in reports for problem in report.document.problems)
    return Report(tuple(reports), tuple(dict.fromkeys([*map(plain, problems), *all_problems])), len(found))


def _count(source: Source[Any], groups: Collection[Sequence[Path]]) -> _Counted:
    """Count the runs of one source, each with all of its shards, and make them rows; what cannot be, is a problem."""
    problems: list[str] = []
    with no_search_for_cycles():  # one run at a time is in memory: of a run only its summary stays
        summaries = [summary for paths in groups if (summary := _summarise(source, paths, problems)) is not None]
    rows = group_arms(with_distinct_labels(summaries), source.combine, problems)
    labelled = with_distinct_labels([row.summary for row in rows])
    named = [replace(row, summary=summary) for row, summary in zip(rows, labelled, strict=True)]
    return _Counted(tuple(sorted(named, key=_order)), tuple(problems), sum(map(len, groups)))


def _summarise(source: Source[Any], paths: Sequence[Path], problems: list[str]) -> Any:
    """Read and merge the shards of one run and count; None, and a problem more, where that cannot be done."""
    runs = []
    for path in paths:
        try:
            runs.append(read_run(path))
            problems.extend(runs[-1].problems)
        except SeerBenchError as error:
            problems.append(f"{path}: left out. {error}")
    where = ", ".join(str(run.path) for run in runs)
    try:
        summary = source.summarise(runs) if runs else None
    except SeerBenchError as error:
        problems.append(f"{where}: left out. {error}")
        return None
    if runs and summary is None:
        problems.append(f"{where}: left out, because no {source.unit} has an outcome yet.")
    return summary


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


def _group_all(found: Sequence[Path], problems: list[str]) -> defaultdict[str, Collection[Sequence[Path]]]:
    """By the key of their table, the directories of every run with a readable manifest; `problems` takes the others."""
    known = [source.key for source in SOURCES]
    groups: defaultdict[str, defaultdict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in found:
        try:
            manifest = read_manifest(path)
        except SeerBenchError as error:
            problems.append(f"{path}: left out. {error}")
            continue
        protocol = manifest.protocol
        if protocol.table in known:
            groups[protocol.table][manifest.identity].append(path)
        else:
            problems.append(
                f"{path}: left out, because {protocol.name} belongs to '{protocol.table}', and the tables are "
                f"{', '.join(known)}."
            )
    return defaultdict(list, {key: list(runs.values()) for key, runs in groups.items()})


def _order(row: ArmRow[Any]) -> tuple[bool, str, str, str]:
    """Rows that compare with the paper come first."""
    protocol = row.summary.protocol
    return (protocol.comparable != "yes", protocol.name, row.summary.label, row.summary.manifest.identity)
