"""Table 4 of the paper, the real robot: what it prints, what its arithmetic gives, and how our rows would come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seer_bench.report import records
from seer_bench.report.audit import audit_paper
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.document import Cell, Column, Document, Notes, Row, Table, plain
from seer_bench.report.paper_real_robot import (
    CASES,
    KEY,
    RealRobotRow,
    RealRobotScore,
    RealRobotTable,
    load_real_robot_table,
)
from seer_bench.report.paper_table import Findings, PaperTable

HOW = (
    "No simulator plays this table: its cases are played on a real robot, and no installed benchmark records them. "
    "A benchmark plugin whose protocols say 'table: table4' is what its rows wait for."
)
"""How rows of ours would come about."""


class RealRobot(PaperTable):
    """SR and Score of every task; there are no runs of ours to show yet."""

    unit = "case"

    def __init__(self, number: str) -> None:
        super().__init__(KEY, number, [])
        self.paper: RealRobotTable = load_real_robot_table()

    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """The paper's rows with the findings of the audit; `rows` is empty."""
        notes = Notes()
        columns = (
            Column("Method", align="left"),
            Column("Demos"),
            *(Column(task.label) for task in self.paper.tasks),
            Column("Average"),
            Column("Verdict", align="left", fold=True),
        )
        best = [max(cell) for cell in zip(*(_successes(row) for row in self.paper.rows), strict=True)]
        groups = tuple((self._row(row, best, notes),) for row in self.paper.rows)
        return Document(
            number=self.number,
            title=self.paper.title,
            lead=f"SR: percent of {CASES} cases in which the whole task was done. Below it the score. "
            f"{self.paper.score_rule}",
            tables=(Table("SR and score per task", columns, groups),),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in findings.problems),
            hints=() if rows else (f"{self.number}: not run. {HOW}",),
        )

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The paper's rows, SR as fractions."""
        return {
            "notes": [self.paper.metric, *_remarks(None)],
            "paper": [
                {
                    "method": row.method,
                    "demos": row.demos,
                    "tasks": {task.id: _score(cell) for task, cell in zip(self.paper.tasks, row.scores, strict=True)},
                    "average": _score(row.average),
                    "notes": list(_remarks(row)),
                }
                for row in self.paper.rows
            ],
            "arms": [row.summary.label for row in rows],
            "runs": [],
        }

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a row of the paper."""
        lines = []
        for row in self.paper.rows:
            line: dict[str, Any] = {"method": row.method, "demos": row.demos, "protocol": "paper"}
            for name, cell in self._named(row):
                line |= {f"{name}_success": records.fraction(cell.success), f"{name}_score": cell.score}
            lines.append({**line, "notes": " ".join((*_remarks(None), *_remarks(row)))})
        names = [f"{name}_{part}" for name, _ in self._named(self.paper.rows[0]) for part in ("success", "score")]
        lines += [{"method": row.summary.label} for row in rows]
        return {"": records.csv_text(["method", "demos", "protocol", *names, "notes"], lines)}

    def _named(self, row: RealRobotRow) -> list[tuple[str, RealRobotScore]]:
        """The cells of a row by task, then the average."""
        ids = [*(task.id for task in self.paper.tasks), "average"]
        return list(zip(ids, (*row.scores, row.average), strict=True))

    def _row(self, row: RealRobotRow, best: Sequence[float], notes: Notes) -> Row:
        """One row of the paper."""
        marks = notes.number((f"As printed in the paper: {self.paper.metric}.", *_remarks(None), *_remarks(row)))
        cells = (
            Cell(f"{cell.success:.1f}", counts=f"{cell.score:.{int(name == 'average')}f}", best=cell.success == top)
            for (name, cell), top in zip(self._named(row), best, strict=True)
        )
        return (Cell(row.method, notes=marks), Cell(str(row.demos)), *cells, Cell("not run"))


def _successes(row: RealRobotRow) -> tuple[float, ...]:
    """The SRs of a row, the average last."""
    return (*(cell.success for cell in row.scores), row.average.success)


def _score(cell: RealRobotScore) -> dict[str, float | None]:
    """One cell for machines."""
    return {"success": records.fraction(cell.success), "score": cell.score}


def _remarks(row: RealRobotRow | None) -> tuple[str, ...]:
    """What the audit found in a row, which its texts name with the number of demonstrations, or in the table."""
    found = [finding for finding in audit_paper() if finding.key == KEY]
    if row is None:
        return tuple(finding.text for finding in found if finding.row is None)
    name = f"{row.method}, {row.demos} demos:"
    return tuple(finding.text for finding in found if finding.text.startswith(name))
