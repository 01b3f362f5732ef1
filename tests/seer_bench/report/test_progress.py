from __future__ import annotations

import io

import pytest
from rich.console import Console

from seer_bench.contracts import Unit
from seer_bench.report.progress import LineMonitor, LiveMonitor, monitor_for, worker_facts
from seer_bench.report.tally import Tally, duration, task_lines
from seer_bench.stats import stratified_mean


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


def test_several_tasks_show_the_mean_of_their_rates(fake):
    clock = Clock()
    results = fake.rollouts(4, 3, per_task=4)
    tally = Tally(1, 40, results[:4], clock)
    assert facts(tally)["success rate"].startswith("100.0 % [51.0–100.0] (4/4)")
    for result in [*results[4:], fake.lost(2, 0)]:
        tally.add(result)
    shown = dict(tally.facts(final=True))
    low, high = (100 * end for end in stratified_mean(successes=[4, 3], n=[4, 4]))
    assert shown["Avg. Success"] == f"87.5 % [{low:.1f}–{high:.1f}] over 2 tasks (7/8)"
    assert (shown["units"], shown["errors"]) == ("8/40", "1")
    assert not {"success rate", "Avg. Len.", "in a row, %"} & set(shown)


def test_tasks_are_listed_one_a_line_unless_there_is_only_one(fake):
    lines = task_lines(fake.rollouts(10, 9, 0, per_task=10), 1)
    assert [line.split()[0] for line in lines] == ["0/10", "10/10", "9/10"]
    assert lines[0] == f" 0/10    0.0 % [0.0–27.8]    {fake.LIBERO_TASKS[2]}"
    assert task_lines(fake.rollouts(3, per_task=3), 1) == []
    assert task_lines([fake.chain(0, 5), fake.chain(1, 2)], 5) == []


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


TIMES = {"seconds": 10.0, "physics": 6.0, "render": 2.0, "policy": 1.5}


def test_time_is_split_over_the_units_of_this_session(fake):
    earlier = fake.chain(0, 5).with_run_info(seconds=1000.0, physics=0.0, render=0.0, policy=1000.0)
    tally = Tally(5, 4, [earlier], Clock())
    assert tally.split == {}
    tally.add(fake.chain(1, 5).with_run_info(**TIMES))
    tally.add(fake.broken(2))
    tally.add(fake.chain(3, 5).with_run_info(seconds=10.0, physics=8.0, render=0.0, policy=0.5))
    assert tally.split == pytest.approx({"physics": 0.7, "render": 0.1, "policy": 0.1, "harness": 0.1})


def test_the_split_is_on_the_last_line_only_and_always_on_the_panel(fake):
    clock, log, terminal = Clock(), console(terminal=False), console(terminal=True)
    for monitor in (LineMonitor(log, clock), LiveMonitor(terminal, clock)):
        monitor.started(fake.make_protocol(), 2, [])
        monitor.finished(fake.chain(0, 5).with_run_info(**TIMES))
        clock.now += 60
        monitor.stepped(1)
        monitor.closed()
    *others, last = log.file.getvalue().splitlines()
    assert len(others) == 2
    assert last.endswith("time physics 60 %, render 20 %, policy 15 %, harness 5 %")
    assert "physics" not in "".join(others)
    assert "physics 60 %" in terminal.file.getvalue().rsplit("1/2", 2)[-2]


def test_the_panel_shows_what_each_worker_plays_and_for_how_long(fake):
    clock, target = Clock(), console(terminal=True)
    monitor = LiveMonitor(target, clock)
    monitor.started(fake.make_protocol(), 9, [])
    units = [Unit(f"calvin-abc-d/v1:chain={i:04d}", i) for i in range(3)]
    monitor.busy({0: units[0], 1: units[1]})
    clock.now += 7
    monitor.busy({0: units[0], 1: units[2]})
    clock.now += 5
    monitor.stepped(1)
    shown = target.file.getvalue().rsplit("units", 1)[-1]
    assert "chain=0000  12 s" in shown
    assert "chain=0002  5 s" in shown
    assert "chain=0001" not in shown


def test_a_unit_that_is_tried_again_is_timed_afresh(fake):
    clock, target = Clock(), console(terminal=True)
    monitor = LiveMonitor(target, clock)
    monitor.started(fake.make_protocol(), 9, [])
    unit = Unit("calvin-abc-d/v1:chain=0004", 4)
    monitor.busy({0: unit})
    clock.now += 50
    monitor.finished(fake.broken(4))
    monitor.busy({0: unit})
    clock.now += 3
    monitor.stepped(1)
    assert "chain=0004  3 s" in target.file.getvalue().rsplit("units", 1)[-1]


def test_many_workers_take_few_rows():
    busy = {i: (Unit(f"p:chain={i:04d}", i), 0.0) for i in range(64)}
    rows = worker_facts(busy, 2.0)
    assert len(rows) == 9
    assert rows[-1] == ("", "... and 56 more")
    assert len(worker_facts({i: busy[i] for i in range(8)}, 2.0)) == 8


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599.7, "1:00:00"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("monitor", [LineMonitor, LiveMonitor])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")])
def test_a_display_that_cannot_be_written_does_not_end_a_run(fake, monitor, error):
    class Full(io.StringIO):
        def write(self, text):
            raise error

        flush = write

    clock = Clock()
    shown = monitor(Console(file=Full(), force_terminal=monitor is LiveMonitor), clock)
    shown.started(fake.make_manifest().protocol, 2, ())
    shown.noted("a note")
    clock.now += 60
    shown.finished(fake.chain(0, 5))
    shown.closed()
