"""What a step through a server costs, with a policy that answers at once: seer-bench, openpi and vla-eval in turn.

    python perf/remote_overhead.py [--steps 300] [--units 8] [--repeats 3]
        [--openpi PYTHON --openpi-checkout DIR] [--vla-eval PYTHON]

Each side is its own client and its own server, both on this machine and each a process of its own, with the same
observation: CALVIN's RGB pictures of 200 x 200 and 84 x 84, 15 numbers of proprioception and a sentence. vla-eval sends
its pictures raw, which is faster than the PNG of its default. Printed is the median over units of the seconds a step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from step_overhead import FRAME, install

from seer_bench import PolicyContext
from seer_bench.registry import find_protocol, load_benchmark, load_policy

HERE = Path(__file__).parent


def main() -> None:
    """Measure in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="of a unit")
    parser.add_argument("--units", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--openpi", type=Path, help="Python of an environment with openpi-client")
    parser.add_argument("--openpi-checkout", type=Path, help="openpi's repository, for its server")
    parser.add_argument("--vla-eval", type=Path, help="Python of an environment with vla-eval")
    options = parser.parse_args()
    if (options.openpi is None) != (options.openpi_checkout is None):
        parser.error("--openpi and --openpi-checkout belong together")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        install(site)
        sizes = (str(options.units), str(options.steps))
        frame = str(site / FRAME.name)
        ways: dict[str, Callable[[], list[float]]] = {
            "seer-bench": lambda: ours(site, options.units, options.steps),
        }
        if options.openpi:
            program = [options.openpi, HERE / "openpi_transport.py", frame, options.openpi_checkout, *sizes]
            ways["openpi"] = lambda: theirs(program)
        if options.vla_eval:
            other = [options.vla_eval, HERE / "vla_eval_transport.py", frame, "raw", "1", *sizes]
            ways["vla-eval, raw"] = lambda: theirs(other)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, measure in ways.items():
                seconds[name] += measure()
    base = statistics.median(seconds["seer-bench"])
    for name, values in seconds.items():
        middle = statistics.median(values)
        low, high = np.percentile(values, (10, 90))
        print(
            f"{name:<14} {1000 * middle:7.3f} ms a step ({1000 * low:.3f} to {1000 * high:.3f})  {middle / base:5.2f} x"
        )


def ours(site: Path, units: int, steps: int) -> list[float]:
    """Seconds a step through `seer-bench serve` and the policy `remote`, after a unit for warming up."""
    paths = [str(site), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [
        sys.executable,
        "-m",
        "seer_bench",
        "serve",
        "--policy",
        "instant",
        "--benchmark",
        "frames",
        "--port",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - for the type checker
            url = server.stdout.readline().split(" at ")[1].split()[0]
            return play(url, site, units, steps)
        finally:
            server.kill()


def play(url: str, site: Path, units: int, steps: int) -> list[float]:
    """Seconds a step of each unit but the first."""
    benchmark = load_benchmark("frames")
    protocol = find_protocol(benchmark, None)
    policy = load_policy("remote", PolicyContext(benchmark.interface(protocol), protocol, options={"url": url}))
    with np.load(site / FRAME.name) as frame:
        observation = {name: value[None] for name, value in frame.items()}
    seconds = []
    for unit in benchmark.units(protocol)[: units + 1]:
        policy.begin([0], [unit])
        policy.reset([0], ["wait"], [0])
        started = time.perf_counter()
        for _ in range(steps):
            policy.act([0], observation)
        seconds.append((time.perf_counter() - started) / steps)
    policy.close()
    return seconds[1:]


def theirs(command: list[str | Path]) -> list[float]:
    """The same through another package's client and server."""
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    values: list[float] = json.loads(answer.stdout)
    return values


if __name__ == "__main__":
    main()
