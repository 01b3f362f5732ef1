"""How fast this machine is: environment steps against workers, policy steps against the size of a batch.

Nothing is recorded. Environments are played by an instant policy (zero actions, the observations of the real one), or
by the real one where it lives in the workers and so competes with them for the processor.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from seer_bench.checks import rows_are_independent
from seer_bench.contracts import Array, Benchmark, Policy, PolicyContext, Unit
from seer_bench.conventions import FieldSpec, ImageSpec, PolicySpec, check_conventions
from seer_bench.engine.crew import one_thread
from seer_bench.engine.facts import cores
from seer_bench.engine.request import find_backend
from seer_bench.engine.rollout import play
from seer_bench.engine.shared import dtype_of, shape_of
from seer_bench.errors import CheckpointError, SimulationError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import find_protocol, load_benchmark, load_policy

_CONTEXT = multiprocessing.get_context("spawn")
_START_S = 300.0
"""Seconds that the environments have to come up, and beyond the measurement to answer."""


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
        UsageError: an unknown name, conventions that do not fit, a checkpoint that is missing, a bad number.
    """

    def __init__(self, request: BenchRequest) -> None:
        if not request.seconds > 0:
            raise UsageError(f"--seconds {request.seconds:g}: a measurement needs some time.")
        if request.workers is not None and request.workers < 1:
            raise UsageError(f"--workers {request.workers}: at least one is needed.")
        if request.checkpoint is not None and not request.checkpoint.exists():
            raise CheckpointError(f"--ckpt {request.checkpoint}: there is no such file or directory.")
        self.request = request
        self.benchmark: Benchmark = load_benchmark(request.benchmark)
        self.protocol: EvaluationProtocol = find_protocol(self.benchmark, request.protocol)
        self.units: Sequence[Unit] = self.benchmark.units(self.protocol)
        self._backend = find_backend(self.benchmark, request.backend)
        interface = self.benchmark.interface(self.protocol)
        self._context = PolicyContext(
            interface, self.protocol, request.checkpoint, request.device, request.threads, request.options
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
        """
        if self.policy is None or not self.in_main or self.spec.privileged:
            return
        for size in doubling(self.spec.batch):
            yield PolicySpeed(size, _seconds_per_call(self.policy, size, self.request.seconds), self.spec.chunk)

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
        part = [list(self.units[i::workers]) or list(self.units) for i in range(workers)]
        pipes: list[Connection] = []
        processes = []
        try:
            for units in part:
                ours, theirs = _CONTEXT.Pipe()
                player = _Player(self.request.benchmark, self._backend, self.cameras, plugin, self._context, self.spec)
                process = _CONTEXT.Process(target=_measure, args=(player, units, theirs), daemon=True)
                with one_thread():
                    process.start()
                theirs.close()
                pipes.append(ours)
                processes.append(process)
            for pipe in pipes:
                _receive(pipe, _START_S)
            for pipe in pipes:
                pipe.send(self.request.seconds)
            return sum(_receive(pipe, self.request.seconds + _START_S) for pipe in pipes)
        finally:
            for process in processes:
                process.kill()
                process.join()
            for pipe in pipes:
                pipe.close()


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


@dataclass(frozen=True)
class _Player:
    """What a measuring process is made from."""

    benchmark: str
    backend: str
    cameras: bool
    policy: str | None
    """Plugin that plays; None for zero actions."""
    context: PolicyContext
    spec: PolicySpec


class _ZeroPolicy(Policy):
    """Takes no time."""

    def __init__(self, spec: PolicySpec) -> None:
        self.spec = replace(spec, placement="main", batch=1)
        self._actions = np.zeros((1, spec.chunk, spec.action.dim))

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Nothing to forget."""

    def act(self, *_: object) -> Array:
        """Zeros."""
        return self._actions


class _Over(BaseException):
    """The time of a measurement is up; no fault of anybody."""


def _measure(player: _Player, units: Sequence[Unit], pipe: Connection) -> None:
    """Body of a process: come up, wait for the start, play for so many seconds, and send steps a second."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process ends this one
    try:
        env = load_benchmark(player.benchmark).make_env(
            player.context.protocol, cameras="exact" if player.cameras else "off", backend=player.backend
        )
        policy = load_policy(player.policy, player.context) if player.policy else _ZeroPolicy(player.spec)
        env.begin(units[0])
        env.observe(player.spec.observations)
        pipe.send(0.0)
        seconds: float = pipe.recv()
        started, steps = time.perf_counter(), 0

        def tick() -> None:
            nonlocal steps
            steps += 1
            if time.perf_counter() - started >= seconds:
                raise _Over

        try:
            for unit in cycle(units):
                played = play(env, policy, unit, run_seed=0, tick=tick)
                if played.result.error is not None:
                    raise SimulationError(f"{unit.id}: {played.result.error.message}")
        except _Over:
            pipe.send(steps / (time.perf_counter() - started))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def _receive(pipe: Connection, patience: float) -> float:
    """A number from a measuring process."""
    try:
        if not pipe.poll(patience):
            raise SimulationError(f"an environment did not answer within {patience:.0f} s.")
        answer = pipe.recv()
    except (EOFError, OSError) as error:
        raise SimulationError("an environment's process died while it was measured.") from error
    if isinstance(answer, str):
        raise SimulationError(f"an environment failed while it was measured: {answer}")
    return float(answer)


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
