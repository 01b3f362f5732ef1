"""A run's identity: what must be equal before results may stand in one table row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seer_bench.errors import CheckpointError, DamagedRecordError, RunMismatchError, StoreError, UsageError
from seer_bench.protocol import EvaluationProtocol, differences, fingerprint
from seer_bench.store._files import cannot_read, utc_now
from seer_bench.store._json import Json, check_keys, check_schema, parse_object, take, take_strings
from seer_bench.store.records import UNITS

SCHEMA = "seer-bench/manifest/1"
MANIFEST = "manifest.json"

_FIELDS = {
    "schema", "protocol", "protocol_fingerprint", "simulation", "backend", "policy", "checkpoint", "seed", "arm",
    "created",
}  # fmt: skip
_POLICY_FIELDS = {
    "name", "distribution", "version", "privileged", "options", "settings", "chunk", "batch", "threads", "fast",
    "incidental",
}  # fmt: skip


@dataclass(frozen=True)
class PolicyId:
    """Which policy was run, and how it was set up."""

    name: str
    """The name that it is registered under."""
    distribution: str
    """The distribution that declares it, e.g. "seer-bench"."""
    version: str
    """Version of that distribution."""
    privileged: bool = False
    """It reads the simulator's state; every table marks it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """`--policy-arg key=value`, but for `incidental`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What else shapes the policy's actions, as `PolicySpec.settings` declares it."""
    chunk: int = 1
    """Actions that one call of `act` returns."""
    batch: int = 1
    """Rows of every call of `act`, padding included; with `fast` the most that a call may have."""
    threads: int = 1
    """CPU threads that the policy may use."""
    fast: bool = False
    """Batches were as long as chance made them; every table marks it."""
    incidental: Mapping[str, str] = field(default_factory=dict)
    """Options that shape no action, as `PolicySpec.incidental` declares them; never compared."""

    @property
    def arguments(self) -> dict[str, str]:
        """All that `--policy-arg` said."""
        return {**self.options, **self.incidental}


@dataclass(frozen=True)
class CheckpointId:
    """Which weights were run."""

    name: str
    """File or directory name, shown to people; a moved or renamed checkpoint is the same one."""
    sha256: str
    """As `checkpoint_sha256` gives it."""


@dataclass(frozen=True)
class Manifest:
    """Everything that `<run>/manifest.json` holds; written once, when the run directory is made."""

    protocol: EvaluationProtocol
    simulation: Mapping[str, str]
    """Hashes from `Benchmark.probe`: assets, a physics trace and, where the policy looks, one frame."""
    backend: str
    """The simulator that played the protocol, as given by `--backend`."""
    policy: PolicyId
    checkpoint: CheckpointId | None
    """None for a policy without weights."""
    seed: int
    """The run's seed; the seeds of units derive from it."""
    arm: Mapping[str, str]
    """What the table row is, e.g. {"variant": "large", "data": "10%"}."""
    created: str
    """ISO 8601, UTC; shown and never compared."""

    @classmethod
    def create(
        cls,
        *,
        protocol: EvaluationProtocol,
        simulation: Mapping[str, str],
        backend: str,
        policy: PolicyId,
        checkpoint: CheckpointId | None = None,
        seed: int = 0,
        arm: Mapping[str, str] | None = None,
    ) -> Manifest:
        """The manifest of a run that is asked for now; the arguments are the fields of the same name."""
        return cls(protocol, dict(simulation), backend, policy, checkpoint, seed, dict(arm or {}), utc_now())

    def to_json(self) -> Json:
        """The file's contents."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol.to_json(),
            "protocol_fingerprint": self.protocol.fingerprint,
            "simulation": dict(self.simulation),
            "backend": self.backend,
            "policy": asdict(self.policy),
            "checkpoint": None if self.checkpoint is None else asdict(self.checkpoint),
            "seed": self.seed,
            "arm": dict(self.arm),
            "created": self.created,
        }

    @classmethod
    def from_json(cls, data: Json, *, source: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            DamagedRecordError: a field is missing, unknown or of a wrong type, the schema is newer, or the protocol
                is not the one that its fingerprint was taken from; `source` is named.
        """
        check_schema(data, SCHEMA, source)
        check_keys(data, _FIELDS, source)
        return cls(
            protocol=_protocol(data, source),
            simulation=take_strings(data, "simulation", source),
            backend=take(data, "backend", source, str),
            policy=_policy(take(data, "policy", source, dict), f"{source}: policy"),
            checkpoint=_checkpoint(take(data, "checkpoint", source, dict, type(None)), f"{source}: checkpoint"),
            seed=take(data, "seed", source, int),
            arm=take_strings(data, "arm", source),
            created=take(data, "created", source, str),
        )

    @property
    def identity(self) -> str:
        """sha256 over all that is always refused when it differs; equal for the shards of one run."""
        return fingerprint(self._compared())

    def _compared(self) -> Json:
        """The fields that identify the run, in the form in which JSON gives them back."""
        tree: dict[str, Any] = {
            "protocol": {
                "name": self.protocol.name,
                "benchmark": self.protocol.benchmark,
                "fingerprint": self.protocol.fingerprint,
                "settings": self.protocol.settings,
            },
            "backend": self.backend,
            "policy": {key: value for key, value in asdict(self.policy).items() if key != "incidental"},
            "checkpoint": None if self.checkpoint is None else {"sha256": self.checkpoint.sha256},
            "seed": self.seed,
            "arm": dict(self.arm),
        }
        compared: Json = json.loads(json.dumps(tree))
        return compared


def identity_differences(asked: Manifest, held: Manifest) -> list[str]:
    """What makes two manifests different runs, one line a field: "seed: 1 here, 0 there". Empty for the same run."""
    return differences(asked._compared(), held._compared())


def simulation_differences(asked: Manifest, held: Manifest) -> list[str]:
    """Where two simulation fingerprints differ, one line a hash."""
    return differences(dict(asked.simulation), dict(held.simulation), path="simulation")


def check_same_run(asked: Manifest, held: Manifest, path: Path, *, allow_mixed: bool = False) -> None:
    """Refuse to continue the run in `path` (whose manifest is `held`) with `asked`.

    Raises:
        RunMismatchError: naming every difference; one of the simulation alone passes with `allow_mixed`.
    """
    different = identity_differences(asked, held)
    simulation = simulation_differences(asked, held)
    if different:
        lines = "\n".join(f"  {line}" for line in different + simulation)
        raise RunMismatchError(
            f"{path} holds {describe(held)}; asked for was {describe(asked)}. "
            f"What differs (here: asked for, there: in the directory):\n{lines}\n"
            f"Choose another --out, or repeat the earlier command (it is in {path / 'sessions'})."
        )
    if simulation and not allow_mixed:
        lines = "\n".join(f"  {line}" for line in simulation)
        raise RunMismatchError(
            f"{path} holds {describe(held)}, recorded in another simulation. "
            f"What differs (here: this machine, there: in the directory):\n{lines}\n"
            "Choose another --out, or add --allow-mixed: every table will then carry a footnote."
        )


def describe(manifest: Manifest) -> str:
    """One run in a few words."""
    weights = f" with {manifest.checkpoint.name}" if manifest.checkpoint else ""
    return f"'{manifest.policy.name}'{weights} on {manifest.protocol.name} (seed {manifest.seed})"


def read_manifest(run: Path) -> Manifest:
    """The manifest of a run directory.

    Raises:
        StoreError: there is none.
        DamagedRecordError: it is not JSON, incomplete, altered, or of a newer seer-bench.
    """
    path = run / MANIFEST
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        lost = "It holds records of which nothing says what was run: put the file back."
        advice = lost if (run / UNITS).exists() else "Name one that `seer-bench run` made."
        raise StoreError(f"{run}: no run directory (it has no {MANIFEST}). {advice}") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    return Manifest.from_json(parse_object(data, str(path)), source=str(path))


def checkpoint_sha256(path: Path) -> str:
    """Hash the weights: a file's contents, or for a directory the sorted relative names and contents of its files.

    Raises:
        CheckpointError: the path is missing, unreadable or an empty directory.
    """
    try:
        if not path.is_dir():
            return _file_sha256(path)
        files = {p.relative_to(path).as_posix(): _file_sha256(p) for p in path.rglob("*") if p.is_file()}
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: cannot be read: {error.strerror}. Check --ckpt.") from error
    if not files:
        raise CheckpointError(f"checkpoint {path}: the directory holds no file. Check --ckpt.")
    return fingerprint(files)


def _file_sha256(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _protocol(data: Json, source: str) -> EvaluationProtocol:
    """The protocol, if it still is the one that was fingerprinted."""
    tree = take(data, "protocol", source, dict)
    try:
        protocol = EvaluationProtocol.from_json(tree, source=source)
    except UsageError as error:
        raise DamagedRecordError(str(error)) from error
    for key in tree:
        take(tree, key, f"{source}: protocol", dict if key == "settings" else str)
    written = data["protocol_fingerprint"]
    if protocol.fingerprint != written:
        raise DamagedRecordError(
            f"{source}: the protocol has the fingerprint {protocol.fingerprint}, but {written} was recorded: "
            "the file was altered. Restore it, or start afresh with another --out."
        )
    return protocol


def _policy(data: Json, where: str) -> PolicyId:
    """The policy's part of a manifest."""
    data = {"settings": {}, "incidental": {}, **data}  # older manifests lack them
    check_keys(data, _POLICY_FIELDS, where)
    return PolicyId(
        name=take(data, "name", where, str),
        distribution=take(data, "distribution", where, str),
        version=take(data, "version", where, str),
        privileged=take(data, "privileged", where, bool),
        options=take_strings(data, "options", where),
        settings=take_strings(data, "settings", where),
        chunk=take(data, "chunk", where, int),
        batch=take(data, "batch", where, int),
        threads=take(data, "threads", where, int),
        fast=take(data, "fast", where, bool),
        incidental=take_strings(data, "incidental", where),
    )


def _checkpoint(data: Json | None, where: str) -> CheckpointId | None:
    """The checkpoint's part of a manifest."""
    if data is None:
        return None
    check_keys(data, {"name", "sha256"}, where)
    return CheckpointId(take(data, "name", where, str), take(data, "sha256", where, str))
