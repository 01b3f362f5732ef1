"""A CSV text as a Parquet file of the same columns, each with the type that it always has."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.util import find_spec

MISSING = "Parquet files need: pip install pyarrow"
"""What is to be said where the library is not there."""

_TEXTS = frozenset(
    {
        "aggregation",
        "benchmark",
        "disturbance",
        "fraction",
        "group",
        "label",
        "method",
        "notes",
        "obstacles",
        "of",
        "paper_row",
        "protocol",
        "protocols",
        "series",
        "source",
        "task",
        "verified",
    }
)
_COUNTS = frozenset(
    {
        "actions_out_of_range",
        "attempts",
        "cases",
        "checkpoints",
        "demos",
        "errors",
        "n",
        "planned",
        "planned_cases",
        "policy_errors",
        "selected",
        "successes",
        "tasks_planned",
        "trials",
    }
)


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("pyarrow") is not None


def render(text: str) -> bytes:
    """The columns of a CSV text with a header; texts, whole numbers or floats by their names, empty cells as null."""
    import pyarrow
    from pyarrow import parquet

    header, *lines = csv.reader(io.StringIO(text))
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(header)
    arrays = []
    for name, cells in zip(header, columns, strict=True):
        kind = kind_of(name, cells)
        read = {"text": str, "count": int, "number": float}[kind]
        values = [read(cell) if cell != "" else None for cell in cells]
        types = {"text": pyarrow.string(), "count": pyarrow.int64(), "number": pyarrow.float64()}
        arrays.append(pyarrow.array(values, type=types[kind]))
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, names=header), file)
    return file.getvalue()


def kind_of(name: str, cells: Sequence[str]) -> str:
    """One of "text", "count" and "number"; the cells decide only where some of them are no numbers."""
    kind = "text" if name in _TEXTS or name.endswith("_verdict") else "count" if name in _COUNTS else "number"
    try:
        for cell in cells:
            if cell and kind != "text":
                int(cell) if kind == "count" else float(cell)
    except ValueError:
        return "text"
    return kind
