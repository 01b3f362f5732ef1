"""Figure 5 of the paper, the real robot under disturbances: what was changed, and what ours came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from seer_bench.report import records
from seer_bench.report.arms import contradiction_note
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.document import ABSENT, Cell, Column, Document, Notes, Row, Table, counted, percent, plain
from seer_bench.report.paper_figures import load_generalization
from seer_bench.report.paper_real_robot import load_real_robot_table
from seer_bench.report.paper_table import Findings, PaperTable
from seer_bench.report.real_robot import SOURCE, RealRobotSummary, TaskResult, rows_about
from seer_bench.report.table4 import aggregation_note, cases_cell, open_rows, value_cells
from seer_bench.report.verdict import NO_VALUE, obstacles
from seer_bench.report.wording import audit_notes, error_table, origin_notes

KEY = "figure5"
_PICTURE = "n/a: the bars are a picture in the paper, and its text gives no values."
_HOW = (
    "Plan the disturbed tasks with: seer-bench real plan paper --disturbances both --policies NAME=CHECKPOINT "
    "--out DIRECTORY"
)


class GeneralizationFigure(PaperTable):
    """One line a task of the real robot, with ours behind it."""

    unit = "trial"

    def __init__(self, number: str) -> None:
        super().__init__(KEY, number, [SOURCE.key])
        self.paper = load_generalization()
        self._labels = {task.id: task.label for task in load_real_robot_table().tasks}

    def own(self, rows: Iterable[ArmRow[Any]]) -> list[ArmRow[Any]]:
        """Those with disturbed tasks, restricted to these."""
        return rows_about(list(rows), lambda plan: bool(plan.disturbance))

    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """What was changed around each task, and SR and score of ours."""
        notes = Notes()
        tables = [self._disturbances(rows, notes)]
        if rows:
            tables += [self._ours(rows, notes), error_table([run for row in rows for run in row.runs], self.unit)]
        hints = open_rows(self.number, (), rows) if rows else [f"{self.number}: not run. {_HOW}"]
        lead = "What was changed around the tasks of Table 4."
        if rows:
            lead += (
                " SR: percent of cases in which the whole task was done. Small print: 95 % intervals, for which the "
                "cases are the units. Undisturbed: the SR of the same task in the same run, as in Table 4."
            )
        return Document(
            number=self.number,
            title=self.paper.title,
            lead=lead,
            tables=tuple(tables),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in findings.problems),
            hints=tuple(plain(hint) for hint in hints),
        )

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The disturbances, without values, and ours."""
        return {
            "notes": [_PICTURE, *audit_notes(KEY, None)],
            "paper": [
                {"task": entry.task, "disturbance": entry.words, "value": None} for entry in self.paper.disturbances
            ],
            "arms": [
                {
                    "label": row.summary.label,
                    "arm": dict(row.arm.pairs),
                    "protocol": row.summary.protocol.name,
                    "n": row.summary.n,
                    "planned": row.summary.planned,
                    "complete": row.summary.complete,
                    "obstacles": "; ".join(obstacles(row.summary)),
                    "aggregation": row.summary.campaign.aggregation,
                    "checkpoints": [run.label for run in row.runs],
                    "selection": records.choice_record(row),
                    "notes": list(_notes(row)),
                    "tasks": [_task_record(result, row.summary) for result in row.summary.results],
                }
                for row in rows
            ],
            "runs": [records.run_record(run, _notes(row)) for row in rows for run in row.runs],
        }

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a task of the paper, then one a row and task of ours."""
        lines: list[dict[str, Any]] = [
            {"label": "paper", "of": entry.task, "disturbance": entry.words} for entry in self.paper.disturbances
        ]
        for row in rows:
            for result in row.summary.results:
                tree = _task_record(result, row.summary)
                line = {key: tree[key] for key in ("task", "of", "disturbance", "cases", "planned_cases")}
                for name, estimate in (("success", result.success), ("score", result.score)):
                    line |= records.interval_columns(name, estimate) if estimate else {}
                calm = tree["undisturbed_success"]
                lines.append(
                    {
                        "label": row.summary.label,
                        **line,
                        "protocol": row.summary.protocol.name,
                        "aggregation": row.summary.campaign.aggregation,
                        "n": result.trials,
                        "undisturbed_success": calm["value"] if calm else None,
                        "obstacles": "; ".join(obstacles(row.summary)),
                    }
                )
        values = [f"{name}{end}" for name in ("success", "score") for end in ("", "_low", "_high")]
        head = ["label", "of", "task", "disturbance", "protocol", "aggregation"]
        tail = ["undisturbed_success", "n", "cases", "planned_cases", "obstacles"]
        return {"": records.csv_text([*head, *values, *tail], lines)}

    def _disturbances(self, rows: Sequence[ArmRow[Any]], notes: Notes) -> Table:
        """The paper's lines."""
        marks = notes.number([_PICTURE, *audit_notes(KEY, None)])
        columns = (
            Column("Task", align="left"),
            Column("Disturbance", align="left"),
            Column("Paper"),
            Column("Verdict", align="left"),
        )
        played = {result.plan.of for row in rows for result in row.summary.results}
        lines = tuple(
            (
                Cell(self._labels[entry.task], notes=marks),
                Cell(entry.words),
                Cell("n/a"),
                Cell("not comparable" if entry.task in played else "not run"),
            )
            for entry in self.paper.disturbances
        )
        return Table("Disturbances", columns, (lines,))

    def _ours(self, rows: Sequence[ArmRow[Any]], notes: Notes) -> Table:
        """Our rows, a group a task of the paper, then those of other tasks."""
        columns = (
            Column("Task", align="left"),
            Column("SR in %"),
            Column("Score"),
            Column("Undisturbed"),
            Column("Cases"),
            Column("Protocol", align="left", fold=True),
        )
        known = [entry.task for entry in self.paper.disturbances]
        all_tasks = dict.fromkeys([*known, *(result.plan.of for row in rows for result in row.summary.results)])
        groups = []
        for task in all_tasks:
            lines = [
                self._line(result, row, notes)
                for row in rows
                for result in row.summary.results
                if result.plan.of == task
            ]
            if lines:
                groups.append(((Cell(self._labels.get(task, task)), *[Cell("")] * 4, Cell(ABSENT)), *lines))
        return Table("Ours under disturbances", columns, tuple(groups))

    def _line(self, result: TaskResult, row: ArmRow[Any], notes: Notes) -> Row:
        """One disturbed task of one row."""
        calm = _undisturbed(result, row.summary)
        remarks = [*_notes(row), *self._words(result), *_unequal(result, calm, row.summary)]
        return (
            Cell(row.summary.label, notes=notes.number(map(plain, remarks))),
            *value_cells(result),
            Cell(percent(calm.success.value) if calm and calm.success else ABSENT),
            cases_cell(result),
            Cell(plain(row.summary.protocol.name)),
        )

    def _words(self, result: TaskResult) -> list[str]:
        """What was changed, where the paper changed something else."""
        theirs = {(entry.task, entry.words) for entry in self.paper.disturbances}
        plan = result.plan
        return [] if (plan.of, plan.disturbance) in theirs else [f"{plan.id}: {plan.disturbance}."]


def _notes(row: ArmRow[RealRobotSummary]) -> list[str]:
    """What qualifies one row of ours."""
    summary = row.summary
    reasons = [*obstacles(summary), NO_VALUE]
    notes = [*origin_notes(summary), f"Not comparable: {'; '.join(reasons)}.", aggregation_note(summary)]
    return [*notes, *summary.remarks, *filter(None, [contradiction_note(summary.manifest)])]


def _undisturbed(result: TaskResult, summary: RealRobotSummary) -> TaskResult | None:
    """The task that a disturbed one is a variant of, in the same campaign."""
    return next((other for other in summary.everything if other.plan.id == result.plan.of), None)


def _unequal(result: TaskResult, calm: TaskResult | None, summary: RealRobotSummary) -> list[str]:
    """That a value with the disturbance and one without came about otherwise, so that their difference misleads."""
    rule = summary.campaign.aggregation
    if calm is None or rule == "mean" or calm.plan.trials == result.plan.trials:
        return []
    with_it, without = (counted(plan.trials, "trial") for plan in (result.plan, calm.plan))
    return [
        f"Undisturbed, a case has {without}, made one by '{rule}'; disturbed it has {with_it}. The difference of the "
        "two is not the disturbance's alone."
    ]


def _task_record(result: TaskResult, summary: RealRobotSummary) -> dict[str, Any]:
    """One task of ours for JSON."""
    calm = _undisturbed(result, summary)
    estimates = {"success": result.success, "score": result.score}
    estimates["undisturbed_success"] = calm.success if calm else None
    return {
        "task": result.plan.id,
        "of": result.plan.of,
        "disturbance": result.plan.disturbance,
        "cases": len(result.cases),
        "planned_cases": result.plan.cases,
        "trials": result.plan.trials,
        **{name: None if estimate is None else asdict(estimate) for name, estimate in estimates.items()},
    }
