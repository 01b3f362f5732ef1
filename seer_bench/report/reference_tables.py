"""Published results of other policies below a table, one table an evaluation protocol.

Numbers of different protocols answer different questions and are never ranked in one column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from seer_bench.report import records
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Measure
from seer_bench.report.counts import Estimate
from seer_bench.report.document import ABSENT, Cell, Column, Notes, Row, Table, interval, plain
from seer_bench.report.reference import load_chain_reference, load_task_reference
from seer_bench.report.reference_rows import (
    ChainResult,
    ReferenceGroup,
    ReferenceRow,
    ReferenceTable,
    ResultT,
    TaskResult,
)

PUBLISHED = "Published results"
"""How the title of each of these tables begins."""

_UNRANKED = "These rows are not to be ranked: how many units or steps they stand for is not known."
_OURS = "Measured by this project under the same protocol."


class Owner(Protocol):
    """What the table above tells about rows of ours."""

    measures: tuple[Measure, ...]

    def estimates(self, summary: Any) -> Sequence[Estimate | None]:
        """The values of a row, one a measure."""


@dataclass(frozen=True)
class Published(Generic[ResultT]):
    """The published results that belong to one of the paper's tables."""

    table: ReferenceTable[ResultT]
    measures: tuple[Measure, ...]
    """Those of the paper's table that sources print."""
    values: Callable[[ResultT], Sequence[float | None]]
    """The numbers of one result, one a measure, in the unit of the print."""

    def tables(self, rows: Sequence[ArmRow[Any]], owner: Owner, notes: Notes) -> list[Table]:
        """One table a group that has rows, with ours of the same protocol below."""
        return _tables(self.table, rows, owner, notes, self.measures, self.values)

    def record(self) -> list[dict[str, Any]]:
        """The groups with their rows for JSON, see `seer_bench.report.records`."""
        return [
            {
                "group": group.key,
                "summary": group.summary,
                "protocols": list(group.protocols),
                "ranked": group.ranked,
                "rows": [self._row(row, ranked=group.ranked) for row in self.table.in_group(group.key)],
            }
            for group in self.table.groups
        ]

    def csv(self) -> str:
        """One line a published result, in a file of its own."""
        return _csv(self.record(), [measure.name for measure in self.measures])

    def _row(self, row: ReferenceRow[ResultT], *, ranked: bool) -> dict[str, Any]:
        """One published result for JSON."""
        pairs = zip(self.measures, self.values(row.result), strict=True)
        return {
            "method": row.method,
            "values": {m.name: None if value is None else round(value / m.scale, 6) for m, value in pairs},
            "checkpoints": row.checkpoints,
            "source": {"title": row.source.title, "where": row.source.where, "table": row.source.table},
            "verified": row.verified.how,
            "seen": list(row.verified.seen),
            "notes": _remarks(row, ranked=ranked),
        }


def published_chains(key: str, measures: tuple[Measure, ...]) -> Published[ChainResult]:
    """Published results on chains, all measures; `key` names the file."""
    return Published(load_chain_reference(key), measures, lambda result: (*result.rates, result.average_length))


def published_tasks(key: str, measures: tuple[Measure, ...]) -> Published[TaskResult]:
    """Published results on single tasks: the average alone, since few sources print the tasks."""
    return Published(load_task_reference(key), measures[-1:], lambda result: (result.average,))


def _csv(groups: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """The rows of `Published.record` as lines; `names` are the columns of numbers."""
    lines = []
    for group in groups:
        for row in group["rows"]:
            source = row["source"]
            line = {
                "method": row["method"],
                "group": group["group"],
                "protocols": " ".join(group["protocols"]),
                **row["values"],
                "checkpoints": row["checkpoints"],
                "source": ", ".join(text for text in (source["where"], source["table"]) if text),
                "verified": row["verified"],
                "notes": " ".join([f"{group['summary']}.", *row["notes"]]),
            }
            lines.append(line)
    columns = ["method", "group", "protocols", *names, "checkpoints", "source", "verified", "notes"]
    return records.csv_text(columns, lines)


def _tables(
    table: ReferenceTable[Any],
    rows: Sequence[ArmRow[Any]],
    owner: Owner,
    notes: Notes,
    measures: Sequence[Measure],
    values: Callable[[Any], Sequence[float | None]],
) -> list[Table]:
    """One table a group that has rows."""
    columns = (
        Column("Method", align="left"),
        *(Column(measure.heading, detail="page") for measure in measures),
        Column("Checkpoints", align="left"),
        Column("Source", align="left", fold=True),
    )
    tables = []
    for group in table.groups:
        published = tuple(
            _published(row, measures, values(row.result), notes, ranked=group.ranked)
            for row in table.in_group(group.key)
        )
        ours = tuple(_our_row(row, owner, measures, notes) for row in rows if _plays(row, group))
        if published:
            title = f"{PUBLISHED} on {table.title}: {group.summary}"
            tables.append(Table(title, columns, (published, ours) if ours else (published,), page=True))
    return tables


def _published(
    row: ReferenceRow[Any], measures: Sequence[Measure], values: Sequence[float | None], notes: Notes, *, ranked: bool
) -> Row:
    """One published result with all that its file says against it."""
    remarks = _remarks(row, ranked=ranked)
    cells = (Cell(_as_printed(value, measure.digits)) for value, measure in zip(values, measures, strict=True))
    source = row.source.where if row.source.table is None else f"{row.source.where}, {row.source.table}"
    marks = notes.number(plain(remark) for remark in remarks)
    return (Cell(plain(row.method), notes=marks), *cells, Cell(plain(row.checkpoints or "n/a")), Cell(plain(source)))


def _remarks(row: ReferenceRow[Any], *, ranked: bool) -> list[str]:
    """All that a row's file says against it."""
    remarks = [] if ranked else [_UNRANKED]
    if row.discrepancy:
        remarks.append(f"{row.method}: {row.discrepancy}.")
    if row.note:
        remarks.append(f"{row.method}: {row.note}.")
    if row.verified.how == "memory":
        remarks.append(f"{row.method}: from memory, not seen in print by this project.")
    return remarks


def _as_printed(value: float | None, digits: int) -> str:
    """A published number with the usual decimals, or with as many as its source prints where those are more."""
    if value is None:
        return "n/a"
    return f"{value:.{digits}f}" if round(value, digits) == value else f"{value:g}"


def _our_row(row: ArmRow[Any], owner: Owner, measures: Sequence[Measure], notes: Notes) -> Row:
    """One row of ours that was played under the group's protocol."""
    by_name = dict(zip(owner.measures, owner.estimates(row.summary), strict=True))
    cells = []
    for measure in measures:
        estimate = by_name[measure]
        if estimate is None:
            cells.append(Cell(ABSENT))
            continue
        ends = interval(estimate.low, estimate.high, digits=measure.interval_digits, scale=measure.scale)
        cells.append(Cell(f"{measure.scale * estimate.value:.{measure.digits}f}", ends))
    weights = f"best {len(row.choice.chosen)} of {row.choice.of}" if row.choice else "one" if _trained(row) else "none"
    marks = notes.number([_OURS])
    return (Cell(row.summary.label, notes=marks), *cells, Cell(weights), Cell(plain(row.summary.protocol.name)))


def _plays(row: ArmRow[Any], group: ReferenceGroup) -> bool:
    """Whether a row of ours answers the same question: the group's protocol, in full, by a policy like any other."""
    policy = row.summary.manifest.policy
    honest = row.summary.complete and not policy.privileged and not policy.fast
    return honest and row.summary.protocol.name in group.protocols


def _trained(row: ArmRow[Any]) -> bool:
    """Whether the policy has weights."""
    return row.summary.manifest.checkpoint is not None
