"""Figure 5 of the paper, the real robot under disturbances: what was changed, and that its bars are not legible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seer_bench.report import records
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.document import Cell, Column, Document, Notes, Table, plain
from seer_bench.report.paper_figures import load_generalization
from seer_bench.report.paper_real_robot import load_real_robot_table
from seer_bench.report.paper_table import Findings, PaperTable
from seer_bench.report.table4 import HOW
from seer_bench.report.wording import audit_notes

KEY = "figure5"
_PICTURE = "n/a: the bars are a picture in the paper, and its text gives no values."


class GeneralizationFigure(PaperTable):
    """One line a task of the real robot; there are no runs of ours to show yet."""

    unit = "case"

    def __init__(self, number: str) -> None:
        super().__init__(KEY, number, [])
        self.paper = load_generalization()
        self._labels = {task.id: task.label for task in load_real_robot_table().tasks}

    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """What was changed around each task; `rows` is empty."""
        notes = Notes()
        marks = notes.number([_PICTURE, *audit_notes(KEY, None)])
        columns = (
            Column("Task", align="left"),
            Column("Disturbance", align="left"),
            Column("Paper"),
            Column("Verdict", align="left"),
        )
        lines = tuple(
            (Cell(self._labels[entry.task], notes=marks), Cell(entry.words), Cell("n/a"), Cell("not run"))
            for entry in self.paper.disturbances
        )
        return Document(
            number=self.number,
            title=self.paper.title,
            lead="What was changed around the tasks of Table 4.",
            tables=(Table("Disturbances", columns, (lines,)),),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in findings.problems),
            hints=() if rows else (f"{self.number}: not run. {HOW}",),
        )

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The disturbances, without values."""
        return {
            "notes": [_PICTURE],
            "paper": [
                {"task": entry.task, "disturbance": entry.words, "value": None} for entry in self.paper.disturbances
            ],
            "arms": [row.summary.label for row in rows],
            "runs": [],
        }

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a task."""
        lines = [{"task": entry.task, "disturbance": entry.words} for entry in self.paper.disturbances]
        lines += [{"task": row.summary.label} for row in rows]
        return {"": records.csv_text(["task", "disturbance", "value"], lines)}
