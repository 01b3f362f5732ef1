"""A table of our rows beside the paper's for machines: its JSON tree and its CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from seer_bench.report import records
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Line, Measure
from seer_bench.report.verdict import Verdict

if TYPE_CHECKING:
    from seer_bench.report.compared_table import ComparedTable

Rows = Sequence[ArmRow[Any]]
_ENDS = ("", "_low", "_high")


def tree(table: ComparedTable, rows: Rows) -> Mapping[str, Any]:
    """The table's own keys of its JSON tree, see `seer_bench.report.records`."""
    return {
        "notes": list(table.notes),
        "measures": [{"name": m.name, "heading": m.heading, "scale": m.scale} for m in table.measures],
        "paper": [
            {
                "label": paper.label,
                "arm": dict(paper.arm.pairs),
                "values": _printed(table, paper.values),
                "notes": list(paper.notes),
            }
            for paper in table.printed
        ],
        "arms": [_arm(table, line, line.row) for group in table.lines(rows) for line in group if line.row is not None],
        "runs": [
            {
                **records.run_record(run, table.run_notes(run)),
                "values": _by_name(table, [e and asdict(e) for e in table.estimates(run)]),
                **table.extra_columns(run),
            }
            for row in rows
            for run in row.runs
        ],
    }


def lines(table: ComparedTable, rows: Rows) -> str:
    """CSV text: a line a row of the paper and of ours."""
    found: list[dict[str, Any]] = []
    extra: list[str] = []
    for line in (line for group in table.lines(rows) for line in group):
        if line.row is not None:
            more = table.extra_columns(line.row.summary)
            extra = list(more)
            notes = " ".join(table.line_notes(line, line.row))
            found.append({**_columns(table, line, line.row), **more, "notes": notes})
        elif line.printed is not None:
            notes = " ".join((*table.notes, *line.printed.notes))
            values = _printed(table, line.printed.values)
            found.append({"method": line.printed.label, "protocol": "paper", **values, "notes": notes})
    values_columns = [f"{m.name}{end}" for m in table.measures for end in (*_ENDS, "_difference", "_verdict")]
    unselected = [f"unselected_{table.measures[-1].name}{end}" for end in _ENDS]
    head = ["method", "paper_row", "protocol", "checkpoints", "selected", *values_columns, *unselected]
    return records.csv_text([*head, "n", "planned", *extra, "notes"], found)


def _columns(table: ComparedTable, line: Line, row: ArmRow[Any]) -> dict[str, Any]:
    """The CSV columns of one row of ours that every table has."""
    cells: dict[str, Any] = {
        "method": row.summary.label,
        "paper_row": line.printed.label if line.printed else None,
        "protocol": row.summary.protocol.name,
        "checkpoints": len(row.runs),
        "selected": len(row.choice.chosen) if row.choice else len(row.runs),
        "n": row.summary.n,
        "planned": row.summary.planned,
    }
    for measure, estimate, verdict in zip(table.measures, line.estimates, line.verdicts, strict=True):
        if estimate is not None:
            cells |= records.interval_columns(measure.name, estimate)
        cells[f"{measure.name}_verdict"] = verdict.word
        cells[f"{measure.name}_difference"] = _unscaled(verdict.difference, measure)
    if row.choice:
        cells |= records.interval_columns(f"unselected_{table.measures[-1].name}", row.choice.unselected)
    return cells


def _arm(table: ComparedTable, line: Line, row: ArmRow[Any]) -> dict[str, Any]:
    """One row of ours for JSON."""
    compared = [
        None if estimate is None else {**asdict(estimate), **_verdict(verdict, measure)}
        for measure, estimate, verdict in zip(table.measures, line.estimates, line.verdicts, strict=True)
    ]
    return {
        "label": row.summary.label,
        "arm": dict(row.arm.pairs),
        "paper_row": line.printed.label if line.printed else None,
        "protocol": row.summary.protocol.name,
        "n": row.summary.n,
        "planned": row.summary.planned,
        "complete": row.summary.complete,
        "values": _by_name(table, compared),
        "checkpoints": [run.label for run in row.runs],
        "selection": records.choice_record(row),
        "notes": list(table.line_notes(line, row)),
    }


def _printed(table: ComparedTable, values: Sequence[float | None]) -> dict[str, Any]:
    """The paper's values of one row as fractions, by the names of their measures."""
    return _by_name(table, [_unscaled(value, m) for value, m in zip(values, table.measures, strict=True)])


def _by_name(table: ComparedTable, values: Sequence[Any]) -> dict[str, Any]:
    """Values by the names of their measures."""
    return {measure.name: value for value, measure in zip(values, table.measures, strict=True)}


def _unscaled(value: float | None, measure: Measure) -> float | None:
    """A printed number as a fraction, or as subtasks; rounded to undo the noise of the division."""
    return None if value is None else round(value / measure.scale, 6)


def _verdict(verdict: Verdict, measure: Measure) -> dict[str, Any]:
    """One verdict for JSON, its difference as a fraction, or as subtasks."""
    return {
        "verdict": verdict.word,
        "reason": verdict.reason,
        "difference": _unscaled(verdict.difference, measure),
    }
