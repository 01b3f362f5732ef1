"""The numbers that trackers are given: a running score without intervals, and the final one with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seer_bench.contracts import UnitResult
from seer_bench.report.chains import estimate_chain_rates, estimate_mean
from seer_bench.report.counts import Estimate, estimate_rate, score_tasks, scored
from seer_bench.report.rollouts import estimate_average
from seer_bench.store import RunData


@dataclass(frozen=True)
class Progress:
    """The state of a run directory after an attempt, units of earlier sessions included."""

    units: int
    """Units with an outcome."""
    errors: int
    """Units whose last attempt ended in an error of the infrastructure; they are not scored."""
    scores: Mapping[str, float]
    """Chains: "average_length" and, for every position, "success_rate/POSITION", the share of chains with at least so
    many subtasks solved. Single tasks: "success_rate", of several tasks the mean of their rates. Empty before the first
    outcome."""

    @property
    def numbers(self) -> dict[str, float]:
        """Everything, flat."""
        return {"units": self.units, "errors": self.errors, **self.scores}


@dataclass(frozen=True)
class Summary:
    """What a run directory holds at the end of a session."""

    units: int
    """Units with an outcome."""
    errors: int
    """Units without one, as the infrastructure failed."""
    complete: bool
    """Every unit that was asked for has an outcome; False after Ctrl-C or failures of the infrastructure."""
    scores: Mapping[str, Estimate]
    """Named as in `Progress`, and for every task that was tried "task/NAME", its success rate; with 95 % intervals, the
    ones that tables print."""

    @property
    def numbers(self) -> dict[str, float]:
        """Everything, flat; intervals as NAME_low and NAME_high, left out where there is too little to say."""
        flat: dict[str, float] = {"units": self.units, "errors": self.errors}
        for name, estimate in self.scores.items():
            flat[name] = estimate.value
            if estimate.low is not None and estimate.high is not None:
                flat |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return flat


class RunningScore:
    """Counts attempts one by one, each in constant time.

    Args:
        length: most subtasks of a unit, `EvaluationProtocol.chain_length`.
        recorded: what the run directory holds already, errors included.
    """

    def __init__(self, length: int, recorded: Iterable[UnitResult]) -> None:
        self._length = length
        self._units = 0
        self._errors: set[str] = set()
        self._lengths: Counter[int] = Counter()
        self._tried: Counter[str] = Counter()
        self._solved: Counter[str] = Counter()
        for result in recorded:
            self.add(result)

    def add(self, result: UnitResult) -> None:
        """Count an attempt at a unit that had no outcome so far."""
        if result.outcome == "error":
            self._errors.add(result.unit_id)
            return
        self._errors.discard(result.unit_id)
        self._units += 1
        self._lengths[result.solved] += 1
        for subtask in result.subtasks:
            self._tried[subtask.task] += 1
            self._solved[subtask.task] += subtask.success

    @property
    def progress(self) -> Progress:
        """The state after what was added."""
        return Progress(self._units, len(self._errors), self._scores() if self._units else {})

    def _scores(self) -> dict[str, float]:
        """The scores of at least one unit."""
        if self._length == 1:
            # A unit may have failed before its first step, so that it names no task; `report` counts it the same way.
            if len(self._tried) < 2:
                return {"success_rate": self._lengths[1] / self._units}
            return {"success_rate": sum(self._solved[t] / n for t, n in self._tried.items()) / len(self._tried)}
        scores = {"average_length": sum(k * n for k, n in self._lengths.items()) / self._units}
        for position in range(1, self._length + 1):
            reached = sum(n for k, n in self._lengths.items() if k >= position)
            scores[f"success_rate/{position}"] = reached / self._units
        return scores


def summarise(run: RunData, *, complete: bool) -> Summary:
    """The final values of a run directory; see `Summary`."""
    results = scored(run.results.values())
    scores: dict[str, Estimate] = {}
    if results:
        length = run.manifest.protocol.chain_length
        solved = [result.solved for result in results]
        tasks = score_tasks(results)
        if length > 1:
            scores["average_length"] = estimate_mean(solved)
            for position, rate in enumerate(estimate_chain_rates(solved, length), start=1):
                scores[f"success_rate/{position}"] = rate
        else:
            many = len(tasks) > 1
            scores["success_rate"] = estimate_average(tasks) if many else estimate_rate(sum(solved), len(solved))
        scores |= {f"task/{task.task}": task.rate for task in tasks}
    return Summary(len(results), len(run.results) - len(results), complete, scores)
