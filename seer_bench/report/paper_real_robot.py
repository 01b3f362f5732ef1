"""Table 4 of the paper, the real robot: typed, and checked when it is read.

The score of a task is the number of stages completed over its 15 cases; a case counts as solved with its last stage.
So SR and score bind one another: k solved cases of a task with s stages are worth at least k * s, and the others at
most s - 1 each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from seer_bench.errors import UsageError
from seer_bench.report import arithmetic
from seer_bench.report.paper_tables import SOURCE, load_entry

KEY = "table4"
CASES = 15
"""Initial states a task, each tried three times, as the paper says."""


@dataclass(frozen=True)
class RealRobotTask:
    """One task of the real robot."""

    id: str
    """E.g. "flip_white_bowl"."""
    label: str
    """The paper's words."""
    stages: tuple[str, ...]
    """Steps that score, in their order."""


@dataclass(frozen=True)
class RealRobotScore:
    """SR and score of one task, or their means over the tasks."""

    success: float
    """Percent of cases in which the whole task was done."""
    score: float
    """Completed stages, summed over the cases."""


@dataclass(frozen=True)
class RealRobotRow:
    """One method with one amount of data."""

    method: str
    demos: int
    """Demonstrations a task that it was fine-tuned with."""
    scores: tuple[RealRobotScore, ...]
    """Of each task, in the table's order."""
    average: RealRobotScore
    """As printed; `computed` is what the cells give."""

    @property
    def computed(self) -> RealRobotScore:
        """The means of the printed cells."""
        success = arithmetic.mean([cell.success for cell in self.scores])
        return RealRobotScore(success, arithmetic.mean([cell.score for cell in self.scores]))

    @property
    def adds_up(self) -> bool:
        """Whether rounding explains the difference of the printed averages from the means of the cells.

        SRs are rounded to one decimal, and so is their mean; scores are whole, only their mean is rounded.
        """
        success = arithmetic.agrees(self.average.success, self.computed.success, 2 * arithmetic.RATE_ROUNDING)
        return success and arithmetic.agrees(self.average.score, self.computed.score, arithmetic.RATE_ROUNDING)


@dataclass(frozen=True)
class RealRobotTable:
    """The table as the paper prints it."""

    title: str
    metric: str
    """What the numbers are, in the paper's sense."""
    score_rule: str
    """How a score is counted."""
    tasks: tuple[RealRobotTask, ...]
    rows: tuple[RealRobotRow, ...]


@cache
def load_real_robot_table() -> RealRobotTable:
    """The packaged Table 4; raises UsageError as `parse_real_robot_table`."""
    return parse_real_robot_table(load_entry(KEY), source=SOURCE)


def parse_real_robot_table(data: Mapping[str, Any], *, source: str) -> RealRobotTable:
    """Read Table 4 and check every cell against the rule of the score.

    A row whose averages are not the means of its cells must be named under `audit` ("(method, N demos)"), and only
    such a row may be.

    Raises:
        UsageError: naming `source`, the row, the task and the values.
    """
    where = f"{source}: {KEY}"
    tasks = tuple(RealRobotTask(task["id"], task["label"], tuple(task["stages"])) for task in data["tasks"])
    if not tasks or not data["rows"]:
        raise UsageError(f"{where} has {len(tasks)} tasks and {len(data['rows'])} rows; it needs some.")
    rows = tuple(_row(where, row, tasks) for row in data["rows"])
    for row in rows:
        _check_audit(where, row, data.get("audit", ()))
    return RealRobotTable(data["title"], data["metric"], " ".join(data["score_rule"].split()), tasks, rows)


def _row(where: str, raw: Mapping[str, Any], tasks: tuple[RealRobotTask, ...]) -> RealRobotRow:
    """One row whose cells obey the rule of the score."""
    where = f"{where}, row '{raw['method']}' with {raw['demos']} demos"
    if len(raw["values"]) != len(tasks):
        raise UsageError(f"{where} has {len(raw['values'])} cells for {len(tasks)} tasks.")
    scores = tuple(RealRobotScore(*cell) for cell in raw["values"])
    for task, cell in zip(tasks, scores, strict=True):
        solved, stages = round(cell.success * CASES / 100), len(task.stages)
        if not arithmetic.is_rounded_share(cell.success, CASES):
            raise UsageError(f"{where}, {task.label}: SR {cell.success} is no share of {CASES} cases.")
        least, most = solved * stages, solved * stages + (CASES - solved) * (stages - 1)
        if cell.score != int(cell.score) or not least <= cell.score <= most:
            raise UsageError(
                f"{where}, {task.label}: {solved} of {CASES} cases solved give a whole score from {least} to {most}, "
                f"not {cell.score}."
            )
    return RealRobotRow(raw["method"], raw["demos"], scores, RealRobotScore(*raw["avg"]))


def _check_audit(where: str, row: RealRobotRow, audit: list[str] | tuple[str, ...]) -> None:
    """Refuse a row that disagrees with its averages and is not named, or is named and agrees."""
    named = any(f"({row.method}, {row.demos} demos)" in entry for entry in audit)
    if row.adds_up == named:
        computed = f"{row.computed.success:.2f} / {row.computed.score:.2f}"
        printed = f"{row.average.success} / {row.average.score}"
        found = "but 'audit' says they disagree" if named else "and 'audit' does not name the row"
        raise UsageError(
            f"{where}, row '{row.method}' with {row.demos} demos: printed averages {printed}, means of its cells "
            f"{computed}, {found}."
        )
