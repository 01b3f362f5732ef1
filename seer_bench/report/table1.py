"""Table 1 of the paper, single tasks, with every arm beside it: its words are chosen here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seer_bench.report import records, rollouts
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.comparison import Line, Measure, PrintedRow
from seer_bench.report.counts import Estimate, TaskScore
from seer_bench.report.document import Notes, Table, percent, plain
from seer_bench.report.paper_table import Source
from seer_bench.report.paper_tables import load_task_table
from seer_bench.report.reference_tables import published_tasks
from seer_bench.report.rollouts import RolloutSummary
from seer_bench.report.wording import audit_notes, excluded_note, origin_notes, paper_note, simulation_notes
from seer_bench.store import RunData

TASKS_A_TABLE = 5
"""Tasks side by side, so that a table fits 80 columns and a printed page."""
KEY = "table1"
_UNREADABLE = "n/a: not legible in the text of the paper that the numbers were taken from."


def _summarise(runs: Sequence[RunData]) -> RolloutSummary | None:
    """As `rollouts.summarise`, for the paper's tasks."""
    return rollouts.summarise(runs, known=[task.task for task in load_task_table(KEY).tasks])


ROLLOUTS = Source(KEY, "rollout", _summarise, rollouts.combine)


class TaskTable(ComparedTable):
    """A table about single tasks, each with rollouts of its own."""

    unit = "rollout"
    lead = (
        "Percent of rollouts in which the task was solved, and the mean over the tasks (Avg. Success). Small print: "
        "solved/played and 95 % intervals, Wilson for a task, stratified by task for the mean."
    )
    benchmark = "libero"
    protocol = "libero-long/seer-v1"
    first = "seer-bench run libero --policy expert --protocol libero-long/seer-v1"

    def __init__(self, number: str, *, reference: str) -> None:
        super().__init__(KEY, number, [ROLLOUTS.key])
        paper = load_task_table(KEY)
        self.title = paper.title
        self.notes = (paper_note(paper.metric), *audit_notes(KEY, None))
        self.measures = (
            *(
                Measure(task.task, task.label, 100, digits=1, interval_digits=0, detail="always")
                for task in paper.tasks
            ),
            Measure("average", "Avg. Success", 100, digits=1, interval_digits=1, detail="always"),
        )
        self.printed = tuple(
            PrintedRow(
                row.method,
                arm_of_paper(row.method),
                (*row.rates, row.average),
                (*([_UNREADABLE] if None in row.rates else []), *audit_notes(KEY, row.method)),
            )
            for row in paper.rows
        )
        self.published = published_tasks(reference, self.measures)

    def estimates(self, summary: RolloutSummary) -> Sequence[Estimate | None]:
        """Rates of the tasks, then their mean."""
        return (*(None if score is None else score.rate for score in self._scores(summary)), summary.average)

    def counts(self, summary: RolloutSummary) -> Sequence[str]:
        """Solved and played rollouts of the tasks, then of all."""
        tasks = (f"{score.successes}/{score.attempts}" if score else "" for score in self._scores(summary))
        played = sum(score.attempts for score in summary.tasks)
        return (*tasks, f"{summary.successes}/{played}")

    def run_notes(self, summary: RolloutSummary) -> tuple[str, ...]:
        """Origin, and what is missing."""
        notes = origin_notes(summary)
        if not summary.complete:
            notes.append("Partial: not every rollout of the protocol has an outcome.")
        if summary.average is None:
            notes.append(
                f"No Avg. Success: {len(summary.tasks)} of {summary.tasks_planned} tasks have an outcome, and a mean "
                "over some of them would compare with nothing."
            )
        if summary.errors:
            low, high = (f"{percent(bound)} %" for bound in summary.solved_bounds)
            notes.append(excluded_note(summary, self.unit, f"{low} or {high} of the rollouts would be solved"))
        return tuple(plain(note) for note in [*notes, *simulation_notes(summary)])

    def extra_columns(self, summary: RolloutSummary) -> Mapping[str, Any]:
        """Counts, errors, and what they could have made of the score."""
        low, high = summary.solved_bounds
        return {
            "successes": summary.successes,
            "tasks_planned": summary.tasks_planned,
            "errors": summary.errors,
            "solved_if_errors_failed": low,
            "solved_if_errors_solved": high,
            "policy_errors": summary.policy_errors,
            "actions_out_of_range": summary.actions_out_of_range,
        }

    def tables(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], notes: Notes) -> list[Table]:
        """The average, the tasks a few at a time, and published results, a table a protocol."""
        tasks = len(self.measures) - 1
        tables = [self.main_table("Average over the tasks", groups, [tasks], notes)]
        for start in range(0, tasks, TASKS_A_TABLE):
            part = range(start, min(start + TASKS_A_TABLE, tasks))
            title = f"Success per task in %, tasks {part.start + 1} to {part.stop} of {tasks}"
            tables.append(self.main_table(title, groups, part, None))
        return [*tables, *self.published.tables(rows, self, notes)]

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a row of the table, and one line a row and task, and the published results."""
        tasks = [measure.name for measure in self.measures[:-1]]
        printed = [
            {"method": row.label, "protocol": "paper", "task": task, "rate": rate}
            for row in self.printed
            for task, rate in zip(tasks, records.fractions(row.values[:-1]), strict=True)
        ]
        ours = records.tasks_csv([run for row in rows for run in row.runs], printed)
        return {**super().csv(rows), "_tasks": ours, "_published": self.published.csv()}

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """Also the published results."""
        return {**super().record(rows), "published": self.published.record()}

    def _scores(self, summary: RolloutSummary) -> list[TaskScore | None]:
        """The score of every task, in the order of the columns."""
        scores = {score.task: score for score in summary.tasks}
        return [scores.get(measure.name) for measure in self.measures[:-1]]
