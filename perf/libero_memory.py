"""Memory of a process that plays all ten tasks of LIBERO-LONG twice, drawing both cameras.

    OMP_NUM_THREADS=1 python perf/libero_memory.py

Printed is the resident memory with a task's world open and after it was closed, and the peak.
"""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np

from libero_benchmark.suites import load_init_states, load_suite
from libero_benchmark.world import World

PAGE = resource.getpagesize()


def resident() -> int:
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE // 10**6


def main() -> None:
    """Measure and print."""
    for turn in (1, 2):
        for task in load_suite("libero_10"):
            world = World(task)
            world.reset(load_init_states(task)[0])
            world.settle(np.zeros(7), 5)
            for camera in ("agentview", "robot0_eye_in_hand"):
                world.render(camera, width=256, height=256)
            opened = resident()
            world.close()
            print(f"turn {turn}, task {task.index}: {opened} MB open, {resident()} MB closed", flush=True)
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000} MB")


if __name__ == "__main__":
    main()
