"""What the first pages say: every table in one line, every run in one line, and the runs side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seer_bench.report.build import Report
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.counts import Estimate, RunSummary, TaskScore, estimate_rate
from seer_bench.report.document import ABSENT, Drawn, interval, percent, plain
from seer_bench.report.pages.charts import SERIES, Curve, interval_bar, survival_chart
from seer_bench.report.pages.svg import Svg
from seer_bench.report.paper_table import TableReport

WORDS = ("agrees", "differs", "not comparable", "not run")
"""The verdicts, in the order in which they are counted."""

_ABREAST = 8
"""Runs side by side in one heat map."""


@dataclass(frozen=True)
class TableLine:
    """One table or figure of the paper."""

    report: TableReport
    verdicts: Mapping[str, int]
    """How often each of `WORDS` stands in it."""

    @property
    def page(self) -> str:
        """Its page."""
        return f"{self.report.table.key}.html"


@dataclass(frozen=True)
class RunPage:
    """One run, and where its pages are."""

    slug: str
    summary: RunSummary
    measure: str
    """What its score is called."""
    score: str
    ends: str
    """The score's interval."""
    bar: Svg
    """The score drawn."""
    within: tuple[TableReport, ...]
    """The tables that show it."""
    failed: int = 0
    clips: int = 0
    """Failures with a clip or film."""

    @property
    def title(self) -> str:
        """Name and protocol."""
        return f"{self.summary.label} on {plain(self.summary.protocol.name)}"


@dataclass(frozen=True)
class HeatMap:
    """Tasks by runs of one protocol."""

    protocol: str
    runs: tuple[RunPage, ...]
    rows: tuple[tuple[str, tuple[TaskScore | None, ...]], ...]
    """Task, and its score in every run."""


@dataclass(frozen=True)
class Survival:
    """The chains of one protocol."""

    protocol: str
    chart: Svg
    curves: tuple[Curve, ...]
    left_out: int
    """Runs beyond those that one chart can tell apart."""


def table_line(report: TableReport) -> TableLine:
    """A table with its verdicts counted."""
    for table in report.document.tables:
        at = next((i for i, column in enumerate(table.columns) if column.heading == "Verdict"), None)
        if at is not None:
            cells = [row[at] for group in table.groups for row in group]
            break
    else:
        shown = [table for table in report.document.tables if not table.page]
        cells = [cell for table in shown for group in table.groups for row in group for cell in row[1:]]
    found = Counter(word for cell in cells for word in WORDS if cell.text == word or cell.text.startswith(f"{word} ("))
    return TableLine(report, {word: found[word] for word in WORDS})


def run_pages(report: Report) -> list[RunPage]:
    """Every run once, in the order of the tables."""
    within: dict[tuple[str, ...], list[TableReport]] = {}
    summaries: dict[tuple[str, ...], RunSummary] = {}
    for table in report.tables:
        for summary in table.summaries:
            key = tuple(map(str, summary.paths))
            summaries.setdefault(key, summary)
            within.setdefault(key, []).append(table)
    pages: list[RunPage] = []
    taken: set[str] = set()
    for key, summary in summaries.items():
        slug = _free_slug(f"{summary.label} {summary.protocol.name}", taken)
        pages.append(_run_page(slug, summary, tuple(within[key])))
    return pages


def survival_of(summary: RunSummary, survival: Sequence[int]) -> Curve:
    """The curve of one run: units with at least 1, 2, ... solved subtasks."""
    rates = [estimate_rate(solved, summary.n) for solved in survival]
    ends = tuple((rate.low or 0.0, 1.0 if rate.high is None else rate.high) for rate in rates)
    return Curve(summary.label, tuple(rate.value for rate in rates), ends)


def survival_charts(curves: Sequence[tuple[str, Curve]]) -> list[Survival]:
    """A chart a protocol; `curves` come with the protocol's name."""
    charts = []
    for protocol in dict.fromkeys(name for name, _ in curves):
        mine = tuple(curve for name, curve in curves if name == protocol)
        charts.append(Survival(protocol, survival_chart(mine[:SERIES]), mine[:SERIES], max(0, len(mine) - SERIES)))
    return charts


def heat_maps(runs: Sequence[RunPage]) -> list[HeatMap]:
    """A map a protocol, and several where it has many runs."""
    maps = []
    for protocol in dict.fromkeys(run.summary.protocol.name for run in runs):
        mine = [run for run in runs if run.summary.protocol.name == protocol]
        for start in range(0, len(mine), _ABREAST):
            part = mine[start : start + _ABREAST]
            scores = [{score.task: score for score in run.summary.tasks} for run in part]
            tasks = sorted(set().union(*scores))
            rows = tuple((task, tuple(by_task.get(task) for by_task in scores)) for task in tasks)
            maps.append(HeatMap(protocol, tuple(part), rows))
    return maps


def _run_page(slug: str, summary: RunSummary, within: tuple[TableReport, ...]) -> RunPage:
    """One run with its score, worded as in the first table that has one for it."""
    for report in within:
        table = report.table
        if not isinstance(table, ComparedTable):
            continue
        measure, estimate = table.measures[-1], table.estimates(summary)[-1]
        if estimate is None:
            continue
        drawn = scaled(estimate, measure.scale)
        top = 100.0 if measure.scale == 100 else float(max(1, summary.protocol.chain_length))
        return RunPage(
            slug,
            summary,
            f"{measure.heading}{' in %' if measure.scale == 100 else ''}",
            f"{drawn.value:.{measure.digits}f}",
            interval(drawn.low, drawn.high, digits=measure.interval_digits),
            interval_bar(drawn, top),
            within,
        )
    solved, tried = sum(t.successes for t in summary.tasks), sum(t.attempts for t in summary.tasks)
    rate = estimate_rate(solved, tried) if tried else None
    share = None if rate is None else scaled(rate, 100)
    return RunPage(
        slug,
        summary,
        "solved, in %",
        percent(rate.value) if rate else ABSENT,
        interval(rate.low, rate.high, digits=1, scale=100) if rate else "",
        interval_bar(share, 100) if share else Svg(""),
        within,
    )


def scaled(estimate: Estimate, scale: float) -> Drawn:
    """An estimate as it is drawn, in another unit."""
    low, high = (None if end is None else scale * end for end in (estimate.low, estimate.high))
    return Drawn(scale * estimate.value, low, high)


def _free_slug(text: str, taken: set[str]) -> str:
    """A file name like `text` that is not taken yet, whatever `text` holds."""
    base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "run"
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    taken.add(slug)
    return slug
