"""Table 2 of the paper with every run beside it: the one place where its words are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from seer_bench.report.chains import ChainSummary, Estimate
from seer_bench.report.document import (
    ABSENT,
    Cell,
    Column,
    Document,
    Notes,
    Row,
    Table,
    count,
    counted,
    interval,
    percent,
    plain,
)
from seer_bench.report.paper_tables import PaperChainRow, PaperChainTable

OWN_BACKEND = "own"
"""The backend that needs no remark."""
RUNS_A_TABLE = 3
"""Runs side by side in a table of tasks, so that it fits 80 columns and a printed page."""
NO_RUNS = (
    "No runs were found, so only the paper's rows are shown. Add a row with: "
    "seer-bench run calvin --policy expert --units 0:20"
)

ALL_LEFT_OUT = (
    "Every run that was found had to be left out, so only the paper's rows are shown; the reason for each is listed."
)


def build_document(
    paper: PaperChainTable, summaries: Sequence[ChainSummary], problems: Sequence[str], *, found: int
) -> Document:
    """Word the whole report; `summaries` in the order of the rows, `found` counts the run directories read."""
    notes = Notes()
    tables = [_main_table(paper, summaries, notes)]
    for start in range(0, len(summaries), RUNS_A_TABLE):
        tables.append(_task_table(summaries, range(start, min(start + RUNS_A_TABLE, len(summaries)))))
    if summaries:
        tables.append(_error_table(summaries))
    return Document(
        title=f"Table 2: {paper.title}",
        lead="Percent of chains in which at least 1, 2, ... instructions in a row were followed, and the average "
        "number of them (Avg. Len.). Small print: 95 % intervals, Wilson for rates, bootstrap over chains for "
        "Avg. Len.",
        tables=tuple(tables),
        notes=notes.texts,
        problems=tuple(plain(problem) for problem in problems),
        hint=_hint(summaries, found),
    )


def _hint(summaries: Sequence[ChainSummary], found: int) -> str:
    """What to say where no row of ours is shown; else empty."""
    if summaries:
        return ""
    return ALL_LEFT_OUT if found else NO_RUNS


def paper_notes(paper: PaperChainTable) -> tuple[str, ...]:
    """What a reader must know before comparing with the paper's rows."""
    return (
        f"As printed in the paper: {paper.metric.rstrip('.')}. Checkpoints picked by their scores on the test itself "
        "are favoured over one that was fixed beforehand. The paper prints no intervals.",
    )


def run_notes(summary: ChainSummary) -> tuple[str, ...]:
    """Everything that qualifies one row, each as a sentence of its own."""
    notes = []
    protocol = summary.protocol
    if protocol.comparable != "yes":
        reason = protocol.comparable.rstrip(".")
        notes.append(f"Not comparable with the paper's rows ({protocol.name}): {reason}.")
    if summary.manifest.policy.privileged:
        notes.append("Privileged policy: it reads the simulator's state, which a robot's policy cannot.")
    if summary.manifest.policy.fast:
        notes.append("Fast: batches depended on timing, so another run may give other outcomes.")
    if not summary.complete:
        notes.append("Partial: not every chain of the protocol has an outcome.")
    if summary.errors:
        low, high = summary.average_length_bounds
        notes.append(
            f"Excluded: {counted(summary.errors, 'chain')} without an outcome because the infrastructure failed; had "
            f"all of them failed or been solved, Avg. Len. would be {low:.2f} or {high:.2f}."
        )
    if summary.manifest.backend != OWN_BACKEND:
        notes.append(f"Simulated by the backend '{summary.manifest.backend}'.")
    if summary.mixed:
        notes.append(f"Merged over sessions whose simulations differ in: {', '.join(summary.mixed)}.")
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
    marks = notes.number(paper_notes(paper))
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


def _error_table(summaries: Sequence[ChainSummary]) -> Table:
    """What went wrong apart from failing."""
    columns = (
        Column("Run", align="left"),
        Column("Infrastructure errors", "chains left out"),
        Column("Policy errors", "chains failed by them"),
        Column("Out of range", "actions beyond ±1"),
        Column("Protocol", align="left", fold=True),
    )
    rows = tuple(
        (
            Cell(s.label),
            Cell(count(s.errors)),
            Cell(count(s.policy_errors)),
            Cell(count(s.actions_out_of_range)),
            Cell(plain(s.protocol.name)),
        )
        for s in summaries
    )
    return Table("Errors", columns, (rows,))
