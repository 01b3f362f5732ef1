"""What the trackers that come with seer-bench log about one unit."""

from __future__ import annotations

from seer_bench.contracts import UnitResult


def unit_numbers(result: UnitResult) -> dict[str, float]:
    """Solved subtasks, control steps and seconds of a unit; empty for an attempt that ended in an error."""
    if result.outcome == "error":
        return {}
    numbers: dict[str, float] = {
        "unit/solved": result.solved,
        "unit/steps": sum(subtask.steps for subtask in result.subtasks),
    }
    if "seconds" in result.run_info:
        numbers["unit/seconds"] = result.run_info["seconds"]
    return numbers
