"""The running score of a session, and how fast it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from seer_bench.contracts import UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.chains import Estimate, estimate_chain_rates, estimate_mean, estimate_rate
from seer_bench.report.document import interval, percent

PARTS = ("physics", "render", "policy")
"""What the time of a unit is split into; the rest is the harness'."""
_SCORE_S = 2.0
"""Seconds between two computations of the score, whose bootstrap would slow a fast simulator down."""


class Tally:
    """Counts what a session tells; works for chains of any length and for single subtasks."""

    def __init__(self, length: int, total: int, recorded: Sequence[UnitResult], clock: Callable[[], float]) -> None:
        self.steps = 0
        """Control steps of this session."""
        self._total = total
        self._clock = clock
        self._started = clock()
        self._solved: dict[str, int] = {}
        self._errors: set[str] = set()
        self._faulty: set[str] = set()
        self._length = length
        self._seconds: Counter[str] = Counter()
        for result in recorded:
            self._count(result)
        self._before = len(self._solved)
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
        self._solved[result.unit_id] = result.solved

    @property
    def done(self) -> int:
        """Units with an outcome, those of earlier sessions included."""
        return len(self._solved)

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
            solved = [self._solved[unit] for unit in sorted(self._solved)]
            score = score_facts(solved, self._length)
            self._score = (self.done, now, score)
        return score


def chain_length(protocol: EvaluationProtocol) -> int:
    """Subtasks a unit; 1 where the protocol speaks of no chains."""
    return int(protocol.settings.get("chain", {}).get("length", 1))


def score_facts(solved: Sequence[int], length: int) -> list[tuple[str, str]]:
    """The score of units of `length` subtasks; `solved` is not empty."""
    return chain_facts(solved, length) if length > 1 else rate_facts(solved)


def split_text(split: Mapping[str, float]) -> str:
    """Where the time went, e.g. "physics 61 %, render 20 %, policy 15 %, harness 4 %"."""
    return ", ".join(f"{part} {100 * share:.0f} %" for part, share in split.items())


def rate_facts(solved: Sequence[int]) -> list[tuple[str, str]]:
    """The score of single subtasks; `solved` holds 0 or 1 a unit and is not empty."""
    rate = estimate_rate(sum(solved), len(solved))
    return [("success rate", f"{percent(rate.value)} % {_bounds(rate, 1, 100)} ({sum(solved)}/{len(solved)})")]


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
