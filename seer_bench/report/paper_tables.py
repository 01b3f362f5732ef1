"""The paper's numbers: typed, and checked against their own arithmetic when they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from seer_bench.errors import UsageError
from seer_bench.report import arithmetic

SOURCE = "tables.yaml"


@dataclass(frozen=True)
class PaperChainRow:
    """One method's row in a table of chains."""

    method: str
    rates: tuple[float | None, ...]
    """Percent of chains with at least 1, 2, ... solved subtasks; None where the paper's text is not legible."""
    average_length: float | None
    """Mean number of solved subtasks a chain; None where not legible."""


@dataclass(frozen=True)
class PaperChainTable:
    """A table of chains as the paper prints it."""

    key: str
    """E.g. "table2"; what `EvaluationProtocol.table` refers to."""
    title: str
    metric: str
    """What the numbers are, in the paper's sense."""
    rows: tuple[PaperChainRow, ...]

    @property
    def length(self) -> int:
        """Number of subtasks in a chain."""
        return len(self.rows[0].rates)


@dataclass(frozen=True)
class PaperAblationRow:
    """One row of an ablation: which objectives were trained with, and the chains that followed."""

    foresight: bool
    """Whether the loss of the conditional visual foresight (L_fore) was used."""
    inverse: bool
    """Whether the loss of the inverse dynamics prediction (L_inv) was used."""
    rates: tuple[float | None, ...]
    """Percent of chains with at least 1, 2, ... solved subtasks; None where not legible."""
    average_length: float | None
    """Mean number of solved subtasks a chain; None where not legible."""


@dataclass(frozen=True)
class PaperAblationTable:
    """An ablation of the objectives as the paper prints it."""

    key: str
    """"table3a" (objectives of the fine-tuning) or "table3b" (of the pre-training)."""
    title: str
    rows: tuple[PaperAblationRow, ...]

    @property
    def length(self) -> int:
        """Number of subtasks in a chain."""
        return len(self.rows[0].rates)


@dataclass(frozen=True)
class PaperTask:
    """One column of a table of tasks."""

    label: str
    """The paper's words."""
    task: str
    """The benchmark's name, as records hold it."""


@dataclass(frozen=True)
class PaperTaskRow:
    """One method's row in a table of tasks."""

    method: str
    average: float | None
    """Mean of the tasks' success rates, percent; None where the paper's text is not legible."""
    rates: tuple[float | None, ...]
    """Success rate of each task, percent; None where not legible."""


@dataclass(frozen=True)
class PaperTaskTable:
    """A table of single tasks as the paper prints it."""

    key: str
    """E.g. "table1"; what `EvaluationProtocol.table` refers to."""
    title: str
    metric: str
    """What the numbers are, in the paper's sense."""
    tasks: tuple[PaperTask, ...]
    """The columns."""
    rows: tuple[PaperTaskRow, ...]


@cache
def load_chain_table(key: str) -> PaperChainTable:
    """The packaged table of chains called `key`; raises UsageError as `parse_chain_table`, or where there is none."""
    return parse_chain_table(key, load_entry(key), source=SOURCE)


@cache
def load_ablation_table(key: str) -> PaperAblationTable:
    """The packaged ablation called `key`; raises UsageError as `parse_ablation_table`, or where there is none."""
    return parse_ablation_table(key, load_entry(key), source=SOURCE)


@cache
def load_task_table(key: str) -> PaperTaskTable:
    """The packaged table of tasks called `key`; raises UsageError as `parse_task_table`, or where there is none."""
    return parse_task_table(key, load_entry(key), source=SOURCE)


def parse_chain_table(key: str, data: Mapping[str, Any], *, source: str) -> PaperChainTable:
    """Read one table of chains and check that rates fall and that every average length is the sum of its rates.

    Raises:
        UsageError: naming `source`, the row, the printed and the computed value.
    """
    rows = tuple(
        PaperChainRow(row["method"], *_chain(f"{source}: {key}, row '{row['method']}'", row["values"], columns))
        for columns, row in _chain_rows(key, data, source)
    )
    return PaperChainTable(key, data["title"], data["metric"], rows)


def parse_ablation_table(key: str, data: Mapping[str, Any], *, source: str) -> PaperAblationTable:
    """Read one ablation of chains, checked as `parse_chain_table` does; a pair of objectives may stand there once.

    Raises:
        UsageError: naming `source`, the row, the printed and the computed value.
    """
    rows = tuple(
        PaperAblationRow(
            row["l_fore"],
            row["l_inv"],
            *_chain(f"{source}: {key}, row l_fore={row['l_fore']} l_inv={row['l_inv']}", row["values"], columns),
        )
        for columns, row in _chain_rows(key, data, source)
    )
    if len({(row.foresight, row.inverse) for row in rows}) < len(rows):
        raise UsageError(f"{source}: {key} repeats a pair of objectives.")
    return PaperAblationTable(key, data["title"], rows)


def parse_task_table(key: str, data: Mapping[str, Any], *, source: str) -> PaperTaskTable:
    """Read one table of tasks and check that every average is the mean of its rates.

    Raises:
        UsageError: naming `source`, the row, the printed and the computed value.
    """
    if not data["tasks"] or not data["rows"]:
        raise UsageError(f"{source}: {key} has {len(data['tasks'])} tasks and {len(data['rows'])} rows; it needs some.")
    tasks = tuple(PaperTask(task["label"], task["task"]) for task in data["tasks"])
    rows = tuple(_task_row(key, row, len(tasks), source) for row in data["rows"])
    return PaperTaskTable(key, data["title"], data["metric"], tasks, rows)


def load_entry(key: str) -> Mapping[str, Any]:
    """One table of the packaged file."""
    tree = yaml.safe_load((files("seer_bench.report") / "paper" / SOURCE).read_text(encoding="utf-8"))
    if key not in tree:
        raise UsageError(f"{SOURCE} holds no table '{key}'; it holds {', '.join(tree)}.")
    table: Mapping[str, Any] = tree[key]
    return table


def _chain_rows(key: str, data: Mapping[str, Any], source: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Every row of a table of chains behind the number of its columns."""
    expected = [*(str(i + 1) for i in range(len(data["columns"]) - 1)), "avg_len"]
    if data["columns"] != expected:
        raise UsageError(f"{source}: {key} has the columns {data['columns']}; a table of chains has {expected}.")
    if not data["rows"]:
        raise UsageError(f"{source}: {key} has no rows.")
    return [(len(expected), row) for row in data["rows"]]


def _chain(where: str, values: Sequence[float | None], columns: int) -> tuple[tuple[float | None, ...], float | None]:
    """Rates and average length, refused where a rate rises or the length is not the sum of the rates."""
    if len(values) != columns:
        raise UsageError(f"{where} has {len(values)} values for {columns} columns.")
    *rates, average = values
    rise = arithmetic.first_rise(rates)
    if rise is not None:
        raise UsageError(f"{where}: rate {rise + 1} exceeds the one before it ({rates}); rates can only fall.")
    known = arithmetic.complete(rates)
    if average is not None and known is not None:
        computed, slack = arithmetic.average_length(known), arithmetic.length_slack(len(rates))
        if not arithmetic.agrees(average, computed, slack):
            raise UsageError(
                f"{where} gives an average length of {average}, but its rates sum to {computed:.3f}; "
                f"rounding explains a difference of at most {slack:.4f}."
            )
    return tuple(rates), average


def _task_row(key: str, row: Mapping[str, Any], columns: int, source: str) -> PaperTaskRow:
    """One row, refused where the average is not the mean of the rates within rounding."""
    method, average, rates = row["method"], row["avg"], tuple(row["tasks"])
    if len(rates) != columns:
        raise UsageError(f"{source}: {key}, row '{method}' has {len(rates)} rates for {columns} tasks.")
    known = arithmetic.complete(rates)
    if average is not None and known is not None:
        computed, slack = arithmetic.mean(known), 2 * arithmetic.RATE_ROUNDING
        if not arithmetic.agrees(average, computed, slack):
            raise UsageError(
                f"{source}: {key}, row '{method}' gives an average of {average}, but its rates have the mean "
                f"{computed:.2f}; rounding explains a difference of at most {slack}."
            )
    return PaperTaskRow(method, average, rates)
