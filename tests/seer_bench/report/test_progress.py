from __future__ import annotations

import io

import pytest
from rich.console import Console

from seer_bench.report.progress import LineMonitor, LiveMonitor, monitor_for
from seer_bench.report.tally import Tally, duration


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)


def facts(tally: Tally) -> dict[str, str]:
    return dict(tally.facts(final=False))


def test_the_console_decides_which_monitor_it_is():
    assert isinstance(monitor_for(console(terminal=True)), LiveMonitor)
    assert isinstance(monitor_for(console(terminal=False)), LineMonitor)


def test_tally_of_chains(fake):
    clock = Clock()
    tally = Tally(5, 10, [fake.chain(0, 5), fake.chain(1, 0)], clock)
    clock.now += 20
    tally.steps += 500
    tally.add(fake.chain(2, 3))
    tally.add(fake.chain(3, 4))
    tally.add(fake.broken(4))
    shown = facts(tally)
    assert shown["units"] == "4/10"
    assert shown["in a row, %"] == "1: 75.0, 2: 75.0, 3: 75.0, 4: 50.0, 5: 25.0"
    assert shown["Avg. Len."].startswith("3.00 [")
    assert shown["steps/s"] == "25"
    assert shown["errors"] == "1"
    # Two units in this session's 20 s; five are open: 10 - 4 done - 1 given up.
    assert shown["ETA"] == "0:50"


def test_pace_counts_units_of_this_session_only(fake):
    clock = Clock()
    tally = Tally(5, 100, [fake.chain(i, 5) for i in range(50)], clock)
    clock.now += 10
    assert "ETA" not in facts(tally)
    tally.add(fake.chain(50, 5))
    assert facts(tally)["ETA"] == duration(490)


def test_a_retried_error_is_no_error_any_more(fake):
    tally = Tally(5, 1, [], Clock())
    tally.add(fake.broken(0))
    tally.add(fake.chain(0, 5))
    assert facts(tally)["errors"] == "0"
    assert facts(tally)["units"] == "1/1"


def test_single_subtasks_show_a_success_rate(fake):
    tally = Tally(1, 4, [fake.chain(0, 1, length=1), fake.chain(1, 0, length=1)], Clock())
    assert facts(tally)["success rate"] == "50.0 % [9.5–90.5] (1/2)"
    assert "Avg. Len." not in facts(tally)


def test_before_the_first_unit_there_is_no_score():
    assert facts(Tally(5, 4, [], Clock())) == {"units": "0/4", "elapsed": "0:00", "errors": "0"}


def test_score_is_computed_sparsely_and_is_up_to_date_at_the_end(fake):
    clock = Clock()
    tally = Tally(5, 3, [], clock)
    tally.add(fake.chain(0, 5))
    first = facts(tally)["Avg. Len."]
    tally.add(fake.chain(1, 1))
    assert facts(tally)["Avg. Len."] == first
    assert dict(tally.facts(final=True))["Avg. Len."].startswith("3.00")


def test_lines_are_sparse(fake):
    clock, target = Clock(), console(terminal=False)
    monitor = LineMonitor(target, clock)
    monitor.started(fake.make_protocol(), 1000, [])
    for i in range(1000):
        for _ in range(10):
            clock.now += 0.1
            monitor.stepped(1)
        monitor.finished(fake.chain(i, i % 6))
    monitor.closed()
    lines = target.file.getvalue().splitlines()
    # 1000 s: one line each 10 s until 500 s, then a little fewer; first and last.
    assert 80 <= len(lines) <= 102
    assert lines[0].startswith("units 0/1000")
    assert lines[-1].startswith("units 1000/1000 | in a row, % 1: 83.")
    assert "\x1b" not in target.file.getvalue()


def test_lines_of_a_day_do_not_flood_a_log(fake):
    clock, target = Clock(), console(terminal=False)
    monitor = LineMonitor(target, clock)
    monitor.started(fake.make_protocol(), 10, [])
    for _ in range(24 * 3600):
        clock.now += 1
        monitor.stepped(1)
    monitor.closed()
    assert len(target.file.getvalue().splitlines()) < 400


def test_live_panel_is_drawn_a_few_times_a_second_and_ends_with_the_last_state(fake):
    clock, target = Clock(), console(terminal=True)
    monitor = LiveMonitor(target, clock)
    monitor.started(fake.make_protocol(), 2, [])
    for _ in range(1000):
        clock.now += 0.001
        monitor.stepped(1)
    drawn = target.file.getvalue().count("elapsed")
    assert 3 <= drawn <= 7
    monitor.finished(fake.chain(0, 5))
    monitor.finished(fake.broken(1))
    monitor.closed()
    last = target.file.getvalue().rsplit("units", 1)[-1]
    assert "1/2" in last
    assert "5.00" in last


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599.7, "1:00:00"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
