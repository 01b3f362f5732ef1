"""The beat of the control loop, without drift, and figures of how well it was kept."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Protocol

import numpy as np

HERTZ = 15.0
"""Commands a second of Seer's deployment, and of DROID's data."""


class Clock(Protocol):
    """Seconds that pass, real or simulated."""

    def now(self) -> float:
        """Seconds on a steady clock."""

    def sleep(self, seconds: float) -> None:
        """Let time pass; nothing for zero or less."""


class WallClock:
    """`time.monotonic()`."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            time.sleep(seconds)


class SimulatedClock:
    """Time that passes only by sleeping, at once."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Seconds slept so far."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self._now += max(0.0, seconds)


class Metronome:
    """Beats at start + k / hertz.

    Beats that passed while nobody waited are missed: skipped and counted, so that neither a burst of late commands nor
    a drift follows an overrun.

    Args:
        clock: of the loop.
        hertz: beats a second.
    """

    def __init__(self, clock: Clock, hertz: float = HERTZ) -> None:
        self.period = 1.0 / hertz
        self.beats = 0
        """Waited for since the start."""
        self.missed = 0
        """Skipped since the start."""
        self._clock = clock
        self._start = clock.now()
        self._number = 0

    @property
    def moment(self) -> float:
        """When the last beat was due, seconds; the start before the first."""
        return self._start + self._number * self.period

    def start(self) -> None:
        """Begin to count now; a metronome that was just made has begun already."""
        self._start, self._number = self._clock.now(), 0

    def wait(self) -> float:
        """Wait for the next beat that has not passed yet; how late the caller is then, seconds."""
        after = (self._clock.now() - self._start) / self.period
        due = max(self._number + 1, int(np.ceil(after - 1e-9)))
        self.missed += due - self._number - 1
        self.beats += 1
        self._number = due
        self._clock.sleep(self.moment - self._clock.now())
        return max(0.0, self._clock.now() - self.moment)


class Latencies:
    """Durations in seconds by name, and their figures."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, seconds: float) -> None:
        """One more duration."""
        self._values[name].append(seconds)

    def figures(self) -> dict[str, dict[str, float]]:
        """Mean, median, 95th percentile and maximum of each, in milliseconds."""
        return {name: _figures(np.array(values) * 1000) for name, values in self._values.items()}


def _figures(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    """Four figures, to a hundredth."""
    p50, p95 = np.percentile(values, [50, 95])
    figures = {"mean": values.mean(), "p50": p50, "p95": p95, "max": values.max()}
    return {f"{name}_ms": round(float(value), 2) for name, value in figures.items()}
