"""What a folder of runs holds already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seer_bench.errors import SeerBenchError
from seer_bench.report.arms import Arm, arm_of_run
from seer_bench.store import Manifest, find_runs, read_run


@dataclass(frozen=True)
class Asked:
    """What makes a run the one that an arm needs."""

    policy: str
    options: dict[str, str]
    arm: Arm
    fingerprint: str
    """Of the protocol."""
    backend: str
    seed: int
    sha256: str | None
    """Of the checkpoint; None for a policy without weights."""


@dataclass(frozen=True)
class Held:
    """One run directory."""

    path: Path
    manifest: Manifest
    scored: frozenset[str]
    """Units with an outcome."""
    seconds: tuple[float, ...]
    """Playing times of the units that recorded one."""

    def plays(self, asked: Asked) -> bool:
        """Whether it is the run that is asked for."""
        manifest = self.manifest
        shaping = {key: value for key, value in asked.options.items() if key not in manifest.policy.incidental}
        return not manifest.policy.fast and replace(asked, options=shaping) == Asked(
            manifest.policy.name,
            dict(manifest.policy.options),
            arm_of_run(manifest),
            manifest.protocol.fingerprint,
            manifest.backend,
            manifest.seed,
            None if manifest.checkpoint is None else manifest.checkpoint.sha256,
        )


def read_held(root: Path) -> tuple[list[Held], list[str]]:
    """Every run below a folder that can be read, and in words those that cannot; none where there is no folder."""
    held, problems = [], []
    for path in find_runs([root]) if root.is_dir() else []:
        try:
            run = read_run(path)
        except SeerBenchError as error:
            problems.append(f"{path}: cannot be read, so it counts for nothing. {error}")
            continue
        results = [result for result in run.results.values() if result.outcome != "error"]
        seconds = (result.run_info.get("seconds") for result in results)
        held.append(
            Held(
                path.absolute(),
                run.manifest,
                frozenset(result.unit_id for result in results),
                tuple(float(s) for s in seconds if isinstance(s, int | float)),
            )
        )
    return held, problems


def mean_seconds(held: Sequence[Held], policy: str, fingerprint: str) -> tuple[float, int] | None:
    """Mean playing time of a unit of one policy under one protocol, and from how many; None where none is recorded."""
    times = [
        second
        for run in held
        if run.manifest.policy.name == policy and run.manifest.protocol.fingerprint == fingerprint
        for second in run.seconds
    ]
    return (sum(times) / len(times), len(times)) if times else None
