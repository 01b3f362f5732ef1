"""Results as flat tables, for pandas, R or a spreadsheet."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from seer_bench.contracts import UnitResult
from seer_bench.errors import StoreError, UsageError
from seer_bench.store._files import write_atomic
from seer_bench.store.run import RunData


def export(run: RunData, path: Path, *, rows: Literal["units", "subtasks"] = "units") -> None:
    """Write a run's standing results as a table: CSV or Parquet, by the suffix of `path`.

    Args:
        run: what `read_run` or `merge_runs` gave.
        path: the file to write; it is replaced when the new one is whole.
        rows: one row a unit, or one row an attempted subtask.

    Raises:
        UsageError: the suffix is neither .csv nor .parquet, or Parquet's package is not installed.
        StoreError: the file cannot be written.
    """
    import pandas as pd

    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{path}: the suffix '{path.suffix}' is unknown. Name a .csv or a .parquet file.")
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: no such directory. Make it first: mkdir -p {path.parent}")
    make, columns = _TABLES[rows]
    common = {"protocol": run.manifest.protocol.name, "policy": run.manifest.policy.name}
    table = pd.DataFrame(
        [common | row for result in run.results.values() for row in make(result)],
        columns=[*common, *columns],
    )
    if path.suffix == ".csv":
        write_atomic(path, table.to_csv(index=False).encode())
        return
    buffer = io.BytesIO()
    try:
        table.to_parquet(buffer, index=False)
    except ImportError as error:
        raise UsageError(
            f"{path}: Parquet needs the package 'pyarrow', which is not installed. "
            "Install it with: pip install pyarrow - or name a .csv file."
        ) from error
    write_atomic(path, buffer.getvalue())


def _unit_rows(result: UnitResult) -> list[dict[str, Any]]:
    """One row for the unit."""
    return [
        {
            "unit_id": result.unit_id,
            "attempt": result.attempt,
            "outcome": result.outcome,
            "solved": result.solved,
            "steps": sum(subtask.steps for subtask in result.subtasks),
            "seed": result.seed,
            "actions_out_of_range": result.actions_out_of_range,
            "error_kind": result.error.kind if result.error else None,
            "error": result.error.message if result.error else None,
        }
    ]


def _subtask_rows(result: UnitResult) -> list[dict[str, Any]]:
    """One row for each attempted subtask."""
    return [
        {"unit_id": result.unit_id, "outcome": result.outcome, "position": position, **vars(subtask)}
        for position, subtask in enumerate(result.subtasks, start=1)
    ]


_TABLES: dict[str, tuple[Callable[[UnitResult], list[dict[str, Any]]], list[str]]] = {
    "units": (
        _unit_rows,
        [
            "unit_id", "attempt", "outcome", "solved", "steps", "seed", "actions_out_of_range", "error_kind", "error",
        ],
    ),
    "subtasks": (_subtask_rows, ["unit_id", "outcome", "position", "task", "instruction", "success", "steps"]),
}  # fmt: skip
