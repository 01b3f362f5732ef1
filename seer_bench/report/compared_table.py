"""What the tables share that show our rows beside the paper's: how they are laid out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from seer_bench.report import compared_records
from seer_bench.report.arms import contradiction_note
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Line, Measure, PrintedRow, best_values, compare
from seer_bench.report.counts import Estimate, RunSummary
from seer_bench.report.document import (
    ABSENT,
    Cell,
    Column,
    Document,
    Drawn,
    Notes,
    Row,
    Table,
    interval,
    plain,
    signed,
)
from seer_bench.report.missing import Wanted, missing_hints
from seer_bench.report.paper_table import Findings, PaperTable
from seer_bench.report.served import stands_apart
from seer_bench.report.verdict import FEW, NO_ROW
from seer_bench.report.wording import checkpoint_note, checkpoint_table, error_table, hints

LEGEND = (
    " Beside a value of ours: = the printed value lies in our 95 % interval (agrees; a wide one "
    "agrees with much), ≠ it does not (differs), and "
    "ours less the paper's. Rows that do not compare have neither. Bold: the best among the "
    "paper's rows and ours; ours of two protocols are not ranked with one another."
)


class ComparedTable(PaperTable):
    """A table of numbers of which every row of the paper is followed by ours of the same arm."""

    heading = "Method"
    """Of the first column."""
    title: str
    lead: str
    """What the numbers are, in one sentence."""
    measures: tuple[Measure, ...]
    """The columns of numbers; checkpoints are chosen by the last of them."""
    printed: tuple[PrintedRow, ...]
    """The paper's rows."""
    benchmark: str
    """Whose runs fill it."""
    protocol: str
    """The protocol whose results compare with the paper's."""
    notes: tuple[str, ...] = ()
    """What holds for all of the paper's rows."""
    first: str | None = None
    """A command that makes a first row without a checkpoint; None where only rows of the paper have a place."""

    @abstractmethod
    def estimates(self, summary: Any) -> Sequence[Estimate | None]:
        """The values of a row, one a measure."""

    @abstractmethod
    def run_notes(self, summary: Any) -> tuple[str, ...]:
        """Everything that qualifies one row, each as a sentence of its own."""

    @abstractmethod
    def extra_columns(self, summary: Any) -> Mapping[str, Any]:
        """Further CSV columns of one row, counts and bounds; the same keys for every row."""

    @abstractmethod
    def tables(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], notes: Notes) -> list[Table]:
        """The main table and what else shows the rows, in order."""

    @abstractmethod
    def counts(self, summary: Any) -> Sequence[str]:
        """What each value was counted from, e.g. "19/20"; "" where a column shows no counts."""

    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """The paper's rows with ours behind them, checkpoints, details of the runs, errors, published results."""
        notes = Notes()
        groups = self.lines(rows)
        tables = self.tables(groups, rows, notes)
        several = [row for row in rows if row.choice is not None]
        if several:
            values = [[self.estimates(run)[-1] for run in row.runs] for row in several]
            tables.insert(1, checkpoint_table(several, values, self.measures[-1]))
        runs = [run for row in rows for run in row.runs]
        if runs:
            tables.append(error_table(runs, self.unit))
        missing = self.missing(groups, rows, findings)
        compared = any(verdict.word in ("agrees", "differs") for g in groups for line in g for verdict in line.verdicts)
        return Document(
            number=self.number,
            title=self.title,
            lead=self.lead + (LEGEND if compared else ""),
            tables=tuple(tables),
            notes=notes.texts,
            problems=tuple(plain(problem) for problem in findings.problems),
            hints=tuple(plain(hint) for hint in missing),
        )

    def missing(self, groups: Sequence[Sequence[Line]], rows: Sequence[ArmRow[Any]], findings: Findings) -> list[str]:
        """What is missing, each with the command that fills it; the first says most."""
        beside = [(row.arm.method, row.summary.protocol.name) for row in rows]
        wanted = [
            Wanted(self.row_name(line.printed), line.printed.arm, self.benchmark, self.protocol)
            for line in (group[0] for group in groups)
            if line.row is None and line.printed and not line.filled and not stands_apart(line.printed.arm, beside)
        ]
        texts = missing_hints(wanted, findings.policies)
        runs = [run for row in rows for run in row.runs]
        if runs or self.first:
            return [*hints(self.number, runs, self.unit, found=findings.found, first=self.first or ""), *texts]
        return [f"{self.number}: no run fills a row yet. {texts[0]}", *texts[1:]]

    def row_name(self, printed: PrintedRow) -> str:
        """How a row of the paper is called outside its table."""
        return printed.label

    def main_table(
        self, title: str, groups: Sequence[Sequence[Line]], which: Sequence[int], notes: Notes | None
    ) -> Table:
        """The measures number `which`; with `notes` also n, verdict and footnotes, which stand in one table alone."""
        shown = [self.measures[i] for i in which]
        columns = [Column(self.heading, align="left"), *(Column(m.heading, detail=m.detail) for m in shown)]
        if notes is not None:
            columns += [Column("n"), Column("Verdict", align="left", fold=True)]
        columns.append(Column("Protocol", align="left", fold=True))
        best = best_values(groups, self.measures)

        def row(line: Line) -> Row:
            cells = [self._name(line, notes), *(self._value(line, i, best) for i in which)]
            if notes is not None:
                cells += [_units(line), _verdict(line, self.measures[-1])]
            return (*cells, Cell(plain(line.row.summary.protocol.name) if line.row else ABSENT))

        return Table(title, tuple(columns), tuple(tuple(map(row, group)) for group in groups))

    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The paper's rows, the arms with their verdicts, and every run."""
        return compared_records.tree(self, rows)

    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """One line a row of the paper and of ours; values as fractions, verdicts and differences beside them."""
        return {"": compared_records.lines(self, rows)}

    def lines(self, rows: Sequence[ArmRow[Any]]) -> list[tuple[Line, ...]]:
        """The paper's rows, each with ours of the same arm, then ours that it does not have."""
        return compare(self.printed, rows, self.measures, self.estimates)

    def line_notes(self, line: Line, row: ArmRow[Any]) -> tuple[str, ...]:
        """The notes of one row of ours, which is that of `line`."""
        texts = [self.choice_note(row), contradiction_note(row.summary.manifest), *self.run_notes(row.summary)]
        # What else stands in the way of a comparison is among the notes of the run.
        texts += [f"Not comparable: {why}." for why in (NO_ROW, FEW) if why in line.verdicts[-1].reason]
        return tuple(plain(text) for text in texts if text)

    def choice_note(self, row: ArmRow[Any]) -> str:
        """How many checkpoints a row stands for, and what choosing them was worth; "" where it has none."""
        return checkpoint_note(row, self.measures[-1], self.unit)

    def _name(self, line: Line, notes: Notes | None) -> Cell:
        """The first cell."""
        if notes is None:
            return Cell(line.label)
        if line.row is not None:
            return Cell(line.label, notes=notes.number(self.line_notes(line, line.row)))
        return Cell(line.label, notes=notes.number((*self.notes, *(line.printed.notes if line.printed else ()))))

    def _value(self, line: Line, column: int, best: Mapping[str, Sequence[float | None]]) -> Cell:
        """One number, with its interval, counts and verdict where it is ours."""
        measure, value = self.measures[column], line.value(column, self.measures)
        top = value is not None and line.comparable and round(value, measure.digits) == best[line.protocol][column]
        if line.row is None:
            shown = None if value is None else Drawn(printed=value, top=_top(measure))
            return Cell("n/a" if value is None else f"{value:.{measure.digits}f}", best=top, drawn=shown)
        estimate, counts = line.estimates[column], self.counts(line.row.summary)[column]
        if estimate is None or value is None:
            return Cell(ABSENT, counts=counts)
        verdict = line.verdicts[column]
        told = column != len(self.measures) - 1 and verdict.word in ("agrees", "differs")  # the last has a column
        return Cell(
            f"{value:.{measure.digits}f}",
            interval(estimate.low, estimate.high, digits=measure.interval_digits, scale=measure.scale),
            counts=counts,
            verdict=verdict.word if told else "",
            difference=signed(verdict.difference, measure.digits) if told and verdict.difference is not None else "",
            best=top,
            drawn=_drawn(line, column, measure),
        )


def _units(line: Line) -> Cell:
    """How many units a row of ours is about; of a partial one also of how many."""
    if line.row is None:
        return Cell(ABSENT)
    summary: RunSummary = line.row.summary
    return Cell(str(summary.n), "" if summary.complete else f"of {summary.planned}")


def _verdict(line: Line, measure: Measure) -> Cell:
    """The verdict on the last measure, in words; on the paper's own line whether anything was run."""
    if line.row is None:
        return Cell(ABSENT if line.filled else "not run")
    verdict = line.verdicts[-1]
    if verdict.difference is None or verdict.word == "not comparable":
        return Cell(verdict.word)
    return Cell(f"{verdict.word} ({signed(verdict.difference, measure.digits)})")


def _top(measure: Measure) -> float | None:
    """The highest value that a measure can have, in the unit of the print, where all measures of its kind share it."""
    return measure.scale if measure.scale == 100 else None


def _drawn(line: Line, column: int, measure: Measure) -> Drawn | None:
    """The numbers behind a cell of ours; the paper's only where the two compare."""
    estimate, verdict = line.estimates[column], line.verdicts[column]
    if estimate is None:
        return None
    printed = line.printed.values[column] if line.printed and verdict.word in ("agrees", "differs") else None
    low, high = (None if end is None else measure.scale * end for end in (estimate.low, estimate.high))
    return Drawn(measure.scale * estimate.value, low, high, printed, _top(measure))
