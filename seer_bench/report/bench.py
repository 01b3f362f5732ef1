"""What a measurement of the machine says, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.counts import scored
from seer_bench.report.tally import duration
from seer_bench.store import RunData


def curve(first: str, columns: Sequence[str], rows: Sequence[tuple[int, Sequence[float]]]) -> Table:
    """A table of speeds: a count in the first column, then numbers."""
    table = Table(box=None, pad_edge=False)
    for heading in (first, *columns):
        table.add_column(heading, justify="right")
    for size, values in rows:
        table.add_row(str(size), *(_number(value) for value in values))
    return table


def time_lines(
    protocol: EvaluationProtocol, units: int, steps_per_second: float, like: RunData | None = None
) -> list[str]:
    """How long the full protocol takes at a speed: at most, and as long as the units of an existing run."""
    lines = []
    if (limit := protocol.step_limit) is None:
        lines.append(f"{protocol.name} declares no step limit a unit, so there is no worst case to compute")
    else:
        worst = duration(units * limit / steps_per_second)
        lines.append(f"{units:,} units take at most {worst} (every one to its limit of {limit:,} steps)")
    if like is not None:
        results = scored(like.results.values())
        if results:
            mean = sum(subtask.steps for r in results for subtask in r.subtasks) / len(results)
            time = duration(units * mean / steps_per_second)
            lines.append(f"and {time} with {mean:,.0f} steps a unit, the mean of {len(results):,} units in {like.path}")
        else:
            lines.append(f"{like.path} holds no outcome yet, so it has no mean number of steps")
    return lines


def _number(value: float) -> str:
    """Short, with enough digits for small ones."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
