"""The running score of a session, and how fast it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from seer_bench.contracts import UnitResult
from seer_bench.report.chains import estimate_chain_rates, estimate_mean
from seer_bench.report.counts import Estimate, estimate_rate, score_tasks
from seer_bench.report.document import interval, percent, plain
from seer_bench.report.rollouts import estimate_average

PARTS = ("physics", "render", "policy")
"""What the time of a unit is split into; the rest is the harness'."""
_SCORE_S = 2.0
"""Seconds between two computations of the score, whose bootstrap would slow a fast simulator down."""


class Tally:
    """Counts what a session tells; works for chains of any length and for single tasks.

    Args:
        length: most subtasks of a unit, `EvaluationProtocol.chain_length`.
        total: units asked for.
        recorded: those with an outcome from earlier sessions.
        clock: seconds, from any start.
    """

    def __init__(self, length: int, total: int, recorded: Sequence[UnitResult], clock: Callable[[], float]) -> None:
        self.steps = 0
        """Control steps of this session."""
        self._total = total
        self._clock = clock
        self._started = clock()
        self._scored: dict[str, UnitResult] = {}
        self._errors: set[str] = set()
        self._faulty: set[str] = set()
        self._length = length
        self._seconds: Counter[str] = Counter()
        for result in recorded:
            self._count(result)
        self._before = len(self._scored)
        self._score: tuple[int, float, list[tuple[str, str]]] = (0, 0.0, [])

    def add(self, result: UnitResult) -> None:
        """Count an attempt of this session; a later one of the same unit replaces it."""
        self._count(result)
        for part in ("seconds", *PARTS):
            self._seconds[part] += result.run_info.get(part, 0.0)

    def _count(self, result: UnitResult) -> None:
        """Count an outcome or an error."""
        if result.outcome == "error":
            self._errors.add(result.unit_id)
            return
        self._errors.discard(result.unit_id)
        if result.error is not None:
            self._faulty.add(result.unit_id)
        self._scored[result.unit_id] = result

    @property
    def done(self) -> int:
        """Units with an outcome, those of earlier sessions included."""
        return len(self._scored)

    @property
    def total(self) -> int:
        """Units asked for."""
        return self._total

    @property
    def errors(self) -> int:
        """Units whose last attempt ended in an error."""
        return len(self._errors)

    @property
    def split(self) -> dict[str, float]:
        """Fractions of the playing time of this session's units, by part; empty before the first of them ended."""
        whole = self._seconds["seconds"]
        if whole <= 0:
            return {}
        parts = {part: self._seconds[part] / whole for part in PARTS}
        return {**parts, "harness": max(0.0, 1.0 - sum(parts.values()))}

    @property
    def elapsed(self) -> float:
        """Seconds since the session began."""
        return self._clock() - self._started

    @property
    def steps_per_second(self) -> float | None:
        """Control steps a second in this session; None before the first."""
        return self.steps / self.elapsed if self.steps and self.elapsed > 0 else None

    @property
    def remaining_seconds(self) -> float | None:
        """Time that the open units will take at this session's pace; None before its first outcome."""
        played = self.done - self._before
        if not played:
            return None
        return self.elapsed / played * max(0, self._total - self.done - len(self._errors))

    def facts(self, *, final: bool = False) -> list[tuple[str, str]]:
        """Names and values of everything worth showing, in order; the score is up to date where `final`."""
        facts = [("units", f"{self.done}/{self._total}"), *self._scores(final)]
        if (speed := self.steps_per_second) is not None:
            facts.append(("steps/s", f"{speed:,.0f}"))
        facts.append(("elapsed", duration(self.elapsed)))
        if not final and (left := self.remaining_seconds) is not None:
            facts.append(("ETA", duration(left)))
        facts.append(("errors", str(self.errors)))
        if self._faulty:
            facts.append(("policy faults", str(len(self._faulty))))
        return facts

    def _scores(self, final: bool) -> list[tuple[str, str]]:
        """The score, computed again only when it changed and some time has passed."""
        count, at, score = self._score
        now = self._clock()
        if self.done != count and (final or not score or now - at >= _SCORE_S):
            score = score_facts([self._scored[unit] for unit in sorted(self._scored)], self._length)
            self._score = (self.done, now, score)
        return score


def score_facts(results: Sequence[UnitResult], length: int) -> list[tuple[str, str]]:
    """The score of units with at most `length` subtasks; `results` all have an outcome and are not empty."""
    return chain_facts([result.solved for result in results], length) if length > 1 else rate_facts(results)


def task_lines(results: Sequence[UnitResult], length: int) -> list[str]:
    """A line for each task of units that are about one of several; none for chains, and none for a single task."""
    tasks = score_tasks(results) if length == 1 else ()
    if len(tasks) < 2:
        return []
    counts = [f"{task.successes}/{task.attempts}" for task in tasks]
    width = max(map(len, counts))
    return [
        f"{count:>{width}}  {percent(task.rate.value):>5} % {_bounds(task.rate, 1, 100):<12}  {plain(task.task)}"
        for count, task in zip(counts, tasks, strict=True)
    ]


def split_text(split: Mapping[str, float]) -> str:
    """Where the time went, e.g. "physics 61 %, render 20 %, policy 15 %, harness 4 %"."""
    return ", ".join(f"{part} {100 * share:.0f} %" for part, share in split.items())


def rate_facts(results: Sequence[UnitResult]) -> list[tuple[str, str]]:
    """The score of units about one task each: the rate or, of several tasks, the mean of their rates."""
    tasks = score_tasks(results)
    solved = sum(result.solved for result in results)
    if len(tasks) < 2:
        rate = estimate_rate(solved, len(results))
        return [("success rate", f"{percent(rate.value)} % {_bounds(rate, 1, 100)} ({solved}/{len(results)})")]
    mean = estimate_average(tasks)
    text = f"{percent(mean.value)} % {_bounds(mean, 1, 100)} over {len(tasks)} tasks ({solved}/{len(results)})"
    return [("Avg. Success", text)]


def chain_facts(solved: Sequence[int], positions: int) -> list[tuple[str, str]]:
    """The score of chains; `solved` holds the number of solved subtasks a chain and is not empty."""
    rates = estimate_chain_rates(solved, positions)
    in_a_row = ", ".join(f"{i}: {percent(rate.value)}" for i, rate in enumerate(rates, start=1))
    average = estimate_mean(solved)
    return [
        ("in a row, %", in_a_row),
        ("Avg. Len.", f"{average.value:.2f} {_bounds(average, 2)}"),
    ]


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, e.g. "1:02:05" or "2:05"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bounds(estimate: Estimate, digits: int, scale: float = 1.0) -> str:
    """The interval in brackets."""
    return f"[{interval(estimate.low, estimate.high, digits=digits, scale=scale)}]"
