"""One run: a policy on a protocol, recorded unit by unit, continued where it stopped."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seer_bench.contracts import Benchmark, Environment, Policy, PolicyContext, Unit, UnitError, UnitResult
from seer_bench.conventions import ImageSpec, check_conventions
from seer_bench.engine.facts import machine_facts
from seer_bench.engine.plan import select_units
from seer_bench.engine.rollout import play
from seer_bench.engine.seeding import derive_seed
from seer_bench.errors import CheckpointError, UnknownNameError
from seer_bench.monitor import Monitor
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import POLICIES, find_protocol, load_benchmark, load_policy, plugins
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, checkpoint_sha256

ATTEMPTS = 2
"""Tries that a session gives a unit whose infrastructure fails."""


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for."""

    benchmark: str
    policy: str
    out: Path
    protocol: str | None = None
    """None for the benchmark's default."""
    checkpoint: Path | None = None
    units: str | None = None
    """As `select_units` reads it; None for all."""
    seed: int = 0
    backend: str | None = None
    """None for the benchmark's default."""
    device: str = "cpu"
    options: Mapping[str, str] = field(default_factory=dict)
    """Passed to the policy."""
    arm: Mapping[str, str] = field(default_factory=dict)
    """What the row in a table is called."""
    allow_mixed: bool = False
    """Continue although the simulation differs from the one that the run began with."""


@dataclass(frozen=True)
class RunOutcome:
    """How a session ended."""

    path: Path
    protocol: EvaluationProtocol
    total: int
    """Units asked for."""
    results: tuple[UnitResult, ...]
    """All of those that have a record now, in the order of the protocol."""
    interrupted: bool

    @property
    def errors(self) -> int:
        """Units without an outcome because the infrastructure failed."""
        return sum(r.outcome == "error" for r in self.results)


def run(request: RunRequest, monitor: Monitor) -> RunOutcome:
    """Play every unit asked for that has no outcome yet; everything is checked before the first step.

    Ctrl-C abandons the unit in flight and keeps all others.

    Raises:
        UsageError: an unknown name, units that do not exist, conventions that do not fit, a checkpoint that is
            missing.
        AssetError: the simulator's assets are missing or altered.
        StoreError: the directory holds another run, is in use, or cannot be written.
    """
    benchmark = load_benchmark(request.benchmark)
    protocol = find_protocol(benchmark, request.protocol)
    units = select_units(benchmark.units(protocol), request.units)
    backend = _find_backend(benchmark, request.backend)
    checkpoint = _identify(request.checkpoint)
    interface = benchmark.interface(protocol)
    policy = load_policy(
        request.policy, PolicyContext(interface, protocol, request.checkpoint, request.device, request.options)
    )
    try:
        check_conventions(policy.spec, interface)
        cameras = any(isinstance(spec, ImageSpec) for spec in policy.spec.observations.values())
        plugin = plugins(POLICIES)[request.policy]
        manifest = Manifest.create(
            protocol=protocol,
            simulation=benchmark.probe(protocol, cameras=cameras, backend=backend),
            backend=backend,
            policy=PolicyId(
                name=request.policy,
                distribution=plugin.distribution,
                version=plugin.version,
                privileged=policy.spec.privileged,
                chunk=policy.spec.chunk,
                options=dict(request.options),
            ),
            checkpoint=checkpoint,
            seed=request.seed,
            arm=dict(request.arm),
        )
        with RunWriter.open(request.out, manifest, allow_mixed=request.allow_mixed) as writer:
            session = writer.start_session({**machine_facts(), "benchmark": benchmark.facts(cameras=cameras)})
            simulator = _Simulator(benchmark, protocol, cameras, backend)
            interrupted = False
            try:
                _Session(session, protocol, simulator, policy, request.seed, writer, monitor).play_all(units)
            except KeyboardInterrupt:
                interrupted = True
                writer.end_session(session, reason="interrupted")
            finally:
                simulator.close()
            recorded = tuple(writer.recorded[u.id] for u in units if u.id in writer.recorded)
    finally:
        policy.close()
    return RunOutcome(request.out, protocol, len(units), recorded, interrupted)


class _Simulator:
    """An environment that can be thrown away and built again."""

    def __init__(self, benchmark: Benchmark, protocol: EvaluationProtocol, cameras: bool, backend: str) -> None:
        self._make: Callable[[], Environment] = lambda: benchmark.make_env(
            protocol, cameras="exact" if cameras else "off", backend=backend
        )
        self._env: Environment | None = None

    def get(self) -> Environment:
        """The environment, built when there is none."""
        if self._env is None:
            self._env = self._make()
        return self._env

    def close(self) -> None:
        """Throw the environment away."""
        if self._env is not None:
            self._env.close()
            self._env = None


@dataclass(frozen=True)
class _Session:
    """The loop over units, and what every attempt needs."""

    id: str
    protocol: EvaluationProtocol
    simulator: _Simulator
    policy: Policy
    run_seed: int
    writer: RunWriter
    monitor: Monitor

    def play_all(self, units: Sequence[Unit]) -> None:
        """Play what has no outcome yet, one unit after another."""
        recorded = self.writer.recorded
        have = [recorded[u.id] for u in units if u.id in recorded and recorded[u.id].outcome != "error"]
        done = {result.unit_id for result in have}
        self.monitor.started(self.protocol, len(units), have)
        try:
            for unit in units:
                if unit.id not in done:
                    self._play(unit)
        finally:
            self.monitor.closed()

    def _play(self, unit: Unit) -> None:
        """Give one unit its tries; every one of them is recorded."""
        for _ in range(ATTEMPTS):
            result = self._attempt(unit, self.writer.attempts(unit.id) + 1)
            self.monitor.finished(result)
            if result.outcome != "error":
                return

    def _attempt(self, unit: Unit, attempt: int) -> UnitResult:
        """Play a unit once and record what came of it; a failing simulator is thrown away."""
        try:
            played = play(
                self.simulator.get(),
                self.policy,
                unit,
                run_seed=self.run_seed,
                attempt=attempt,
                tick=lambda: self.monitor.stepped(1),
            )
        except Exception as error:
            self.simulator.close()
            result = UnitResult(
                unit_id=unit.id,
                attempt=attempt,
                outcome="error",
                subtasks=(),
                seed=derive_seed(self.run_seed, unit.id),
                actions_out_of_range=0,
                actions_sha256=None,
                error=UnitError("infrastructure_error", f"{type(error).__name__}: {error}"),
                run_info={"session": self.id, "traceback": traceback.format_exc()},
            )
            self.writer.append(result, None)
            return result
        result = played.result.with_run_info(session=self.id)
        self.writer.append(result, played.actions)
        return result


def _find_backend(benchmark: Benchmark, name: str | None) -> str:
    """The backend of that name, or the benchmark's default."""
    backends = benchmark.backends()
    if name is not None and name not in backends:
        raise UnknownNameError(f"{benchmark.name} backend", name, backends)
    return name or backends[0]


def _identify(checkpoint: Path | None) -> CheckpointId | None:
    """Name and hash of the checkpoint, before anything is loaded from it."""
    if checkpoint is None:
        return None
    if not checkpoint.exists():
        raise CheckpointError(f"--ckpt {checkpoint}: there is no such file or directory.")
    return CheckpointId(checkpoint.name, checkpoint_sha256(checkpoint))
