"""What `engine.run` with one worker adds to a bare loop over the same env, policy and units.

Its worker process, records, fsync and progress are all in the figure.

    python perf/rollout_overhead.py [--units 0:20] [--protocol calvin-abc-d/v1] [--repeats 3]

Both ways run in turn in one process; the table gives the seconds of each repeat and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from seer_bench import PolicyContext, RunRequest, run
from seer_bench.engine import select_units
from seer_bench.engine.seeding import derive_seed
from seer_bench.registry import find_protocol, load_benchmark, load_policy
from seer_bench.report import monitor_for


def bare(protocol_name: str, units: str) -> int:
    """The shortest honest loop: nothing is checked, nothing is kept."""
    benchmark = load_benchmark("calvin")
    protocol = find_protocol(benchmark, protocol_name)
    policy = load_policy("expert", PolicyContext(benchmark.interface(protocol), protocol))
    env = benchmark.make_env(protocol, cameras="off", backend="own")
    steps = 0
    for unit in select_units(benchmark.units(protocol), units):
        subtask = env.begin(unit)
        while subtask is not None:
            policy.reset([0], [subtask.instruction], [derive_seed(0, unit.id, subtask.index)])
            over = False
            while not over:
                policy.see([0], [env.state()])
                result = env.advance(policy.act([0], {})[0, 0])
                steps += 1
                over = result.subtask_over
            subtask = result.next_subtask
    env.close()
    return steps


def harness(protocol_name: str, units: str) -> int:
    """The same through `seer-bench run`."""
    from rich.console import Console

    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest("calvin", "expert", Path(folder) / "run", protocol=protocol_name, units=units, workers=1)
        outcome = run(request, monitor_for(Console(quiet=True)))
    return sum(s.steps for r in outcome.results for s in r.subtasks)


def main() -> None:
    """Measure both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", default="0:20")
    parser.add_argument("--protocol", default="calvin-abc-d/v1")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"bare loop": [], "seer-bench run": []}
    steps = set()
    bare(options.protocol, "0:1")  # imports, asset check and file caches are paid by neither
    for _ in range(options.repeats):
        for name, way in (("bare loop", bare), ("seer-bench run", harness)):
            started = time.perf_counter()
            steps.add(way(options.protocol, options.units))
            seconds[name].append(time.perf_counter() - started)
    (taken,) = steps  # both ways take the same steps, or this fails
    for name, values in seconds.items():
        middle = statistics.median(values)
        each = " ".join(f"{value:.2f}" for value in values)
        print(f"{name:<15} {middle:8.2f} s   {1000 * middle / taken:.3f} ms a step   ({each})")
    ratio = np.divide(*(statistics.median(seconds[name]) for name in ("seer-bench run", "bare loop")))
    print(f"ratio           {ratio:8.3f}     over {taken} steps of units {options.units} of {options.protocol}")


if __name__ == "__main__":
    main()
