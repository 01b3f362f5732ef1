"""Our rows beside the paper's: which belongs to which, what each cell's verdict is, which value is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seer_bench.report.arms import Arm
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.counts import Estimate
from seer_bench.report.document import Detail
from seer_bench.report.verdict import NO_ROW, Verdict, judge, obstacles


@dataclass(frozen=True)
class Measure:
    """One column of numbers, as the paper prints them."""

    name: str
    """In CSV and JSON, e.g. "average_length"."""
    heading: str
    scale: float
    """What a value of ours is multiplied with: 100 for percent."""
    digits: int
    """Decimals of the print."""
    interval_digits: int
    """Decimals of the interval's ends."""
    detail: Detail = "roomy"
    """Where intervals are shown."""

    @property
    def rounding(self) -> float:
        """How far a printed value may be from the exact one."""
        return float(0.5 / 10**self.digits)


@dataclass(frozen=True)
class PrintedRow:
    """One row of the paper."""

    label: str
    arm: Arm
    values: tuple[float | None, ...]
    """One a measure, in the unit of the print; None where the paper's text is not legible."""
    notes: tuple[str, ...] = ()
    """What qualifies it."""


@dataclass(frozen=True)
class Line:
    """One line of a table: a row of the paper, or one of ours."""

    printed: PrintedRow | None
    """The row of the paper that it is, or that it is compared with; None for an arm that the paper does not have."""
    row: ArmRow[Any] | None
    """Ours; None where this is the paper's own line."""
    estimates: tuple[Estimate | None, ...]
    """Our values, one a measure; empty on the paper's own line."""
    verdicts: tuple[Verdict, ...]
    """One a measure; empty on the paper's own line."""
    filled: bool
    """Of the paper's own line: whether there is a run of ours under a protocol that compares."""

    @property
    def label(self) -> str:
        """The name of the line."""
        if self.row is not None:
            return str(self.row.summary.label)
        return self.printed.label if self.printed else ""

    @property
    def comparable(self) -> bool:
        """Whether its values may be ranked with the paper's."""
        return self.row is None or not obstacles(self.row.summary)

    @property
    def protocol(self) -> str:
        """What ours was played under; "" on the paper's own line."""
        return "" if self.row is None else str(self.row.summary.protocol.name)

    def value(self, column: int, measures: Sequence[Measure]) -> float | None:
        """The value of one measure in the unit of the print."""
        if self.row is None:
            return self.printed.values[column] if self.printed else None
        estimate = self.estimates[column]
        return None if estimate is None else measures[column].scale * estimate.value


def compare(
    printed: Sequence[PrintedRow],
    rows: Sequence[ArmRow[Any]],
    measures: Sequence[Measure],
    estimates: Callable[[Any], Sequence[Estimate | None]],
) -> list[tuple[Line, ...]]:
    """Every row of the paper followed by ours of the same arm, then, a group a protocol, ours that it does not have.

    Args:
        printed: the paper's rows.
        rows: ours.
        measures: the columns.
        estimates: the values of a summary, one a measure.
    """
    groups = []
    for paper in printed:
        ours = [row for row in rows if row.arm == paper.arm]
        head = Line(paper, None, (), (), filled=any(row.summary.protocol.comparable == "yes" for row in ours))
        groups.append((head, *(_our_line(paper, row, measures, estimates) for row in ours)))
    arms = {paper.arm for paper in printed}
    others: dict[str, list[Line]] = {}
    for row in rows:
        if row.arm not in arms:
            line = _our_line(None, row, measures, estimates)
            others.setdefault(row.summary.protocol.name, []).append(line)
    return [*groups, *(tuple(lines) for lines in others.values())]


def best_values(groups: Sequence[Sequence[Line]], measures: Sequence[Measure]) -> Mapping[str, Sequence[float | None]]:
    """By `Line.protocol`, the highest printed value of every column that its lines may be ranked with.

    Ours are ranked with the paper's rows and with ours of the same protocol, never with ours of another one; the
    paper's rows with all that compare. None where no line has a value.
    """
    lines = [line for group in groups for line in group if line.comparable]

    def highest(rivals: Sequence[Line], column: int, measure: Measure) -> float | None:
        values = (line.value(column, measures) for line in rivals)
        return max((round(value, measure.digits) for value in values if value is not None), default=None)

    best = {}
    for protocol in {line.protocol for line in lines}:
        rivals = [line for line in lines if not protocol or line.protocol in ("", protocol)]
        best[protocol] = [highest(rivals, column, measure) for column, measure in enumerate(measures)]
    return best


def _our_line(
    paper: PrintedRow | None,
    row: ArmRow[Any],
    measures: Sequence[Measure],
    estimates: Callable[[Any], Sequence[Estimate | None]],
) -> Line:
    """One row of ours, compared with `paper`."""
    values = tuple(estimates(row.summary))
    against = obstacles(row.summary) if paper else (*obstacles(row.summary), NO_ROW)
    verdicts = tuple(
        judge(
            paper.values[column] if paper else None,
            values[column],
            scale=measure.scale,
            rounding=measure.rounding,
            obstacles=against,
        )
        for column, measure in enumerate(measures)
    )
    return Line(paper, row, values, verdicts, filled=True)
