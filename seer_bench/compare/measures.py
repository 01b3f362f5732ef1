"""What is compared on a protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from seer_bench.compare.arm import is_campaign
from seer_bench.contracts import UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Campaign


@dataclass(frozen=True)
class Measure:
    """One score of a unit, and how its mean is shown."""

    key: str
    """Its name for machines."""
    heading: str
    """Its name in tables."""
    score: Callable[[UnitResult], float]
    """The score of one outcome, a whole number."""
    top: int
    """The highest possible score."""
    scale: float = 1
    """What a mean is multiplied by when shown."""
    digits: int = 2
    """Decimals shown."""

    @property
    def name(self) -> str:
        """Its name in sentences."""
        return self.heading.removesuffix(", %")


def measures(protocol: EvaluationProtocol) -> tuple[Measure, ...]:
    """What is compared on a protocol; the first one decides, the others describe."""
    length = protocol.chain_length
    if length > 1:
        rates = (Measure(f"rate_{i}", f"{i} in a row, %", partial(reached, i), 1, 100, 1) for i in range(1, length + 1))
        return (Measure("average_length", "Avg. Len.", solved_subtasks, length), *rates)
    rate = Measure("success_rate", "Success rate, %", success, 1, 100, 1)
    if is_campaign(protocol):
        stages = max(len(task.stages) for task in Campaign.of(protocol).tasks)
        return rate, Measure("stages", "Completed stages", solved_subtasks, stages)
    return (rate,)


def success(result: UnitResult) -> float:
    """1 where everything was solved."""
    return float(result.outcome == "success")


def solved_subtasks(result: UnitResult) -> float:
    """How many subtasks were solved."""
    return float(result.solved)


def reached(position: int, result: UnitResult) -> float:
    """1 where at least so many subtasks were solved."""
    return float(result.solved >= position)
