"""How fast this machine is: environment steps against workers, policy steps against the size of a batch.

Nothing is recorded. Environments are played by an instant policy (zero actions, the observations of the real one), or
by the real one where it lives in the workers and so competes with them for the processor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from seer_bench.checks import rows_are_independent
from seer_bench.contracts import Array, Benchmark, Policy, PolicyContext, Unit
from seer_bench.conventions import FieldSpec, ImageSpec, PolicySpec, check_conventions
from seer_bench.engine.bench_process import Player, steps_per_second
from seer_bench.engine.checkpoints import local_checkpoint
from seer_bench.engine.facts import cores
from seer_bench.engine.faults import ask
from seer_bench.engine.request import find_backend
from seer_bench.engine.shared import dtype_of, shape_of
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol, differences
from seer_bench.registry import find_protocol, load_benchmark, load_policy
from seer_bench.store import RunData, read_run


@dataclass(frozen=True)
class BenchRequest:
    """What is to be measured."""

    benchmark: str
    protocol: str | None = None
    """None for the benchmark's default."""
    policy: str | None = None
    """None measures the environment alone, without cameras."""
    checkpoint: Path | None = None
    backend: str | None = None
    device: str = "cpu"
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0
    """Length of one measurement."""
    workers: int | None = None
    """The most workers to try; None for the cores."""
    like: Path | None = None
    """A run of the same protocol, whose mean steps a unit an estimate takes."""


@dataclass(frozen=True)
class EnvironmentSpeed:
    """Environments alone."""

    workers: int
    steps_per_second: float
    """Of all workers together; resets between units are part of the time."""


@dataclass(frozen=True)
class PolicySpeed:
    """The policy alone."""

    batch: int
    seconds_per_call: float
    chunk: int
    """Control steps that one call is good for, in each row."""

    @property
    def steps_per_second(self) -> float:
        """Control steps that full batches are good for."""
        return self.batch * self.chunk / self.seconds_per_call


@dataclass(frozen=True)
class Expectation:
    """What a run with so many workers should reach."""

    workers: int
    steps_per_second: float


class Bench:
    """A checked request; the measurements run when they are iterated over.

    Raises:
        UsageError: an unknown name, conventions that do not fit, a checkpoint that is missing, a bad number, a run
            of another protocol.
        StoreError: the run named by `like` cannot be read.
    """

    def __init__(self, request: BenchRequest) -> None:
        if not request.seconds > 0:
            raise UsageError(f"--seconds {request.seconds:g}: a measurement needs some time.")
        if request.workers is not None and request.workers < 1:
            raise UsageError(f"--workers {request.workers}: at least one is needed.")
        checkpoint = request.checkpoint and local_checkpoint(request.policy or "", request.checkpoint)
        self.request = request
        self.benchmark: Benchmark = load_benchmark(request.benchmark)
        self.protocol: EvaluationProtocol = find_protocol(self.benchmark, request.protocol)
        self.units: Sequence[Unit] = self.benchmark.units(self.protocol)
        self.like = self._read_like(request.like) if request.like is not None else None
        self._backend = find_backend(self.benchmark, request.backend)
        interface = self.benchmark.interface(self.protocol)
        self._context = PolicyContext(
            interface, self.protocol, checkpoint, request.device, request.threads, request.options
        )
        self.policy: Policy | None = None
        spec = PolicySpec({}, interface.action)
        if request.policy is not None:
            self.policy = load_policy(request.policy, self._context)
            spec = self.policy.spec
            check_conventions(spec, interface)
        self.spec = spec

    @property
    def cameras(self) -> bool:
        """Images are rendered, because the policy looks at some."""
        return any(isinstance(field, ImageSpec) for field in self.spec.observations.values())

    @property
    def in_main(self) -> bool:
        """The policy lives in the main process, so that workers wait for it."""
        return self.policy is not None and self.spec.placement == "main"

    def environments(self) -> Iterator[EnvironmentSpeed]:
        """Steps a second with 1, 2, 4, ... workers, up to the cores.

        Raises:
            SimulationError: an environment failed.
        """
        for count in doubling(self.request.workers or cores()):
            yield EnvironmentSpeed(count, self._environment_steps(count))

    def policies(self) -> Iterator[PolicySpeed]:
        """Time of a call with 1, 2, 4, ... rows, up to the policy's batch, on made-up observations.

        Nothing is yielded without a policy in the main process, or where it reads the simulator's state.

        Raises:
            PolicyError: the policy failed.
        """
        if self.policy is None or not self.in_main or self.spec.privileged:
            return
        policy, seconds = self.policy, self.request.seconds
        for size in doubling(self.spec.batch):
            with threadpool_limits(self.request.threads):
                each = ask(partial(_seconds_per_call, policy, size, seconds))
            yield PolicySpeed(size, each, self.spec.chunk)

    def batch(self) -> tuple[int, str]:
        """Rows that a strict run puts into a call, and why they are fewer than the policy declares, or ""."""
        if self.policy is None or not self.in_main or self.spec.batch == 1:
            return 1, ""
        why = rows_are_independent(self.policy)
        return (1, why) if why else (self.spec.batch, "")

    def close(self) -> None:
        """Release the policy."""
        if self.policy is not None:
            self.policy.close()

    def _environment_steps(self, workers: int) -> float:
        """Steps a second of so many environments at a time."""
        plugin = None if self.in_main else self.request.policy
        player = Player(self.request.benchmark, self._backend, self.cameras, plugin, self._context, self.spec)
        shares = [list(self.units[i::workers]) or list(self.units) for i in range(workers)]
        return steps_per_second(player, shares, self.request.seconds)

    def _read_like(self, path: Path) -> RunData:
        """The run whose steps an estimate takes; it must be of this protocol."""
        run = read_run(path)
        theirs = run.manifest.protocol
        if theirs.fingerprint != self.protocol.fingerprint:
            different = differences(self.protocol.to_json(), theirs.to_json())
            raise UsageError(
                f"--like {path}: is a run of {theirs.name}, measured is {self.protocol.name}, so its steps say nothing "
                f"({'; '.join(different[:3])}). Name a run of {self.protocol.name}, or give --protocol {theirs.name}."
            )
        return run


def expectations(environments: Sequence[EnvironmentSpeed], policy: PolicySpeed | None) -> list[Expectation]:
    """What runs should reach; a worker computes its steps, then waits for the policy, whose calls come one at a time.

    It is an upper bound: processor time that the policy takes from the workers, and waiting in the queue before it is
    full, are left out.

    Args:
        environments: the measured ones.
        policy: its call with the batch that the run will use; None where it costs nothing or runs in the workers.
    """
    if policy is None:
        return [Expectation(e.workers, e.steps_per_second) for e in environments]
    waiting = policy.seconds_per_call / policy.chunk
    found = []
    for e in environments:
        together = e.workers / (e.workers / e.steps_per_second + waiting)
        supply = min(e.workers, policy.batch) / waiting
        found.append(Expectation(e.workers, min(together, supply)))
    return found


def recommended(found: Sequence[Expectation]) -> Expectation:
    """The fewest workers that come within 5 % of the best."""
    best = max(e.steps_per_second for e in found)
    return min((e for e in found if e.steps_per_second >= 0.95 * best), key=lambda e: e.workers)


def doubling(most: int) -> list[int]:
    """1, 2, 4, ... and `most` itself."""
    sizes = [1]
    while sizes[-1] * 2 < most:
        sizes.append(sizes[-1] * 2)
    return sizes if most == 1 else [*sizes, most]


def _seconds_per_call(policy: Policy, rows: int, seconds: float) -> float:
    """Mean time of `act` with so many rows, after one call that is not counted."""
    slots = list(range(rows))
    rng = np.random.default_rng(rows)
    observations = {name: _made_up(spec, rows, rng) for name, spec in policy.spec.observations.items()}
    policy.begin(slots, [Unit(f"bench:row={row}", row) for row in slots])
    policy.reset(slots, [f"instruction {row}" for row in slots], slots)
    policy.act(slots, observations)
    started, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - started < seconds:
        policy.act(slots, observations)
        calls += 1
    return (time.perf_counter() - started) / calls


def _made_up(spec: FieldSpec, rows: int, rng: np.random.Generator) -> Array:
    """Made-up observations of a field, one a row."""
    shape, dtype = (rows, *shape_of(spec)), dtype_of(spec)
    return rng.integers(0, 256, shape, dtype=np.uint8) if dtype == "uint8" else rng.normal(size=shape).astype(dtype)
