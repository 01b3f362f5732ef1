"""All pages of a report, from the overview to the failures of a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from seer_bench.report.build import Report
from seer_bench.report.document import ABSENT, Table, count, counted, interval, percent, plain
from seer_bench.report.pages.charts import Curve, interval_bar, spread_bar
from seer_bench.report.pages.details import RunDetails, read_details
from seer_bench.report.pages.gallery import CLIPS, Section, build_gallery, failures_csv
from seer_bench.report.pages.overview import (
    WORDS,
    RunPage,
    heat_maps,
    run_pages,
    scaled,
    survival_charts,
    survival_of,
    table_line,
)
from seer_bench.report.reference_tables import PUBLISHED
from seer_bench.store import Session

SESSIONS = 12
"""Starts of the command that a run's page tells of."""


def render(report: Report) -> dict[str, str | Path]:
    """Every file of the folder by its name, which may hold "/"; a path stands for a file to be copied.

    Clips and films that lie in the runs' folders become part of it. Equal runs give equal pages.
    """
    files: dict[str, str | Path] = {}
    runs: list[RunPage] = []
    curves: list[tuple[str, Curve]] = []
    for run in run_pages(report):
        details = read_details(run.summary)  # one at a time, since a run may be large
        if details is None:
            continue
        sections = build_gallery(details)
        if details.length > 1:
            curves.append((run.summary.protocol.name, survival_of(run.summary, details.survival)))
        runs.append(replace(run, failed=details.failed, clips=_clips(sections)))
        files |= _run_files(runs[-1], details, sections)
    tables = [table_line(table) for table in report.tables]
    common = {"report": report, "runs": runs, "tables": tables}
    totals = _totals(runs, tables)
    pages: dict[str, str | Path] = {
        "index.html": _page("index.html", "", **common, charts=survival_charts(curves), totals=totals),
        "tasks.html": _page("tasks.html", "", **common, maps=heat_maps(runs)),
    }
    for line in tables:
        document = line.report.document
        tops = [_tops(table) for table in document.tables]
        published = [table for table in document.tables if table.title.startswith(PUBLISHED)]
        shown = {"line": line, "document": document, "tops": tops, "published": published}
        pages[line.page] = _page("table.html", "", **common, **shown)
    return {**pages, "style.css": _templates().get_template("style.css").render(), **files}


def _run_files(run: RunPage, details: RunDetails, sections: Sequence[Section]) -> dict[str, str | Path]:
    """The pages of one run, and the files that they show."""
    summary, slug = run.summary, run.slug
    top = max((spread.high for spread in details.durations.values()), default=1.0)
    curve = [(summary.protocol.name, survival_of(summary, details.survival))] if details.length > 1 else []
    where = [plain(str(path)) for path in summary.paths]
    shared = {"run": run, "details": details, "where": where}
    files: dict[str, str | Path] = {
        f"runs/{slug}.html": _page(
            "run.html",
            "../",
            **shared,
            charts=survival_charts(curve),
            bars={task: spread_bar(spread, top) for task, spread in details.durations.items()},
            top=top,
            settings=yaml.safe_dump(dict(summary.protocol.settings), sort_keys=True, allow_unicode=True, width=88),
            sessions=[_session(session) for session in details.sessions[:SESSIONS]],
        )
    }
    if details.failed or details.lost:
        more = shlex.join(["seer-bench", "report", *where, "--clips", "12"])
        files[f"runs/{slug}-failures.html"] = _page(
            "failures.html", "../", **shared, sections=sections, command=more, most=CLIPS
        )
        files[f"runs/{slug}-failures.csv"] = failures_csv(details)
    for entry in (entry for section in sections for entry in section.entries):
        if entry.clip is not None:
            files[f"clips/{slug}/{entry.failure.slug}.mp4"] = entry.clip.film
            if entry.clip.picture is not None:
                files[f"clips/{slug}/{entry.failure.slug}.jpg"] = entry.clip.picture
    return files


def _clips(sections: Sequence[Section]) -> int:
    """Clips and films that are shown."""
    return sum(entry.clip is not None for section in sections for entry in section.entries)


def _totals(runs: Sequence[RunPage], tables: Sequence[Any]) -> dict[str, int]:
    """The numbers at the top."""
    totals = {word: sum(line.verdicts[word] for line in tables) for word in WORDS}
    units, errors = sum(run.summary.n for run in runs), sum(run.summary.errors for run in runs)
    partial = sum(not run.summary.complete for run in runs)
    return {**totals, "runs": len(runs), "units": units, "errors": errors, "partial": partial}


def _tops(table: Table) -> list[float]:
    """Of every column the highest value that is drawn in it."""
    tops = []
    for column in range(len(table.columns)):
        drawn = [row[column].drawn for group in table.groups for row in group]
        numbers = [n for d in drawn if d for n in (d.value, d.high, d.printed) if n is not None]
        fixed = [d.top for d in drawn if d and d.top is not None]
        tops.append(max(fixed) if fixed else float(-int(-max(numbers, default=1.0) // 1)) or 1.0)
    return tops


def _session(session: Session) -> dict[str, Any]:
    """One start of the command, its facts in order of interest."""
    facts = dict(session.facts)
    command, packages = facts.pop("command", None), facts.pop("packages", None)
    shown: dict[str, str] = {"started": session.started, "ended": session.ended or "not recorded"}
    shown["reason"] = session.reason or "not recorded; it was killed, or still runs"
    if isinstance(command, list):
        shown["command"] = shlex.join(map(str, command))
    shown |= dict(_flat(facts))
    versions = dict(_flat(packages)) if isinstance(packages, Mapping) else {}
    return {"id": session.id, "number": session.number, "facts": shown, "packages": versions}


def _flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """The leaves of a JSON tree that say something, with the names that lead to them."""
    leaves: list[tuple[str, str]] = []
    for key, value in sorted(tree.items()):
        if isinstance(value, Mapping):
            leaves += _flat(value, f"{above}{key}, ")
        elif value not in (None, "", []):
            leaves.append((f"{above}{key}", value if isinstance(value, str) else str(value)))
    return leaves


def _page(template: str, root: str, **context: Any) -> str:
    """One page; `root` leads from it to the folder of the first page."""
    return _templates().get_template(template).render(root=root, **context)


@cache
def _templates() -> Environment:
    """The templates; every text that they are given is escaped, and one that they are not given is an error."""
    environment = Environment(
        loader=PackageLoader("seer_bench.report.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {
        "ABSENT": ABSENT,
        "WORDS": WORDS,
        "count": count,
        "counted": counted,
        "interval": interval,
        "interval_bar": interval_bar,
        "percent": percent,
        "plain": plain,
        "scaled": scaled,
        "zip": zip,
    }
    return environment
