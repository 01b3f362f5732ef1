"""Tables of chains, such as Table 2 of the paper, with every arm beside it: their words are chosen here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from seer_bench.errors import UsageError
from seer_bench.report import chains, records
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.chains import ChainSummary
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.comparison import Line, Measure, PrintedRow
from seer_bench.report.counts import Estimate
from seer_bench.report.document import ABSENT, Cell, Column, Notes, Row, Table, interval, percent, plain
from seer_bench.report.paper_table import Source
from seer_bench.report.paper_tables import load_chain_table
from seer_bench.report.reference_tables import published_chains
from seer_bench.report.wording import audit_notes, excluded_note, origin_notes, paper_note, simulation_notes
from seer_bench.store import RunData

RUNS_A_TABLE = 3
"""Runs side by side in a table of tasks, so that it fits 80 columns and a printed page."""
LENGTH = 5
"""Subtasks of a chain, in every table of the paper."""
MEASURES = (
    *(Measure(f"rate_{i}", str(i), scale=100, digits=1, interval_digits=1) for i in range(1, LENGTH + 1)),
    Measure("average_length", "Avg. Len.", scale=1, digits=2, interval_digits=2, detail="always"),
)


def _summarise(runs: Sequence[RunData]) -> ChainSummary | None:
    """As `chains.summarise`; raises UsageError for chains of another length as well."""
    summary = chains.summarise(runs)
    if summary is not None and len(summary.rates) != LENGTH:
        raise UsageError(
            f"{summary.protocol.name} has chains of {len(summary.rates)} subtasks; the table is about chains of "
            f"{LENGTH}."
        )
    return summary


CHAINS = Source("table2", "chain", _summarise, chains.combine)


class ChainTable(ComparedTable):
    """A table about chains of a fixed length; the kinds differ in the paper's rows."""

    unit = "chain"
    measures = MEASURES
    lead = (
        "Percent of chains in which at least 1, 2, ... instructions in a row were followed, and the average number of "
        "them (Avg. Len.). Small print: 95 % intervals, Wilson for rates, bootstrap over chains for Avg. Len."
    )
    benchmark = "calvin"
    protocol = "calvin-abc-d/v1"

    def __init__(
        self, key: str, number: str, *, title: str, notes: tuple[str, ...], printed: Sequence[PrintedRow]
    ) -> None:
        super().__init__(key, number, [CHAINS.key])
        self.title = title
        self.notes = notes
        self.printed = tuple(printed)

    def estimates(self, summary: ChainSummary) -> Sequence[Estimate | None]:
        """Rates by position, then the average length."""
        return (*summary.rates, summary.average_length)

    def counts(self, summary: ChainSummary) -> Sequence[str]:
        """None: all values are about n chains."""
        return [""] * len(self.estimates(summary))

    def run_notes(self, summary: ChainSummary) -> tuple[str, ...]:
        """Origin, what is missing, and where an interval says too much."""
        notes = origin_notes(summary)
        if not summary.complete:
            notes.append("Partial: not every chain of the protocol has an outcome.")
        if summary.errors:
            low, high = summary.average_length_bounds
            notes.append(excluded_note(summary, "chain", f"Avg. Len. would be {low:.2f} or {high:.2f}"))
        notes += simulation_notes(summary)
        if summary.average_length.low is not None and summary.average_length.low == summary.average_length.high:
            notes.append(
                "Every chain ended alike, so resampling shows no spread in Avg. Len.; the Wilson intervals of the "
                "rates show how much that many chains can tell."
            )
        return tuple(plain(note) for note in notes)

    def extra_columns(self, summary: ChainSummary) -> Mapping[str, Any]:
        """Errors, and what they could have made of the average length."""
        low, high = summary.average_length_bounds
        return {
            "errors": summary.errors,
            "average_length_if_errors_failed": low,
            "average_length_if_errors_solved": high,
            "policy_errors": summary.policy_errors,
            "actions_out_of_range": summary.actions_out_of_range,
        }

    def tables(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], notes: Notes) -> list[Table]:
        """Chains by position, then success per task."""
        runs = [run for row in rows for run in row.runs]
        parts = [range(i, min(i + RUNS_A_TABLE, len(runs))) for i in range(0, len(runs), RUNS_A_TABLE)]
        chains_table = self.main_table("Chains", groups, range(len(self.measures)), notes)
        return [chains_table, *(_task_table(runs, part) for part in parts)]

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a row of the table, and one line a run and task."""
        return {**super().csv(rows), "_tasks": records.tasks_csv([run for row in rows for run in row.runs])}


class ChainResults(ChainTable):
    """Table 2: methods, with published results of others below."""

    first = "seer-bench run calvin --policy expert --units 0:20"

    def __init__(self, key: str, number: str, *, reference: str) -> None:
        paper = load_chain_table(key)
        printed = [
            PrintedRow(
                row.method, arm_of_paper(row.method), (*row.rates, row.average_length), audit_notes(key, row.method)
            )
            for row in paper.rows
        ]
        notes = (paper_note(paper.metric), *audit_notes(key, None))
        super().__init__(key, number, title=paper.title, notes=notes, printed=printed)
        self.published = published_chains(reference, self.measures)

    def tables(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], notes: Notes) -> list[Table]:
        """Also published results, a table a protocol, with ours of the same protocol below."""
        return [*super().tables(groups, rows, notes), *self.published.tables(rows, self, notes)]

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """Also the published results."""
        return {**super().record(rows), "published": self.published.record()}

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """Also the published results, in a file of their own."""
        return {**super().csv(rows), "_published": self.published.csv()}


def _task_table(summaries: Sequence[ChainSummary], which: Collection[int]) -> Table:
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
    part = "" if len(which) == len(summaries) else f", {_numbers(which)} of {len(summaries)}"
    return Table(f"Success per task in % (solved/tried){part}", columns, (tuple(rows),))


def _numbers(which: Collection[int]) -> str:
    """Which runs, counted from 1."""
    first, last = min(which) + 1, max(which) + 1
    return f"run {first}" if first == last else f"runs {first} to {last}"
