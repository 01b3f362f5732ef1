"""How long a user waits for `import seer_bench` and `seer-bench --help`.

    python perf/startup.py [--repeats 10]

Whole processes are timed, in turn with an empty Python, whose start is printed beside them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import seer_bench": [sys.executable, "-c", "import seer_bench"],
    "seer-bench --help": [sys.executable, "-m", "seer_bench", "--help"],
}


def main() -> None:
    """Measure in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
    base = statistics.median(seconds["python -c pass"])
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:<18} {1000 * middle:6.0f} ms   {middle / base:5.1f} x an empty Python")


if __name__ == "__main__":
    main()
