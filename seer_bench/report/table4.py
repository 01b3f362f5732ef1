"""Table 4 of the paper, the real robot, with every arm beside it: its words are chosen here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seer_bench.report.arms import HEAD_OF_OURS, arm_of_paper
from seer_bench.report.audit import audit_paper
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.compared_table import ComparedTable
from seer_bench.report.comparison import Line, Measure, PrintedRow
from seer_bench.report.counts import Estimate
from seer_bench.report.document import ABSENT, Cell, Column, Notes, Row, Table, counted, interval, plain
from seer_bench.report.missing import NOT_PUBLIC
from seer_bench.report.paper_real_robot import CASES, KEY, RealRobotRow, load_real_robot_table
from seer_bench.report.paper_table import Findings
from seer_bench.report.real_robot import SOURCE, RealRobotSummary, TaskResult, rows_about
from seer_bench.report.wording import estimate_text, origin_notes

HOW = (
    "Its trials are played on a real robot. Plan them with: seer-bench real plan paper --policies NAME=CHECKPOINT "
    "--arm demos=100 --out DIRECTORY, where --arm says which row a policy is, such as pretrained=no demos=20."
)
"""How rows of ours come about."""

_NOT_ALLOWED = (
    "No interval of this row allows for the choice; that of the mean of the best in the table of checkpoints does."
)

AGGREGATION = {
    "mean": "the mean over the trials of each case",
    "best_of": "the best trial of each case",
    "majority": "what more than half of the trials of each case reached",
}
"""What the rules for repeated trials mean."""


class RealRobot(ComparedTable):
    """SR and score of every task, a row an arm and amount of demonstrations."""

    unit = "trial"

    def __init__(self, number: str) -> None:
        super().__init__(KEY, number, [SOURCE.key])
        paper = load_real_robot_table()
        self._tasks = paper.tasks
        self.title = paper.title
        self.lead = (
            f"SR: percent of {CASES} cases in which the whole task was done. {paper.score_rule} Small print: what a "
            "value was counted from, and 95 % intervals, for which the cases are the units, not their trials."
        )
        self.notes = (
            f"As printed in the paper: {paper.metric}. Which rule makes one value of the trials of a case, it does not "
            "say, and it prints no intervals, so verdicts take its values as exact but for rounding.",
            *(finding.text for finding in audit_paper() if finding.key == KEY and finding.row is None),
        )
        self.measures = (
            *(_measure(f"{task.id}_success", task.label, scale=100) for task in paper.tasks),
            *(_measure(f"{task.id}_score", task.label, scale=1) for task in paper.tasks),
            _measure("average_score", "Avg. Score", scale=1),
            _measure("average_success", "Avg. SR", scale=100),
        )
        self.printed = tuple(_printed(row) for row in paper.rows)

    def own(self, rows: Iterable[ArmRow[Any]]) -> list[ArmRow[Any]]:
        """Those with undisturbed tasks, restricted to these."""
        return rows_about(list(rows), lambda plan: not plan.disturbance)

    def estimates(self, summary: RealRobotSummary) -> Sequence[Estimate | None]:
        """SRs of the paper's tasks, their scores, and the means of both."""
        results = self._results(summary)
        return (
            *(result.success if result else None for result in results),
            *(result.score if result else None for result in results),
            summary.average_score,
            summary.average_success,
        )

    def counts(self, summary: RealRobotSummary) -> Sequence[str]:
        """Solved of finished cases (of their trials for a mean), and the highest score that there could have been."""
        scores = {score.task: f"{score.successes}/{score.attempts}" for score in summary.tasks}
        results = self._results(summary)
        solved, played = (sum(getattr(score, name) for score in summary.tasks) for name in ("successes", "attempts"))
        most = sum(result.most for result in summary.results) / max(1, len(summary.results))
        return (
            *(scores.get(task.id, "") for task in self._tasks),
            *(f"of {result.most}" if result and result.cases else "" for result in results),
            f"of {most:g}",
            f"{solved}/{played}",
        )

    def run_notes(self, summary: RealRobotSummary) -> tuple[str, ...]:
        """Origin, aggregation, and what is missing."""
        notes = origin_notes(summary)
        if summary.unlike_paper:
            notes.append(f"Not comparable with the paper's rows: {'; '.join(summary.unlike_paper)}.")
        notes += [aggregation_note(summary), *summary.remarks]
        if not summary.complete:
            notes.append(
                f"Partial: {counted(summary.cases, 'case')} of {summary.planned_cases} are finished, and they alone "
                "count. A case is finished when all of its trials have an outcome; scores are sums over finished cases."
            )
        if summary.errors:
            notes.append(f"Excluded: {counted(summary.errors, 'trial')} without an outcome, void and not repeated yet.")
        if summary.mixed:
            notes.append(f"Merged over sessions whose set-ups differ in: {', '.join(summary.mixed)}.")
        return tuple(plain(note) for note in notes)

    def extra_columns(self, summary: RealRobotSummary) -> Mapping[str, Any]:
        """Aggregation, cases, and trials without an outcome."""
        return {
            "aggregation": summary.campaign.aggregation,
            "cases": summary.cases,
            "planned_cases": summary.planned_cases,
            "errors": summary.errors,
            "policy_errors": summary.policy_errors,
        }

    def tables(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], notes: Notes) -> list[Table]:
        """The averages, SR and score per task, and tasks that the paper does not have."""
        tasks, last = len(self._tasks), len(self.measures) - 1
        tables = [
            self.main_table("Average over the tasks", groups, [last, last - 1], notes),
            self.main_table("SR per task in %", groups, range(tasks), None),
            self.main_table("Score per task", groups, range(tasks, 2 * tasks), None),
        ]
        known = {task.id for task in self._tasks}
        own = [row.summary for row in rows if {result.plan.id for result in row.summary.results} - known]
        return [*tables, _own_tasks(own, known)] if own else tables

    def choice_note(self, row: ArmRow[Any]) -> str:
        """Only where there are several: a robot seldom plays more than one, and the paper tells of no choice."""
        choice = row.choice
        if choice is None:
            return ""
        mean = (
            f"mean over the best {len(choice.chosen)} of {choice.of}" if choice.made else f"mean over all {choice.of}"
        )
        return (
            f"Several checkpoints: {mean} by Avg. SR on these very trials; unselected mean over all {choice.of}: "
            f"{estimate_text(choice.unselected, self.measures[-1])}. {_NOT_ALLOWED if choice.made else ''}".rstrip()
        )

    def missing(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], findings: Findings) -> list[str]:
        """Trials to go, and one hint for all rows without a run: nothing but a robot can fill them."""
        texts = open_rows(self.number, groups, rows)
        if findings.found and not rows:
            texts.insert(0, f"{self.number}: no run that was found has a row here; what was left out is listed.")
        return texts

    def _results(self, summary: RealRobotSummary) -> list[TaskResult | None]:
        """The results of the paper's tasks, in its order."""
        results = {result.plan.id: result for result in summary.results}
        return [results.get(task.id) for task in self._tasks]


def aggregation_note(summary: RealRobotSummary) -> str:
    """By which rule the trials of a case became one value."""
    trials = sorted({result.plan.trials for result in summary.results})
    if trials == [1]:
        return "One trial a case, so nothing was aggregated."
    rule = summary.campaign.aggregation
    text = f"Aggregation over {' or '.join(map(str, trials))} trials a case: {rule}, {AGGREGATION[rule]}."
    if rule == "mean":
        return f"{text} The paper's SRs are whole numbers of {CASES} cases, which a mean seldom is."
    return f"{text} The paper does not say its own rule."


def open_rows(number: str, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]]) -> list[str]:
    """What is missing in a table of the real robot."""
    texts = []
    for run in (run for row in rows for run in row.runs):
        if not run.complete:
            to_go = f"{counted(run.planned - run.n, 'trial')} of {run.planned} to go"
            texts.append(f"{run.label} on {run.protocol.name}: {to_go}. Go on with the campaign in {run.paths[0]}.")
    empty: list[str] = []
    theirs: list[str] = []
    for line in (group[0] for group in groups):
        if line.row is None and line.printed and not line.filled:
            (theirs if line.printed.arm.method in HEAD_OF_OURS else empty).append(line.label)
    if not rows:
        texts.append(f"{number}: not run. {HOW}")
    elif empty:
        texts.append(f"{'; '.join(empty)}: not run. {HOW}")
    if rows and theirs:
        texts.append(
            f"{'; '.join(theirs)}: {NOT_PUBLIC} The policies mvp and mpi play heads of ours over these encoders, as "
            "rows of their own, marked head=ours (docs/encoders.md)."
        )
    return texts


def _measure(name: str, heading: str, *, scale: float) -> Measure:
    """One column: SR in percent or a score, both with one decimal in the paper."""
    return Measure(name, heading, scale, digits=1, interval_digits=0, detail="always")


def _printed(row: RealRobotRow) -> PrintedRow:
    """One row of the paper with what the audit found in it, whose texts name it with its demonstrations."""
    label = f"{row.method}, {row.demos} demos"
    return PrintedRow(
        label,
        arm_of_paper(row.method, demos=str(row.demos)),
        (
            *(cell.success for cell in row.scores),
            *(cell.score for cell in row.scores),
            row.average.score,
            row.average.success,
        ),
        tuple(finding.text for finding in audit_paper() if finding.key == KEY and finding.text.startswith(f"{label}:")),
    )


def _own_tasks(summaries: Sequence[RealRobotSummary], known: set[str]) -> Table:
    """Tasks of ours that the paper does not have, a group a row."""
    columns = (
        Column("Task", align="left"),
        Column("SR in %", detail="always"),
        Column("Score", detail="always"),
        Column("Cases"),
        Column("Row", align="left", fold=True),
    )
    groups = tuple(
        tuple(task_row(result, summary) for result in summary.results if result.plan.id not in known)
        for summary in summaries
    )
    return Table("Tasks that the paper does not have", columns, groups)


def task_row(result: TaskResult, summary: RealRobotSummary) -> Row:
    """One task of ours: SR, score, finished cases, and whose they are."""
    return (Cell(plain(result.plan.id)), *value_cells(result), cases_cell(result), Cell(summary.label))


def cases_cell(result: TaskResult) -> Cell:
    """How many cases of a task are finished; where some are not, also of how many."""
    finished, planned = len(result.cases), result.plan.cases
    return Cell(str(finished), "" if finished == planned else f"of {planned}")


def value_cells(result: TaskResult) -> tuple[Cell, Cell]:
    """SR in percent and score of one task, with their intervals."""
    success, score = result.success, result.score
    if success is None or score is None:
        return Cell(ABSENT), Cell(ABSENT)
    return (
        Cell(f"{100 * success.value:.1f}", interval(success.low, success.high, digits=0, scale=100)),
        Cell(f"{score.value:.1f}", interval(score.low, score.high, digits=0), f"of {result.most}"),
    )
