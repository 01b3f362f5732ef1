"""What a run was asked for, and what that means on this machine; everything is refused here that can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from seer_bench.arms import check_arm
from seer_bench.checks import rows_are_independent
from seer_bench.contracts import Benchmark, Policy, PolicyContext, Unit
from seer_bench.conventions import ImageSpec, Interface, check_conventions
from seer_bench.engine.checkpoints import local_checkpoint
from seer_bench.engine.crew import Limits
from seer_bench.engine.facts import cores
from seer_bench.engine.plan import select_units, shard_of
from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import POLICIES, find_protocol, load_benchmark, load_policy, plugins
from seer_bench.store import CheckpointId, Manifest, PolicyId, check_unit_ids, checkpoint_sha256


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
    shard: tuple[int, int] | None = None
    """(i, n): every n-th of these units from the i-th on."""
    seed: int = 0
    backend: str | None = None
    """None for the benchmark's default."""
    workers: int | None = None
    """Environments side by side; None for one a core."""
    device: str = "cpu"
    """Of a policy in the main process: "cpu", "cuda:0", or "cuda:0,1" for one policy on each."""
    threads: int = 1
    """CPU threads of a policy in the main process."""
    egl_devices: tuple[int, ...] = ()
    """GPUs that render, dealt out over the workers; empty leaves the choice to the driver."""
    limits: Limits = field(default_factory=Limits)
    """When a worker is given up."""
    fast: bool = False
    """Batch whatever waits, unpadded and unchecked; outcomes may then depend on timing."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Passed to the policy."""
    arm: Mapping[str, str] = field(default_factory=dict)
    """What the row in a table is; added to what the policy says of itself (`PolicySpec.arm`), which it overrides."""
    foresight: bool = False
    """Refuse a policy that foresees no images: films of them are to be made afterwards."""
    allow_mixed: bool = False
    """Continue although the simulation differs from the one that the run began with."""


@dataclass(frozen=True)
class Prepared:
    """A request that can be run."""

    request: RunRequest
    benchmark: Benchmark
    protocol: EvaluationProtocol
    interface: Interface
    units: tuple[Unit, ...]
    backend: str
    cameras: bool
    policies: tuple[Policy, ...]
    """One a device; just one where it is built in the workers, for its spec."""
    manifest: Manifest
    workers: int
    notes: tuple[str, ...]
    """What the user should know."""

    @property
    def policy(self) -> Policy:
        """The policy, for its spec."""
        return self.policies[0]

    def context(self, device: str) -> PolicyContext:
        """What a policy is built from."""
        return context_of(self.request, self.interface, self.protocol, device)


@dataclass(frozen=True)
class Resolved:
    """A request whose names, numbers and units are right; no checkpoint was looked at and no policy loaded."""

    request: RunRequest
    """With an absolute `out`."""
    benchmark: Benchmark
    protocol: EvaluationProtocol
    units: tuple[Unit, ...]
    backend: str


def resolve(request: RunRequest) -> Resolved:
    """The cheap part of `prepare`: what can be refused without the checkpoint.

    Raises:
        StoreError: the benchmark's units could not be kept apart in a run directory.
        UsageError: an unknown name, units that do not exist, a number that cannot be.
    """
    _check_numbers(request)
    request = replace(request, out=request.out.absolute())
    benchmark = load_benchmark(request.benchmark)
    protocol = find_protocol(benchmark, request.protocol)
    everything = benchmark.units(protocol)
    check_unit_ids(unit.id for unit in everything)
    units = select_units(everything, request.units)
    if request.shard is not None:
        units = shard_of(units, request.shard)
    backend = find_backend(benchmark, request.backend)
    known = plugins(POLICIES)
    if request.policy not in known:
        raise UnknownNameError("policy", request.policy, known, hint="List them with: seer-bench list")
    return Resolved(request, benchmark, protocol, tuple(units), backend)


def prepare(request: RunRequest) -> Prepared:
    """Resolve every name, load the policy and compare conventions.

    Paths are made absolute, as a policy may change the working directory.

    Raises:
        StoreError: the benchmark's units could not be kept apart in a run directory.
        UsageError: an unknown name, units that do not exist, conventions that do not fit, a missing checkpoint.
        AssetError: the simulator's assets are missing or altered.
        SimulationError: the renderer cannot be had.
    """
    resolved = resolve(request)
    benchmark, protocol = resolved.benchmark, resolved.protocol
    checkpoint, identity = None, None
    if request.checkpoint is not None:
        checkpoint = local_checkpoint(request.policy, request.checkpoint)
        identity = CheckpointId(checkpoint.name, checkpoint_sha256(checkpoint))
    request = replace(resolved.request, checkpoint=checkpoint)
    interface = benchmark.interface(protocol)
    with ExitStack() as closing:
        policies = _load_policies(request, interface, protocol)
        for policy in policies:
            closing.callback(policy.close)
        spec = policies[0].spec
        check_conventions(spec, interface)
        arm = {**spec.arm, **request.arm}
        check_arm(arm)
        if request.foresight and not spec.foresight:
            raise UsageError(f"--foresight: the policy '{request.policy}' foresees no images; leave the option out.")
        cameras = any(isinstance(field, ImageSpec) for field in spec.observations.values())
        batch, notes = _batch(request, policies[0])
        plugin = plugins(POLICIES)[request.policy]
        manifest = Manifest.create(
            protocol=protocol,
            simulation=benchmark.probe(protocol, cameras=cameras, backend=resolved.backend),
            backend=resolved.backend,
            policy=PolicyId(
                name=request.policy,
                distribution=plugin.distribution,
                version=plugin.version,
                privileged=spec.privileged,
                chunk=spec.chunk,
                options={key: value for key, value in request.options.items() if key not in spec.incidental},
                settings=dict(spec.settings),
                batch=batch,
                threads=request.threads,
                fast=request.fast and spec.placement == "main",
                incidental={key: value for key, value in request.options.items() if key in spec.incidental},
            ),
            checkpoint=identity,
            seed=request.seed,
            arm=arm,
        )
        closing.pop_all()  # all is well, so that whoever takes the policies closes them
    workers = request.workers or cores()
    return Prepared(
        request=request,
        benchmark=benchmark,
        protocol=protocol,
        interface=interface,
        units=resolved.units,
        backend=resolved.backend,
        cameras=cameras,
        policies=policies,
        manifest=manifest,
        workers=workers,
        notes=(*spec.notes, *notes),
    )


def _check_numbers(request: RunRequest) -> None:
    """Refuse what no run can be made with."""
    limits = request.limits
    counts = {"--workers": request.workers, "--threads": request.threads, "--worker-memory": limits.memory}
    for option, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"{option} {count}: at least one is needed.")
    seconds = {"--stall-timeout": limits.silence, "--policy-timeout": limits.policy, "--start-timeout": limits.start}
    for option, time in seconds.items():
        if not time > 0:
            raise UsageError(f"{option} {time:g}: it is a number of seconds above 0.")
    if re.fullmatch(r"[a-z]+(:[0-9]+(,[0-9]+)*)?", request.device) is None:
        raise UsageError(f"--device {request.device!r} is no device; write cpu, cuda:0 or cuda:0,1.")


def context_of(request: RunRequest, interface: Interface, protocol: EvaluationProtocol, device: str) -> PolicyContext:
    """What the policy of a request is built from on one device."""
    return PolicyContext(interface, protocol, request.checkpoint, device, request.threads, request.options)


def devices(text: str) -> list[str]:
    """Names of the devices in "cpu", "cuda:1" or "cuda:0,1"."""
    kind, colon, numbers = text.partition(":")
    if not colon:
        return [text]
    return [f"{kind}:{number}" for number in numbers.split(",")]


def _load_policies(request: RunRequest, interface: Interface, protocol: EvaluationProtocol) -> tuple[Policy, ...]:
    """One policy a device, or a single one where it lives in the workers."""
    names = devices(request.device)
    first = load_policy(request.policy, context_of(request, interface, protocol, names[0]))
    if first.spec.placement == "worker":
        return (first,)
    others = [load_policy(request.policy, context_of(request, interface, protocol, name)) for name in names[1:]]
    return (first, *others)


def _batch(request: RunRequest, policy: Policy) -> tuple[int, tuple[str, ...]]:
    """Rows of a batch, and what to tell the user about it."""
    wanted = policy.spec.batch
    if wanted == 1 or policy.spec.placement == "worker" or request.fast:
        return wanted, ()
    with threadpool_limits(request.threads):
        why = rows_are_independent(policy)
    if why:
        return 1, (f"batch 1 instead of {wanted}: {why}; --fast batches all the same.",)
    return wanted, ()


def find_backend(benchmark: Benchmark, name: str | None) -> str:
    """The backend of that name, or the benchmark's default."""
    backends = benchmark.backends()
    if name is not None and name not in backends:
        raise UnknownNameError(f"{benchmark.name} backend", name, backends)
    return name or backends[0]
