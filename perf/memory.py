"""Resident memory of the main process and of the workers against the number of units played.

    python perf/memory.py [--units 2000] [--chains 200] [--workers 2]

First units of ten steps that only carry pictures through the engine (`step_overhead.py`), then CALVIN chains with the
expert. Memory is read ten times in each run; the last column is its growth from the second reading on. A worker is
replaced by a fresh process every few hundred units, so that its memory is bounded by what it gathers in between.
"""

# ruff: noqa: ARG002 - a monitor that leaves most of its contract unused
from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from step_overhead import install

from seer_bench import EvaluationProtocol, RunRequest, Unit, UnitResult, run

READINGS = 10


class Reader:
    """A monitor that reads memory now and then."""

    def __init__(self, units: int) -> None:
        self._every, self._done = max(1, units // READINGS), 0
        self.readings: list[tuple[int, float, list[float]]] = []

    def started(self, protocol: EvaluationProtocol, total: int, recorded: object) -> None:
        """Nothing to show."""

    def stepped(self, steps: int) -> None:
        """Nothing to show."""

    def noted(self, text: str) -> None:
        """Nothing to show."""

    def busy(self, units: dict[int, Unit]) -> None:
        """Nothing to show."""

    def finished(self, result: UnitResult) -> None:
        """Read once in a while."""
        self._done += 1
        if self._done % self._every == 0:
            self.readings.append((self._done, resident(os.getpid()), [resident(pid) for pid in workers()]))

    def closed(self) -> None:
        """Nothing to show."""


def main() -> None:
    """Play both runs and print their memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--chains", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        install(site)
        show("units that carry pictures", "frames", "instant", "frames/10", options.units, options.workers, site)
        show("CALVIN chains", "calvin", "expert", "calvin-abc-d/v1", options.chains, options.workers, site)


def show(title: str, benchmark: str, policy: str, protocol: str, units: int, workers: int, site: Path) -> None:
    """Play a run and print the memory after every tenth of it."""
    reader = Reader(units)
    out = site / f"run-{benchmark}"
    run(RunRequest(benchmark, policy, out, protocol=protocol, units=f"0:{units}", workers=workers), reader)
    print(f"{title}: MB after how many, main process | workers")
    for done, main_process, others in reader.readings:
        print(f"{done:6} {main_process:7.1f} | {' '.join(f'{value:6.1f}' for value in sorted(others))}")
    (first, before, _), (last, after, _) = reader.readings[1], reader.readings[-1]
    print(f"main process: {after - before:+.1f} MB from unit {first} to unit {last}", flush=True)


def workers() -> list[int]:
    """Process ids of the workers of this process."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
