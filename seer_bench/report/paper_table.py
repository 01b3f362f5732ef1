"""What a table or figure of the paper does: takes the rows of runs, words them, and writes them for machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from seer_bench.report.arms import Arm
from seer_bench.report.checkpoints import ArmRow, Choice
from seer_bench.report.counts import RunSummary
from seer_bench.report.document import Document
from seer_bench.store import RunData

Summary = TypeVar("Summary", bound=RunSummary)


@dataclass(frozen=True)
class Source(Generic[Summary]):
    """A kind of runs: those whose protocol names a certain table."""

    key: str
    """What `EvaluationProtocol.table` holds, e.g. "table2"."""
    unit: str
    """What a unit is called, e.g. "chain"."""
    summarise: Callable[[Sequence[RunData]], Summary | None]
    """Merges the runs of one identity and counts; None where no unit has an outcome; raises SeerBenchError."""
    combine: Callable[[Sequence[Summary]], tuple[Summary, Choice]]
    """One row for several checkpoints; raises UsageError."""


@dataclass(frozen=True)
class Findings:
    """What a report knows beside the rows of a table."""

    problems: tuple[str, ...] = ()
    """What could not be reported, in words."""
    found: int = 0
    """Run directories that may belong to the table, those left out among them."""
    policies: frozenset[str] = frozenset()
    """Names of installed policies."""


class PaperTable(ABC):
    """One of the paper's tables or figures, with room for our rows.

    Args:
        key: e.g. "table2"; files are named after it.
        number: how the paper calls it, e.g. "Table 2".
        sources: keys of the sources whose runs it shows.
    """

    unit: str
    """What a unit is called, e.g. "chain"."""

    def __init__(self, key: str, number: str, sources: Collection[str]) -> None:
        self.key = key
        self.number = number
        self.sources = tuple(sources)

    family: Mapping[str, str] = MappingProxyType({})
    """Attributes that every arm in it has."""
    varied: Collection[str] | None = None
    """Further attributes that may set its arms apart; None for any."""

    def shows(self, arm: Arm) -> bool:
        """Whether rows of this arm belong here."""
        if any(arm[key] != value for key, value in self.family.items()):
            return False
        return self.varied is None or arm.varies_only({*self.varied, *self.family})

    def own(self, rows: Iterable[ArmRow[Any]]) -> list[ArmRow[Any]]:
        """Those of some rows that belong here, as they are shown here."""
        return [row for row in rows if self.shows(row.arm)]

    @abstractmethod
    def document(self, rows: Sequence[ArmRow[Any]], findings: Findings) -> Document:
        """Word everything; `rows` in their order."""

    @abstractmethod
    def record(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, Any]:
        """The table's own keys of its JSON tree, see `seer_bench.report.records`."""

    @abstractmethod
    def csv(self, rows: Sequence[ArmRow[Any]]) -> Mapping[str, str]:
        """CSV texts by the suffix of their file's name; "" for the table itself."""


@dataclass(frozen=True)
class TableReport:
    """One table with every row that belongs to it."""

    table: PaperTable
    rows: tuple[ArmRow[Any], ...]
    """In order: what compares with the paper first, then by protocol and label."""
    document: Document
    """The same, worded."""

    @property
    def summaries(self) -> tuple[Any, ...]:
        """The runs behind the rows, one a checkpoint, in the order of the rows."""
        return tuple(run for row in self.rows for run in row.runs)
