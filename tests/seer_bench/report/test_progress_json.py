from __future__ import annotations

import io
import json

import pytest

from seer_bench.contracts import Unit
from seer_bench.report import JsonMonitor


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_every_event_is_a_line_and_progress_comes_once_a_second(fake):
    clock, stream = Clock(), io.StringIO()
    monitor = JsonMonitor(stream, clock)
    monitor.started(fake.make_protocol(), 3, [fake.chain(0, 5)])
    monitor.noted("batch 1")
    monitor.busy({0: Unit("calvin-abc-d/v1:chain=0001", 1)})
    for _ in range(25):
        clock.now += 0.1
        monitor.stepped(2)
    monitor.finished(fake.chain(1, 2))
    monitor.finished(fake.broken(2))
    monitor.closed()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[0] == {
        "schema": "seer-bench/progress/1",
        "event": "started",
        "protocol": "calvin-abc-d/v1",
        "units": 3,
        "done": 1,
    }
    assert [e["event"] for e in events] == ["started", "noted", *["progress"] * 2, *["finished"] * 2, "closed"]
    assert events[2]["workers"] == {"0": "calvin-abc-d/v1:chain=0001"}
    assert (events[4]["solved"], events[4]["steps"], events[4]["error"]) == (2, 30, None)
    assert events[4]["tasks"] == list(fake.TASKS[:3])
    assert events[5]["tasks"] == []
    assert events[5]["error"] == "SimulationError: no GL"
    last = events[-1]
    assert (last["done"], last["errors"], last["steps"], last["elapsed"]) == (2, 1, 50, 2.5)
    assert last["steps_per_second"] == pytest.approx(20)


class Gone(io.StringIO):
    """A pipe whose reader has ended."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


def test_a_reader_that_goes_away_does_not_end_the_run(fake):
    stream = Gone()
    monitor = JsonMonitor(stream)
    monitor.started(fake.make_protocol(), 3, [])
    monitor.finished(fake.chain(1, 2))
    monitor.closed()
    assert stream.writes == 1
