"""What the harness adds to a control step, with a policy in the main process that answers at once.

    python perf/step_overhead.py [--steps 300] [--units 8] [--repeats 3] [--vla-eval /path/to/venv/bin/python]

The environment does nothing but hand out one CALVIN observation: RGB pictures of 200 x 200 and 84 x 84, as TinyRenderer
draws them, and 15 numbers of proprioception. So what a step takes is the harness: shared memory, the pipe, the thread
of the policy, and back. Printed is the median over units of a worker's seconds by its steps.

With `--vla-eval` (the Python of an environment with `pip install vla-eval`) the same observation goes through the
client and the server of that package in turn, encoded as PNG (its default) and raw.
"""

# ruff: noqa: ARG002 - the plugins below leave most of their contracts unused
from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from seer_bench import (
    ActionSpec,
    EvaluationProtocol,
    ImageSpec,
    Interface,
    Policy,
    PolicyContext,
    PolicySpec,
    RunRequest,
    SimulatorState,
    StepResult,
    Subtask,
    Unit,
    VectorSpec,
    run,
)
from seer_bench.contracts import Array, Cameras
from seer_bench.monitor import Monitor
from seer_bench.registry import load_benchmark
from seer_bench.report import monitor_for

FIELDS = {"rgb_static": ImageSpec(200, 200), "rgb_gripper": ImageSpec(84, 84), "robot_obs": VectorSpec(15, "as CALVIN")}
ACTION = ActionSpec("frames", 7, "none", None, None, None, 1)
FRAME = Path(__file__).parent / "frame.npz"
ENTRY_POINTS = """\
[seer_bench.benchmarks]
frames = step_overhead:FramesBenchmark
[seer_bench.policies]
instant = step_overhead:InstantPolicy
"""


class FramesEnv:
    """Hands out the same observation until a subtask's steps are used up."""

    renderer = "none"

    def __init__(self, steps: int, frame: Mapping[str, Array]) -> None:
        self._limit, self._frame, self._taken = steps, frame, 0

    def begin(self, unit: Unit) -> Subtask:
        """One subtask a unit."""
        self._taken = 0
        return Subtask(0, "wait", unit.slug)

    def advance(self, action: Array) -> StepResult:
        """Count."""
        self._taken += 1
        return StepResult(solved=False, subtask_over=self._taken == self._limit, next_subtask=None)

    def observe(self, fields: Collection[str]) -> dict[str, Array]:
        """Arrays that are there already."""
        return {name: self._frame[name] for name in fields}

    def state(self) -> SimulatorState:
        """There is none."""
        raise NotImplementedError

    def film(self, size: int) -> dict[str, Array]:
        """There is none."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held."""


class FramesBenchmark:
    """Units of a fixed number of steps."""

    name = "frames"
    default_protocol = "frames/300"

    def protocols(self) -> dict[str, EvaluationProtocol]:
        """One for each number of steps that is asked for."""
        names = {f"frames/{steps}": steps for steps in (10, 100, 300, 1000)}
        return {
            name: EvaluationProtocol(name, "frames", "steps that do nothing", "table2", "no", {"steps": steps})
            for name, steps in names.items()
        }

    def backends(self) -> tuple[str, ...]:
        """Just one."""
        return ("own",)

    def interface(self, protocol: EvaluationProtocol) -> Interface:
        """As CALVIN's."""
        return Interface(self.name, FIELDS, ACTION)

    def units(self, protocol: EvaluationProtocol) -> Sequence[Unit]:
        """Enough of them."""
        return [Unit(f"{protocol.name}:unit={i}", i) for i in range(10_000)]

    def make_env(self, protocol: EvaluationProtocol, *, cameras: Cameras, backend: str) -> FramesEnv:
        """With the frame that `main` has put down."""
        folder = next(path for path in map(Path, sys.path) if (path / FRAME.name).exists())
        with np.load(folder / FRAME.name) as frame:
            return FramesEnv(protocol.settings["steps"], dict(frame))

    def probe(self, protocol: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        """Nothing is simulated."""
        return {"physics": "none"}

    def facts(self, *, cameras: bool) -> dict[str, str]:
        """Nothing is used."""
        return {}


class InstantPolicy(Policy):
    """Answers zeros."""

    def __init__(self, context: PolicyContext) -> None:
        self.spec = PolicySpec(FIELDS, ACTION, batch=int(context.options.get("batch", "1")), placement="main")
        self._answer = np.zeros((self.spec.batch, 1, 7), np.float32)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Nothing is kept."""

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Zeros."""
        return self._answer


def main() -> None:
    """Measure in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, choices=(100, 300, 1000), help="of a unit")
    parser.add_argument("--units", type=int, default=8, help="of each worker")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--vla-eval", type=Path, help="Python of an environment that has vla-eval")
    options = parser.parse_args()
    ways = [("seer-bench", workers, f"batch {batch}") for workers, batch in ((1, 1), (2, 1), (2, 2))]
    if options.vla_eval is not None:
        ways += [("vla-eval", workers, coding) for workers in (1, 2) for coding in ("raw", "png")]
    seconds: dict[tuple[str, int, str], list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        install(site)
        for _ in range(options.repeats):
            for way in ways:
                measure = ours if way[0] == "seer-bench" else theirs
                seconds[way] += measure(way[1], way[2], options, site)
    base = {way[1]: statistics.median(seconds[way]) for way in ways if way[2] == "batch 1"}
    for way, values in seconds.items():
        middle = statistics.median(values)
        low, high = np.percentile(values, (10, 90))
        print(
            f"{way[0]:<10} {way[1]} worker(s), {way[2]:<7} {1000 * middle:7.3f} ms a step "
            f"({1000 * low:.3f} to {1000 * high:.3f})  {middle / base[way[1]]:6.2f} x"
        )


def install(site: Path) -> None:
    """Put down the frame, and the plugins of this file as a distribution that entry points find."""
    info = site / "step_overhead-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: step-overhead\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    sys.path.insert(0, str(site))
    calvin = load_benchmark("calvin")
    protocol = calvin.protocols()["calvin-embedded/v1"]
    env = calvin.make_env(protocol, cameras="exact", backend="own")
    env.begin(calvin.units(protocol)[0])
    np.savez(site / FRAME.name, **env.observe(FIELDS))
    env.close()


def ours(workers: int, way: str, options: argparse.Namespace, site: Path) -> list[float]:
    """Seconds a step of each unit of a run; the first unit of every worker warms up."""
    batch = way.split()[1]
    out = Path(tempfile.mkdtemp(dir=site)) / "run"
    request = RunRequest(
        "frames",
        "instant",
        out,
        protocol=f"frames/{options.steps}",
        units=f"0:{workers * (options.units + 1)}",
        workers=workers,
        options={"batch": batch},
    )
    results = run(request, quiet()).results
    return [result.run_info["seconds"] / options.steps for result in results[workers:]]


def theirs(workers: int, way: str, options: argparse.Namespace, site: Path) -> list[float]:
    """The same through the transport of vla-eval, in a process of its own."""
    script = Path(__file__).with_name("vla_eval_transport.py")
    sizes = (str(site / FRAME.name), way, str(workers), str(options.units), str(options.steps))
    answer = subprocess.run([options.vla_eval, script, *sizes], check=True, stdout=subprocess.PIPE, text=True)
    values: list[float] = json.loads(answer.stdout)
    return values


def quiet() -> Monitor:
    """Shows nothing."""
    from rich.console import Console

    return monitor_for(Console(quiet=True))


if __name__ == "__main__":
    main()
