"""How long a user waits from the start of `seer-bench run` until the first control step has been taken.

    python perf/first_step.py [--protocol calvin-abc-d/v1] [--policy expert] [--workers 2] [--repeats 5]

The command runs in a process of its own with a progress display that notes the first step and interrupts the run. The
engine reports steps up to 0.2 s late, which counts here.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Start a few times and print the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", default="calvin-abc-d/v1")
    parser.add_argument("--policy", default="expert")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    values = []
    print(f"load average of the last minute before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            started = time.time()
            command = [sys.executable, *sys.argv, "--child", str(Path(folder) / "run")]
            said = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout
            (first,) = (line for line in said.splitlines() if line.startswith("first step "))
            values.append(float(first.split()[-1]) - started)
    each = " ".join(f"{value:.2f}" for value in values)
    print(f"{options.protocol}, {options.policy}: {statistics.median(values):.2f} s to the first step   ({each})")


def child(options: argparse.Namespace) -> None:
    """The command itself, from the command line's module on, with another display."""
    import seer_bench.report
    from seer_bench import cli

    class FirstStep:
        """Notes when the first step has been taken, and interrupts."""

        def __getattr__(self, name: str) -> object:
            return lambda *_: None

        def stepped(self, steps: int) -> None:
            """Note the first."""
            if steps:
                print(f"first step {time.time():.3f}", flush=True)
                os.kill(os.getpid(), signal.SIGINT)

    seer_bench.report.monitor_for = lambda console: FirstStep()  # noqa: ARG005
    sys.argv = ["seer-bench", "run", "calvin", "--policy", options.policy, "--protocol", options.protocol]
    sys.argv += ["--workers", str(options.workers), "--units", "0:8", "--out", options.child]
    cli.main()


if __name__ == "__main__":
    main()
