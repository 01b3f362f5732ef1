"""Tables of chains, such as Table 2 of the paper, with every run beside it: their words are chosen here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from seer_bench.errors import UsageError
from seer_bench.report import records
from seer_bench.report.chains import ChainSummary, summarise
from seer_bench.report.counts import Estimate
from seer_bench.report.document import (
    ABSENT,
    Cell,
    Column,
    Document,
    Notes,
    Row,
    Table,
    interval,
    percent,
    plain,
)
from seer_bench.report.paper_table import PaperTable
from seer_bench.report.paper_tables import PaperChainRow, PaperChainTable, load_chain_table
from seer_bench.report.wording import error_table, excluded_note, hints, origin_notes, paper_note, simulation_notes
from seer_bench.store import RunData

RUNS_A_TABLE = 3
"""Runs side by side in a table of tasks, so that it fits 80 columns and a printed page."""
FIRST = "seer-bench run calvin --policy expert --units 0:20"
"""A command that adds a row."""


class ChainTable(PaperTable[ChainSummary]):
    """A table about chains of a fixed length."""

    unit = "chain"

    @cached_property
    def _paper(self) -> PaperChainTable:
        """The paper's rows."""
        return load_chain_table(self.key)

    def summarise(self, runs: Sequence[RunData]) -> ChainSummary | None:
        """As `chains.summarise`; raises UsageError for chains of another length as well."""
        summary = summarise(runs)
        if summary is not None and len(summary.rates) != self._paper.length:
            raise UsageError(
                f"{summary.protocol.name} has chains of {len(summary.rates)} subtasks; the table is about chains of "
                f"{self._paper.length}."
            )
        return summary

    def document(self, summaries: Sequence[ChainSummary], problems: Sequence[str], *, found: int) -> Document:
        """Chains by position, then success per task, then errors."""
        notes = Notes()
        tables = [_main_table(self._paper, summaries, notes)]
        for start in range(0, len(summaries), RUNS_A_TABLE):
            tables.append(_task_table(summaries, range(start, min(start + RUNS_A_TABLE, len(summaries)))))
        if summaries:
            tables.append(error_table(summaries, self.unit))
        return Document(
            title=f"{self.number}: {self._paper.title}",
            lead="Percent of chains in which at least 1, 2, ... instructions in a row were followed, and the average "
            "number of them (Avg. Len.). Small print: 95 % intervals, Wilson for rates, bootstrap over chains for "
            "Avg. Len.",
            tables=tuple(tables),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in problems),
            hints=hints(self.number, summaries, self.unit, found=found, first=FIRST),
        )

    def record(self, summaries: Sequence[ChainSummary]) -> Mapping[str, Any]:
        """Rates by position and average lengths."""
        return {
            "notes": [paper_note(self._paper.metric)],
            "paper": [
                {
                    "method": row.method,
                    "rates": records.fractions(row.rates),
                    "average_length": row.average_length,
                }
                for row in self._paper.rows
            ],
            "runs": [
                {
                    **records.run_record(summary, run_notes(summary)),
                    "rates": [asdict(rate) for rate in summary.rates],
                    "average_length": asdict(summary.average_length),
                    "average_length_bounds": list(summary.average_length_bounds),
                }
                for summary in summaries
            ],
        }

    def csv(self, summaries: Sequence[ChainSummary]) -> Mapping[str, str]:
        """One line a row of the table, and one line a row and task."""
        return {"": _chains_csv(self._paper, summaries), "_tasks": records.tasks_csv(summaries)}


def run_notes(summary: ChainSummary) -> tuple[str, ...]:
    """Everything that qualifies one row, each as a sentence of its own."""
    notes = origin_notes(summary)
    if not summary.complete:
        notes.append("Partial: not every chain of the protocol has an outcome.")
    if summary.errors:
        low, high = summary.average_length_bounds
        notes.append(excluded_note(summary, "chain", f"Avg. Len. would be {low:.2f} or {high:.2f}"))
    notes += simulation_notes(summary)
    if summary.average_length.low is not None and summary.average_length.low == summary.average_length.high:
        notes.append(
            "Every chain ended alike, so resampling shows no spread in Avg. Len.; the Wilson intervals of the rates "
            "show how much that many chains can tell."
        )
    return tuple(plain(note) for note in notes)


def _main_table(paper: PaperChainTable, summaries: Sequence[ChainSummary], notes: Notes) -> Table:
    """The paper's rows, then the runs."""
    positions = tuple(Column(str(i + 1), detail="roomy") for i in range(paper.length))
    columns = (
        Column("Method", align="left"),
        *positions,
        Column("Avg. Len."),
        Column("n"),
        Column("Protocol", align="left", fold=True),
    )
    marks = notes.number([paper_note(paper.metric)])
    groups = [tuple(_paper_row(row, marks) for row in paper.rows)]
    if summaries:
        groups.append(tuple(_run_row(summary, notes.number(run_notes(summary))) for summary in summaries))
    return Table("Chains", columns, tuple(groups))


def _paper_row(row: PaperChainRow, marks: tuple[int, ...]) -> Row:
    """One method as the paper prints it."""
    rates = (Cell("n/a" if rate is None else f"{rate:.1f}") for rate in row.rates)
    average = "n/a" if row.average_length is None else f"{row.average_length:.2f}"
    return (Cell(row.method, notes=marks), *rates, Cell(average), Cell(ABSENT), Cell(ABSENT))


def _run_row(summary: ChainSummary, marks: tuple[int, ...]) -> Row:
    """One run; a partial one shows how much of the protocol it covers."""
    average = summary.average_length
    return (
        Cell(summary.label, notes=marks),
        *(_rate(rate) for rate in summary.rates),
        Cell(f"{average.value:.2f}", interval(average.low, average.high, digits=2)),
        Cell(str(summary.n), "" if summary.complete else f"of {summary.planned}"),
        Cell(plain(summary.protocol.name)),
    )


def _rate(rate: Estimate) -> Cell:
    """A rate in percent with its interval."""
    return Cell(percent(rate.value), interval(rate.low, rate.high, digits=1, scale=100))


def _task_table(summaries: Sequence[ChainSummary], which: range) -> Table:
    """Success of every task that one of the runs number `which` reached."""
    shown = [summaries[i] for i in which]
    columns = (
        Column("Task", align="left"),
        *(Column(s.label, plain(s.protocol.name), detail="page") for s in shown),
    )
    scores = [{score.task: score for score in summary.tasks} for summary in shown]
    rows: list[Row] = []
    for task in sorted(set().union(*scores)):
        cells = [Cell(plain(task))]
        for by_task in scores:
            score = by_task.get(task)
            if score is None:
                cells.append(Cell(ABSENT))
                continue
            text = f"{percent(score.rate.value)} ({score.successes}/{score.attempts})"
            cells.append(Cell(text, interval(score.rate.low, score.rate.high, digits=1, scale=100)))
        rows.append(tuple(cells))
    part = "" if len(which) == len(summaries) else f", runs {which.start + 1} to {which.stop} of {len(summaries)}"
    return Table(f"Success per task in % (solved/tried){part}", columns, (tuple(rows),))


def _chains_csv(paper: PaperChainTable, summaries: Sequence[ChainSummary]) -> str:
    """One line a row of the table; intervals are columns of their own, notes the last one."""
    lines: list[dict[str, Any]] = []
    for row in paper.rows:
        rates = {f"rate_{i}": rate for i, rate in enumerate(records.fractions(row.rates), start=1)}
        lines.append(
            {
                "method": row.method,
                "protocol": "paper",
                **rates,
                "avg_len": row.average_length,
                "notes": paper_note(paper.metric),
            }
        )
    for summary in summaries:
        line: dict[str, Any] = {"method": summary.label, "protocol": summary.protocol.name}
        for i, rate in enumerate(summary.rates, start=1):
            line |= records.interval_columns(f"rate_{i}", rate)
        line |= records.interval_columns("avg_len", summary.average_length)
        low, high = summary.average_length_bounds
        line |= {
            "n": summary.n,
            "planned": summary.planned,
            "errors": summary.errors,
            "avg_len_if_errors_failed": low,
            "avg_len_if_errors_solved": high,
            "policy_errors": summary.policy_errors,
            "actions_out_of_range": summary.actions_out_of_range,
            "notes": " ".join(run_notes(summary)),
        }
        lines.append(line)
    values = [f"rate_{i}" for i in range(1, paper.length + 1)] + ["avg_len"]
    columns = [f"{value}{suffix}" for value in values for suffix in ("", "_low", "_high")]
    counts = ["n", "planned", "errors", "avg_len_if_errors_failed", "avg_len_if_errors_solved"]
    last = ["policy_errors", "actions_out_of_range", "notes"]
    return records.csv_text(["method", "protocol", *columns, *counts, *last], lines)
