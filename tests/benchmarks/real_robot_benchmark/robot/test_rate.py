from __future__ import annotations

import numpy as np
import pytest

from real_robot_benchmark.robot.rate import Latencies, Metronome, SimulatedClock


def test_beats_do_not_drift() -> None:
    clock = SimulatedClock()
    clock.sleep(3.3)
    metronome = Metronome(clock)
    for beat in range(1, 1001):
        clock.sleep(0.02 + 0.03 * (beat % 2))
        assert metronome.wait() == pytest.approx(0.0, abs=1e-9)
        assert clock.now() == pytest.approx(3.3 + beat / 15, abs=1e-9)
    assert (metronome.beats, metronome.missed) == (1000, 0)


def test_beats_that_passed_are_skipped_and_counted() -> None:
    clock = SimulatedClock()
    metronome = Metronome(clock, 10)
    clock.sleep(0.35)
    metronome.wait()
    assert clock.now() == pytest.approx(0.4)
    assert (metronome.beats, metronome.missed) == (1, 3)
    metronome.wait()
    assert clock.now() == pytest.approx(0.5)
    assert (metronome.beats, metronome.missed) == (2, 3)


def test_a_late_sleeper_is_told_how_late() -> None:
    class Sleepy(SimulatedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 0.004)

    metronome = Metronome(Sleepy(), 10)
    assert metronome.wait() == pytest.approx(0.004)
    assert metronome.wait() == pytest.approx(0.004)


def test_latency_figures() -> None:
    latencies = Latencies()
    values = [0.010, 0.020, 0.030, 0.100]
    for value in values:
        latencies.add("inference", value)
    assert latencies.figures() == {
        "inference": {
            "mean_ms": 40.0,
            "p50_ms": 25.0,
            "p95_ms": round(float(np.percentile(values, 95)) * 1000, 2),
            "max_ms": 100.0,
        }
    }
    assert latencies.figures()["inference"]["p95_ms"] == 89.5
