"""Kill a run at random moments, restart the same command until it is complete, and compare with an undisturbed run.

    python perf/kills.py [--kills 200] [--units 0:60] [--protocol calvin-embedded/v1] [--workers 2] [--seed 0]

Every 0.5 to 3 seconds SIGKILL strikes a worker, the main process, or all of them at once. A run that is complete before
its share of kills has come is compared, and another one is begun. Counted are units without an outcome (lost), with
more than one (doubled) and with another one than in the undisturbed run (differing), its executed actions included;
moreover processes and shared memory left behind. Any of them makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from seer_bench import read_run
from seer_bench.store import canonical_lines, read_actions

PAUSE = (0.5, 3.0)
"""Seconds between two kills, or between a start and the next kill: drawn evenly."""
TARGETS = ("worker", "worker", "main process", "everything")
PATIENCE = 5.0
"""Seconds within which workers have to follow a main process that was killed."""


def main() -> None:
    """Kill, restart, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--units", default="0:60")
    parser.add_argument("--protocol", default="calvin-embedded/v1")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and targets")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    totals: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    shared_before = shared_memory()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        quiet = Path(folder) / "undisturbed"
        subprocess.run(command(options, quiet), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while kills.total() < options.kills:
            run = Path(folder) / f"run-{totals['runs']}"
            totals += disturb(command(options, run), rng, kills, options.kills)
            totals += compare(quiet, run)
            print(f"{kills.total()} kills, {totals['runs']} runs, {time.monotonic() - started:.0f} s", flush=True)
    left = len(shared_memory() - shared_before)
    struck = ", ".join(f"{name} {count}" for name, count in sorted(kills.items()))
    print(f"kills      {kills.total()} ({struck}) over {totals['starts']} starts")
    print(f"units      {totals['units']} played in {totals['runs']} runs; failed attempts recorded: {totals['errors']}")
    for bad in ("lost", "doubled", "differing"):
        print(f"{bad:<10} {totals[bad]}")
    print(f"left over  {totals['orphans']} processes, {left} files of shared memory")
    if totals["lost"] + totals["doubled"] + totals["differing"] + totals["orphans"] + left:
        sys.exit(1)


def command(options: argparse.Namespace, out: Path) -> list[str]:
    """The run, as a user would type it."""
    return [
        *(sys.executable, "-m", "seer_bench", "run", "calvin", "--policy", "expert", "--protocol", options.protocol),
        *("--units", options.units, "--workers", str(options.workers), "--out", str(out)),
    ]


def disturb(run: list[str], rng: random.Random, kills: Counter[str], most: int) -> Counter[str]:
    """Start until complete, killing on the way; returns the number of starts and of processes left behind."""
    counts = Counter(runs=1)
    while True:
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        counts["starts"] += 1
        while process.poll() is None:
            try:
                process.wait(rng.uniform(*PAUSE) if kills.total() < most else None)
            except subprocess.TimeoutExpired:
                strike(process.pid, rng.choice(TARGETS), rng, kills)
        said = process.communicate()[1].decode()
        counts["orphans"] += orphans(process.pid)
        if process.returncode == 0:
            return counts
        if process.returncode not in (1, -signal.SIGKILL):  # 1: some unit has no outcome yet
            raise SystemExit(f"the run ended with {process.returncode}:\n{said}")


def strike(pid: int, target: str, rng: random.Random, kills: Counter[str]) -> None:
    """Kill what `target` names; nothing is counted where it is not there."""
    workers = members(pid, "spawn_main")
    if target == "worker" and not workers:
        return
    try:
        if target == "worker":
            os.kill(rng.choice(workers), signal.SIGKILL)
        elif target == "main process":
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    kills[target] += 1


def orphans(session: int) -> int:
    """Processes of a session that outlive its first one by `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while (left := members(session)) and time.monotonic() < end:
        time.sleep(0.02)
    return len(left)


def members(session: int, having: str = "") -> list[int]:
    """Living processes of a session whose command line holds a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            words = (folder / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        if int(of_session) == session and state != "Z" and having in words:
            found.append(int(folder.name))
    return found


def shared_memory() -> set[str]:
    """Files of shared memory of this user."""
    return {path.name for path in Path("/dev/shm").iterdir() if path.stat().st_uid == os.getuid()}  # noqa: S108


def compare(quiet: Path, run: Path) -> Counter[str]:
    """What the disturbed run has that it should not have."""
    expected, found = (outcomes(path) for path in (quiet, run))
    lines = [json.loads(line) for line in (run / "units.jsonl").read_text().splitlines()]
    scored = Counter(line["unit_id"] for line in lines if line["outcome"] != "error")
    return Counter(
        units=len(found),
        errors=sum(line["outcome"] == "error" for line in lines),
        lost=len(expected.keys() - scored.keys()),
        doubled=sum(count > 1 for count in scored.values()),
        differing=sum(found[unit] != expected[unit] for unit in expected.keys() & found.keys()),
    )


def outcomes(path: Path) -> dict[str, tuple[dict[str, object], bytes]]:
    """By unit: the canonical record, which attempt it was left out, and the bytes of the executed actions."""
    data = read_run(path)
    found = {}
    for result in data.results.values():
        (line,) = canonical_lines([result])
        record = {key: value for key, value in json.loads(line).items() if key != "attempt"}
        actions = read_actions(path, result).tobytes() if result.outcome != "error" else b""
        found[result.unit_id] = (record, actions)
    return found


if __name__ == "__main__":
    main()
