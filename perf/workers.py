"""Expert chains with one worker and with more, in turn: whole commands by the clock, and their ratio.

    python perf/workers.py [--units 0:60] [--protocol calvin-abc-d/v1] [--workers 2] [--repeats 1]

Both must give the same records. The load average is printed, since other work on the machine lowers the ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seer_bench import read_run
from seer_bench.store import canonical_lines


def main() -> None:
    """Measure in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", default="0:60")
    parser.add_argument("--protocol", default="calvin-abc-d/v1")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    print(f"load average of the last minute before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    seconds: dict[int, list[float]] = {1: [], options.workers: []}
    records = set()
    steps = 0
    for _ in range(options.repeats):
        for workers, values in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                started = time.perf_counter()
                subprocess.run(command(options, workers, out), check=True, stdout=subprocess.DEVNULL)
                values.append(time.perf_counter() - started)
                results = read_run(out).results.values()
                records.add(tuple(canonical_lines(results)))
                steps = sum(subtask.steps for result in results for subtask in result.subtasks)
    if len(records) != 1:
        raise SystemExit("the records differ")
    for workers, values in seconds.items():
        middle = statistics.median(values)
        print(f"{workers} worker(s)  {middle:8.2f} s   {steps / middle:7.0f} steps/s")
    ratio = statistics.median(seconds[1]) / statistics.median(seconds[options.workers])
    print(f"ratio        {ratio:8.3f}     over {steps} steps, the same records; load now {os.getloadavg()[0]:.2f}")


def command(options: argparse.Namespace, workers: int, out: Path) -> list[str]:
    """The run, as a user would type it."""
    return [
        *(sys.executable, "-m", "seer_bench", "run", "calvin", "--policy", "expert", "--protocol", options.protocol),
        *("--units", options.units, "--workers", str(workers), "--out", str(out)),
    ]


if __name__ == "__main__":
    main()
