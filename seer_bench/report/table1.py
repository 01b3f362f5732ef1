"""Tables of single tasks, such as Table 1 of the paper, with every run beside it: their words are chosen here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import groupby
from typing import Any

from seer_bench.report import records
from seer_bench.report.counts import Estimate
from seer_bench.report.document import ABSENT, Cell, Column, Document, Notes, Row, Table, interval, percent, plain
from seer_bench.report.paper_table import PaperTable
from seer_bench.report.paper_tables import PaperTaskTable, load_task_table
from seer_bench.report.rollouts import RolloutSummary, summarise
from seer_bench.report.wording import error_table, excluded_note, hints, origin_notes, paper_note, simulation_notes
from seer_bench.store import RunData

TASKS_A_TABLE = 5
"""Tasks side by side, so that a table fits 80 columns and a printed page."""
FIRST = "seer-bench run libero --policy expert --protocol libero-long/seer-v1"
"""A command that adds a row."""
_UNREADABLE = "n/a: not legible in the text of the paper that the numbers were taken from."


class TaskTable(PaperTable[RolloutSummary]):
    """A table about single tasks, each with rollouts of its own."""

    unit = "rollout"

    @cached_property
    def _paper(self) -> PaperTaskTable:
        """The paper's rows."""
        return load_task_table(self.key)

    def summarise(self, runs: Sequence[RunData]) -> RolloutSummary | None:
        """As `rollouts.summarise`, for the paper's tasks."""
        return summarise(runs, known=[task.task for task in self._paper.tasks])

    def document(self, summaries: Sequence[RolloutSummary], problems: Sequence[str], *, found: int) -> Document:
        """The average, then the tasks a few at a time, then errors."""
        notes = Notes()
        columns = len(self._paper.tasks)
        tables = [self._average_table(summaries, notes)]
        for start in range(0, columns, TASKS_A_TABLE):
            tables.append(self._task_table(summaries, range(start, min(start + TASKS_A_TABLE, columns))))
        if summaries:
            tables.append(error_table(summaries, self.unit))
        return Document(
            title=f"{self.number}: {self._paper.title}",
            lead="Percent of rollouts in which the task was solved, and the mean over the tasks (Avg. Success). Small "
            "print: solved/played and 95 % intervals, Wilson for a task, stratified by task for the mean.",
            tables=tuple(tables),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in problems),
            hints=hints(self.number, summaries, self.unit, found=found, first=FIRST),
        )

    def record(self, summaries: Sequence[RolloutSummary]) -> Mapping[str, Any]:
        """Averages and rates by task."""
        return {
            "notes": [paper_note(self._paper.metric), _UNREADABLE],
            "paper": [
                {
                    "method": row.method,
                    "average": records.fraction(row.average),
                    "tasks": dict(zip((t.task for t in self._paper.tasks), records.fractions(row.rates), strict=True)),
                }
                for row in self._paper.rows
            ],
            "runs": [
                {
                    **records.run_record(summary, run_notes(summary)),
                    "tasks_planned": summary.tasks_planned,
                    "average": None if summary.average is None else asdict(summary.average),
                    "solved_bounds": list(summary.solved_bounds),
                }
                for summary in summaries
            ],
        }

    def csv(self, summaries: Sequence[RolloutSummary]) -> Mapping[str, str]:
        """One line a row of the table, and one line a row and task."""
        return {"": _averages_csv(self._paper, summaries), "_tasks": _tasks_csv(self._paper, summaries)}

    def _average_table(self, summaries: Sequence[RolloutSummary], notes: Notes) -> Table:
        """Avg. Success of the paper's rows, then of the runs, one group a protocol."""
        columns = (
            Column("Method", align="left"),
            Column("Avg. Success"),
            Column("n"),
            Column("Protocol", align="left", fold=True),
        )
        known = notes.number([paper_note(self._paper.metric)])
        partly = notes.number([paper_note(self._paper.metric), _UNREADABLE])
        paper: list[Row] = [
            (
                Cell(row.method, notes=partly if None in row.rates else known),
                Cell(_printed(row.average)),
                Cell(ABSENT),
                Cell(ABSENT),
            )
            for row in self._paper.rows
        ]
        runs = _by_protocol(summaries, lambda summary: _average_row(summary, notes.number(run_notes(summary))))
        return Table("Average over the tasks", columns, (tuple(paper), *runs))

    def _task_table(self, summaries: Sequence[RolloutSummary], which: range) -> Table:
        """Success of the tasks number `which`."""
        tasks = [self._paper.tasks[i] for i in which]
        columns = (
            Column("Method", align="left"),
            *(Column(task.label) for task in tasks),
            Column("Protocol", align="left", fold=True),
        )
        paper: list[Row] = [
            (Cell(row.method), *(Cell(_printed(row.rates[i])) for i in which), Cell(ABSENT)) for row in self._paper.rows
        ]

        def row(summary: RolloutSummary) -> Row:
            scores = {score.task: score for score in summary.tasks}
            cells = (
                _share(score.rate, f"{score.successes}/{score.attempts}", digits=0) if score else Cell(ABSENT)
                for score in (scores.get(task.task) for task in tasks)
            )
            return (Cell(summary.label), *cells, Cell(plain(summary.protocol.name)))

        title = f"Success per task in %, tasks {which.start + 1} to {which.stop} of {len(self._paper.tasks)}"
        return Table(title, columns, (tuple(paper), *_by_protocol(summaries, row)))


def run_notes(summary: RolloutSummary) -> tuple[str, ...]:
    """Everything that qualifies one row, each as a sentence of its own."""
    notes = origin_notes(summary)
    if not summary.complete:
        notes.append("Partial: not every rollout of the protocol has an outcome.")
    if summary.average is None:
        notes.append(
            f"No Avg. Success: {len(summary.tasks)} of {summary.tasks_planned} tasks have an outcome, and a mean over "
            "some of them would compare with nothing."
        )
    if summary.errors:
        low, high = (f"{percent(bound)} %" for bound in summary.solved_bounds)
        notes.append(excluded_note(summary, "rollout", f"{low} or {high} of the rollouts would be solved"))
    notes += simulation_notes(summary)
    return tuple(plain(note) for note in notes)


def _by_protocol(summaries: Sequence[RolloutSummary], row: Callable[[RolloutSummary], Row]) -> list[tuple[Row, ...]]:
    """Rows in groups of one protocol each, in the order of `summaries`."""
    return [tuple(map(row, group)) for _, group in groupby(summaries, key=lambda summary: summary.protocol.name)]


def _average_row(summary: RolloutSummary, marks: tuple[int, ...]) -> Row:
    """One run; a partial one shows how much of the protocol it covers."""
    solved = f"{summary.successes}/{summary.n}"
    average = Cell(ABSENT, counts=solved) if summary.average is None else _share(summary.average, solved, digits=1)
    return (
        Cell(summary.label, notes=marks),
        average,
        Cell(str(summary.n), "" if summary.complete else f"of {summary.planned}"),
        Cell(plain(summary.protocol.name)),
    )


def _share(rate: Estimate, counts: str, *, digits: int) -> Cell:
    """A rate in percent with what it was counted from, and its interval to so many digits."""
    return Cell(percent(rate.value), interval(rate.low, rate.high, digits=digits, scale=100), counts=counts)


def _printed(rate: float | None) -> str:
    """A number of the paper, in percent as it prints it."""
    return "n/a" if rate is None else f"{rate:.1f}"


def _averages_csv(paper: PaperTaskTable, summaries: Sequence[RolloutSummary]) -> str:
    """One line a row of the table; intervals are columns of their own, notes the last one."""
    lines: list[dict[str, Any]] = [
        {
            "method": row.method,
            "protocol": "paper",
            "average": records.fraction(row.average),
            "notes": paper_note(paper.metric),
        }
        for row in paper.rows
    ]
    for summary in summaries:
        low, high = summary.solved_bounds
        lines.append(
            {
                "method": summary.label,
                "protocol": summary.protocol.name,
                **({} if summary.average is None else records.interval_columns("average", summary.average)),
                "successes": summary.successes,
                "n": summary.n,
                "planned": summary.planned,
                "errors": summary.errors,
                "solved_if_errors_failed": low,
                "solved_if_errors_solved": high,
                "policy_errors": summary.policy_errors,
                "actions_out_of_range": summary.actions_out_of_range,
                "notes": " ".join(run_notes(summary)),
            }
        )
    columns = ["method", "protocol", "average", "average_low", "average_high", "successes", "n", "planned", "errors"]
    bounds = ["solved_if_errors_failed", "solved_if_errors_solved"]
    return records.csv_text([*columns, *bounds, "policy_errors", "actions_out_of_range", "notes"], lines)


def _tasks_csv(paper: PaperTaskTable, summaries: Sequence[RolloutSummary]) -> str:
    """One line a row and task, the paper's rows among them."""
    printed = [
        {"method": row.method, "protocol": "paper", "task": task.task, "rate": rate}
        for row in paper.rows
        for task, rate in zip(paper.tasks, records.fractions(row.rates), strict=True)
    ]
    return records.tasks_csv(summaries, printed)
