"""The protocol of a campaign: every choice that shapes its scores, as the reports read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from real_robot_benchmark.tasks import Aggregation, RealTask, TaskSet
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import BLOCK, TABLE

PAPER_CASES, PAPER_TRIALS = 15, 3


def make_protocol(
    tasks: TaskSet, chosen: Sequence[RealTask], *, trials: int, aggregation: Aggregation
) -> EvaluationProtocol:
    """The protocol of a campaign over the tasks `chosen` from a task file.

    Args:
        tasks: the file.
        chosen: what is played, as `TaskSet.choose` gives it.
        trials: repetitions of every case.
        aggregation: how they become the result of a case.
    """
    return EvaluationProtocol(
        name=f"real-robot/{tasks.name}",
        benchmark="real_robot",
        summary=tasks.summary or f"{len(chosen)} tasks on a real robot",
        table=TABLE,
        comparable=_comparable(tasks, chosen, trials),
        settings={
            BLOCK: {"aggregation": aggregation, "tasks": [_task(task, trials) for task in chosen]},
            "scenes": {task.name: _scene(task) for task in chosen},
        },
    )


def _task(task: RealTask, trials: int) -> dict[str, Any]:
    """What scores."""
    entry: dict[str, Any] = {
        "id": task.name,
        "stages": list(task.stages),
        "cases": len(task.cases),
        "trials": trials,
    }
    if task.of is not None and task.disturbance is not None:
        entry |= {"of": task.of, "disturbance": task.disturbance.setup}
    return entry


def _scene(task: RealTask) -> dict[str, Any]:
    """What is prepared and said."""
    return {
        "instruction": task.instruction,
        "setup": task.setup,
        "cases": [case.setup for case in task.cases],
        "time_limit_s": task.time_limit_s,
    }


def _comparable(tasks: TaskSet, chosen: Sequence[RealTask], trials: int) -> str:
    """The word "yes", or why the results do not stand beside the paper's."""
    if not tasks.paper:
        return "the tasks are not the paper's"
    cases = sorted({len(task.cases) for task in chosen} - {PAPER_CASES})
    if cases:
        return f"{cases[0]} cases a task instead of {PAPER_CASES}"
    return "yes" if trials == PAPER_TRIALS else f"{trials} trials a case instead of {PAPER_TRIALS}"
