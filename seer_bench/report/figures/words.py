"""What figures say: names, titles and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.counts import RunSummary
from seer_bench.report.document import count, plain
from seer_bench.report.verdict import obstacles

APART = "Not comparable with the paper's rows"

_CHOSEN = (
    "Best k of m: mean of the best k of m checkpoints, selected on the test set; the table of the same name has the "
    "unselected mean."
)


def compared_title(names: Iterable[str]) -> str:
    """The title of what compares, with the protocols of our rows."""
    protocols = ", ".join(dict.fromkeys(plain(name) for name in names))
    return f"Comparable with the paper's rows: {protocols}" if protocols else "The paper's rows"


def apart_title(protocol: str) -> str:
    """The title of rows of one protocol that do not compare."""
    return f"{APART}: {plain(protocol)}"


def detail(summary: RunSummary, *, protocol: bool = False) -> str:
    """How many units, and what else qualifies a row; why its protocol does not compare is said in the notes.

    Args:
        summary: the row.
        protocol: whether its name is said too, which the title has where all rows share it.
    """
    reasons = [why for why in obstacles(summary) if why not in (_protocol_reason(summary), "partial run")]
    names = [summary.protocol.name] if protocol else []
    return ", ".join([units(summary.n, summary.planned), *map(plain, [*names, *reasons])])


def units(n: int, planned: int) -> str:
    """How many units, of how many where some are missing; in one piece."""
    return together(f"n = {count(n)}" + ("" if n == planned else f" of {count(planned)}"))


def together(text: str) -> str:
    """The text without places where a line may break."""
    return text.replace(" ", "\u00a0")


def notes(rows: Sequence[ArmRow[Any]], intervals: str, *, joint: bool = True) -> tuple[str, ...]:
    """What the marks are, and what qualifies the rows.

    Args:
        rows: ours.
        intervals: what kind they are, for the brackets behind "95 % intervals".
        joint: whether rows of several checkpoints have another kind.
    """
    marks = "Open marks: as printed in the paper, which gives no intervals."
    texts = [f"Filled marks: ours, with 95 % intervals ({intervals}). {marks}" if rows else marks]
    if joint and any(row.choice is not None for row in rows):
        texts.append("Rows of several checkpoints: Agresti and Coull's interval for the checkpoints together.")
    if any(row.choice is not None and row.choice.made for row in rows):
        texts.append(_CHOSEN)
    return (*texts, *protocol_notes(row.summary for row in rows))


def protocol_notes(summaries: Iterable[RunSummary]) -> tuple[str, ...]:
    """Why protocols do not compare, each once."""
    found = {plain(summary.protocol.name): _protocol_reason(summary) for summary in summaries}
    return tuple(f"{name}: {plain(reason)}." for name, reason in found.items() if reason)


def _protocol_reason(summary: RunSummary) -> str:
    """Why the protocol of a row does not compare; "" where it does."""
    comparable = summary.protocol.comparable
    return "" if comparable == "yes" else comparable.rstrip(".")
