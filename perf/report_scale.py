"""What a report costs, in seconds and memory, against the number of unit records.

    python perf/report_scale.py [--sizes 10000 31000 100000 310000 1000000] [--shapes runs one] [--folder DIR]

Synthetic records of CALVIN chains, written as a run writes them (some 800 bytes each), in two shapes: runs of 1,000
chains, five checkpoints an arm, and a single run of as many chains as there are records. In each, 1 in 200 chains
met an infrastructure error first, and of those 1 in 10 has no outcome. Every size is read by a process of its own,
which makes Table 2 with its intervals; time is wall clock from before the first file is read, memory the process' peak.
"x per decade" is how many times a measure grows for ten times the records: 10 is linear. "json" is the time that
Python's json.loads alone takes for such a line at that moment, which tells how fast and how busy the machine is.

Then the whole command `seer-bench report` is timed on 10 runs of 1,000 chains, start and files included.

With --folder the records are kept, and found again by the next call (1,000,000 take some 2 GB for both shapes).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from calvin_benchmark.benchmark import CalvinBenchmark
from calvin_benchmark.chains import load_chains, load_sentences
from seer_bench import EvaluationProtocol, SubtaskResult, UnitError, UnitResult
from seer_bench.engine.seeding import derive_seed
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, to_line

SIZES = [10_000, 31_000, 100_000, 310_000, 1_000_000]
CHAINS = 1000
"""Chains of a usual run."""
CHECKPOINTS = 5
"""Checkpoints of an arm."""
REPEATS = 5
"""Times that the whole command is run."""

CHILD = """
import json, sys, time
from pathlib import Path
from seer_bench.report import build_report

started = time.perf_counter()
table = build_report([Path(path) for path in sys.argv[1:]]).table("table2")
seconds = time.perf_counter() - started
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
with open(sys.argv[1] + "/units.jsonl", "rb") as file:
    lines = [line for line, _ in zip(file, range(1000))]
started = time.perf_counter()
for line in lines:
    json.loads(line)
parsing = (time.perf_counter() - started) / len(lines)
facts = {"seconds": seconds, "parsing": parsing, "peak": int(peak.split()[1]) * 1024, "rows": len(table.rows)}
print(json.dumps({**facts, "n": sum(summary.n for summary in table.summaries)}))
"""


def main() -> None:
    """Write what is missing, read every size and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--shapes", nargs="+", choices=["runs", "one"], default=["runs", "one"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        for shape in options.shapes:
            curve(shape, sorted(options.sizes), folder)
        usual(write_runs(folder, 10 * CHAINS))


def curve(shape: str, sizes: list[int], folder: Path) -> None:
    """Measure one shape at every size."""
    write = {"runs": write_runs, "one": write_one}[shape]
    print({"runs": f"runs of {CHAINS:,} chains", "one": "one run"}[shape])
    head = f"{'records':>10} {'scored':>10} {'rows':>5} {'s':>8} {'us/record':>10} {'json':>5} {'peak MB':>8}"
    print(f"{head}  x per decade: s, MB")
    before: tuple[int, float, float] | None = None
    for size in sizes:
        done = subprocess.run([sys.executable, "-c", CHILD, *write(folder, size)], check=True, stdout=subprocess.PIPE)
        found = json.loads(done.stdout)
        seconds, peak = found["seconds"], found["peak"] / 1e6
        growth = []
        if before is not None:
            decades = math.log10(size / before[0])
            growth = [(new / old) ** (1 / decades) for new, old in zip((seconds, peak), before[1:], strict=True)]
        print(
            f"{size:10,} {found['n']:10,} {found['rows']:5} {seconds:8.2f} {1e6 * seconds / size:10.1f}"
            f" {1e6 * found['parsing']:5.1f} {peak:8.0f}  {'  '.join(f'{factor:5.1f}' for factor in growth)}",
            flush=True,
        )
        before = size, seconds, peak


def usual(runs: list[str]) -> None:
    """Time the whole command on ten runs."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "seer_bench", "report", *runs, "--out", out]
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
        files = sum(1 for path in Path(out).rglob("*") if path.is_file())
    times = " ".join(f"{value:.2f}" for value in sorted(seconds))
    print(f"seer-bench report, 10 runs of {CHAINS:,} chains, {files} files written: {times} s")


def write_runs(folder: Path, records: int) -> list[str]:
    """Runs of 1,000 chains, five checkpoints for each seed."""
    protocol = CalvinBenchmark().protocols()["calvin-abc-d/v1"]
    paths = []
    for number in range(records // CHAINS):
        seed, epoch = divmod(number, CHECKPOINTS)
        path = folder / "runs" / f"seed-{seed:03d}-epoch-{epoch}"
        write(path, protocol, CHAINS, seed=seed, epoch=epoch)
        paths.append(str(path))
    return paths


def write_one(folder: Path, records: int) -> list[str]:
    """One run of a protocol with as many chains as there are records."""
    protocol = CalvinBenchmark().protocols()["calvin-abc-d/v1"]
    chain = {**protocol.settings["chain"], "count": records}
    protocol = replace(protocol, name="calvin-many/v1", settings={**protocol.settings, "chain": chain})
    path = folder / f"one-{records}"
    write(path, protocol, records, seed=0, epoch=0)
    return [str(path)]


def write(path: Path, protocol: EvaluationProtocol, chains: int, *, seed: int, epoch: int) -> None:
    """One run, unless it is there; records are written at once instead of one by one."""
    if (path / "done").exists():
        return
    checkpoint = CheckpointId(f"epoch_{epoch}.pth", hashlib.sha256(b"%d" % epoch).hexdigest())
    policy = PolicyId("seer", "seer-bench", "0.1.0", chunk=3, batch=8)
    manifest = Manifest.create(
        protocol=protocol,
        simulation={part: hashlib.sha256(part.encode()).hexdigest() for part in ("assets", "physics", "frame")},
        backend="own",
        policy=policy,
        checkpoint=checkpoint,
        seed=seed,
        arm={"method": "Seer"},
    )
    with RunWriter.open(path, manifest) as writer:
        session = writer.start_session({"units": chains, "done": 0})
        with (path / "units.jsonl").open("w") as file:
            file.writelines(to_line(result) + "\n" for result in results(protocol, chains, seed, epoch, session))
    (path / "done").touch()


def results(protocol: EvaluationProtocol, chains: int, seed: int, epoch: int, session: str) -> Iterator[UnitResult]:
    """Attempts at the chains, in the order in which workers would end them."""
    rng = random.Random(f"{seed} {epoch}")
    listed, sentences = load_chains(), load_sentences()
    merit = 0.86 + 0.01 * epoch
    units = iter(range(chains))
    while block := list(islice(units, 8)):
        rng.shuffle(block)
        for index in block:
            unit = f"{protocol.name}:chain={index:04d}"
            subtasks = []
            for task in listed[index % len(listed)].subtasks:
                solved = rng.random() < merit
                subtasks.append(SubtaskResult(task, sentences[task], solved, rng.randint(30, 150) if solved else 360))
                if not solved:
                    break
            parts = {part: round(rng.uniform(1, 9), 4) for part in ("physics", "policy", "render")}
            finished = round(1.9e9 + rng.uniform(0, 1e6), 3)
            seconds = round(sum(parts.values()), 3)
            outcome = UnitResult(
                unit_id=unit,
                attempt=1,
                outcome="success" if subtasks[-1].success else "failure",
                subtasks=tuple(subtasks),
                seed=derive_seed(seed, unit),
                actions_out_of_range=0,
                actions_sha256=hashlib.sha256(f"{epoch} {unit}".encode()).hexdigest(),
                run_info={**parts, "finished": finished, "seconds": seconds, "session": session, "worker": index % 8},
            )
            if rng.random() < 1 / 200:
                fault = UnitError("infrastructure_error", "SimulationError: the renderer is gone")
                yield replace(outcome, outcome="error", subtasks=(), actions_sha256=None, error=fault)
                if rng.random() < 1 / 10:
                    continue
                outcome = replace(outcome, attempt=2)
            yield outcome


if __name__ == "__main__":
    main()
