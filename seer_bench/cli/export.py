"""`seer-bench export`: the records of a run as a table."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


class Rows(str, Enum):
    """What a row is."""

    units = "units"
    subtasks = "subtasks"


def export(
    run: Annotated[Path, typer.Argument(help="Run directory, or a folder that holds the shards of one run.")],
    out: Annotated[Path, typer.Option(help="File to write, .csv or .parquet (which needs: pip install pyarrow).")],
    rows: Annotated[Rows, typer.Option(help="One row a unit, or one row an attempted subtask.")] = Rows.units,
) -> None:
    """Write the standing results of a run as CSV or Parquet, for pandas, R or a spreadsheet."""
    from seer_bench.store import export as write
    from seer_bench.store import find_runs, merge_runs, read_run

    merged = merge_runs([read_run(path) for path in find_runs([run])])
    write(merged, out, rows=rows.value)
    stdout().print(f"written: {out}", markup=False, soft_wrap=True)
