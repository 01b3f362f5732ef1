from __future__ import annotations

import io

from rich.console import Console

from seer_bench.report.bench import curve, time_lines
from seer_bench.store import read_run


def test_the_worst_case_is_every_unit_to_its_limit(fake, write_run):
    protocol = fake.make_protocol(settings={"chain": {"length": 5, "count": 10, "steps_per_subtask": 360}})
    like = read_run(write_run("a", [fake.chain(0, 5), fake.chain(1, 2)]))  # 50 and 30 steps
    worst, mean = time_lines(protocol, 1000, 500.0, like)
    assert worst == "1,000 units take at most 1:00:00 (every one to its limit of 1,800 steps)"
    assert mean.startswith("and 1:20 with 40 steps a unit, the mean of 2 units in ")


def test_a_protocol_without_a_limit_and_a_run_without_outcomes_say_so(fake, write_run):
    text = "\n".join(time_lines(fake.make_protocol(), 10, 5.0, read_run(write_run("a", [fake.broken(0)]))))
    assert "declares no step limit" in text
    assert "holds no outcome yet" in text


def test_curves_round_to_what_matters():
    console = Console(file=io.StringIO(), width=80)
    console.print(curve("batch", ("ms", "steps/s"), [(1, (0.01234, 81037.0)), (16, (1.5, 98765.4))]))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines == [["batch", "ms", "steps/s"], ["1", "0.0123", "81,037"], ["16", "1.5", "98,765"]]
