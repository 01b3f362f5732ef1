"""What a kind of table does: counts runs, words them beside the paper's rows, and writes them for machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from seer_bench.report.counts import RunSummary
from seer_bench.report.document import Document
from seer_bench.store import RunData

Summary = TypeVar("Summary", bound=RunSummary)


class PaperTable(ABC, Generic[Summary]):
    """One of the paper's tables, with room for our rows.

    Args:
        key: e.g. "table2"; protocols refer to it, and files are named after it.
        number: how the paper calls it, e.g. "Table 2".
    """

    unit: str
    """What a unit is called, e.g. "chain"."""

    def __init__(self, key: str, number: str) -> None:
        self.key = key
        self.number = number

    @abstractmethod
    def summarise(self, runs: Sequence[RunData]) -> Summary | None:
        """Merge the runs of one identity and count; None where no unit has an outcome.

        Raises:
            SeerBenchError: why they have no place in the table.
        """

    @abstractmethod
    def document(self, summaries: Sequence[Summary], problems: Sequence[str], *, found: int) -> Document:
        """Word everything; `summaries` in the order of the rows, `found` counts the run directories read."""

    @abstractmethod
    def record(self, summaries: Sequence[Summary]) -> Mapping[str, Any]:
        """The keys "notes", "paper" and "runs" of the table's JSON tree, see `seer_bench.report.records`."""

    @abstractmethod
    def csv(self, summaries: Sequence[Summary]) -> Mapping[str, str]:
        """CSV texts by the suffix of their file's name; "" for the table itself."""


@dataclass(frozen=True)
class TableReport(Generic[Summary]):
    """One table with every run that belongs to it."""

    table: PaperTable[Summary]
    summaries: tuple[Summary, ...]
    """The rows, in order: what compares with the paper first, then by protocol and label."""
    document: Document
    """The same, worded."""
