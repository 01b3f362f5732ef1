"""Small runs, written by the real store, with scores that can be added up by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
import pytest

from seer_bench.contracts import SubtaskResult, UnitError, UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, actions_sha256

TASKS = ("open_drawer", "lift_red_block_table", "turn_on_led", "push_blue_block_left", "close_drawer")


def make_protocol(
    name: str = "calvin-abc-d/v1",
    *,
    length: int = 5,
    count: int = 10,
    comparable: str = "yes",
    table: str = "table2",
    settings: Mapping[str, object] | None = None,
) -> EvaluationProtocol:
    """A chain protocol of the shape that the benchmark declares."""
    settings = settings or {"chain": {"length": length, "count": count}}
    return EvaluationProtocol(name, "calvin", "Chains.", table, comparable, settings)


def make_manifest(
    protocol: EvaluationProtocol | None = None,
    *,
    policy: str = "seer",
    privileged: bool = False,
    version: str = "0.1.0",
    options: Mapping[str, str] | None = None,
    checkpoint: tuple[str, str] | None = ("epoch_19.pth", "ab" * 32),
    seed: int = 0,
    arm: Mapping[str, str] | None = None,
    backend: str = "own",
    simulation: Mapping[str, str] | None = None,
) -> Manifest:
    """A manifest with sensible values everywhere."""
    return Manifest.create(
        protocol=protocol or make_protocol(),
        simulation=dict(simulation or {"assets": "a1", "physics": "b2"}),
        backend=backend,
        policy=PolicyId(policy, "seer-bench", version, privileged, dict(options or {})),
        checkpoint=CheckpointId(*checkpoint) if checkpoint else None,
        seed=seed,
        arm=dict(arm or {}),
    )


ACTIONS = np.zeros((1, 7))


def chain(
    index: int,
    solved: int,
    *,
    length: int = 5,
    out_of_range: int = 0,
    policy_error: bool = False,
    tasks: Sequence[str] = TASKS,
) -> UnitResult:
    """A chain that solved so many subtasks, then failed the next."""
    attempted = min(solved + 1, length)
    subtasks = tuple(SubtaskResult(tasks[i], f"do {tasks[i]}", i < solved, 10) for i in range(attempted))
    return UnitResult(
        unit_id=f"calvin-abc-d/v1:chain={index:04d}",
        attempt=1,
        outcome="success" if solved == length else "failure",
        subtasks=subtasks,
        seed=index,
        actions_out_of_range=out_of_range,
        actions_sha256=actions_sha256(ACTIONS),
        error=UnitError("policy_error", "InvalidActionError: nan") if policy_error else None,
    )


def broken(index: int) -> UnitResult:
    """A chain whose simulator failed."""
    return UnitResult(
        unit_id=f"calvin-abc-d/v1:chain={index:04d}",
        attempt=1,
        outcome="error",
        subtasks=(),
        seed=index,
        actions_out_of_range=0,
        actions_sha256=None,
        error=UnitError("infrastructure_error", "SimulationError: no GL"),
    )


class WriteRun(Protocol):
    """Writes a run and gives its directory."""

    def __call__(
        self, name: str, results: Sequence[UnitResult], manifest: Manifest | None = None, allow_mixed: bool = False
    ) -> Path: ...


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The builders of this file, which test modules cannot import."""
    return sys.modules[__name__]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """One session of a run below `tmp_path`/runs; calling it again with the same name adds a session."""

    def write(
        name: str, results: Sequence[UnitResult], manifest: Manifest | None = None, allow_mixed: bool = False
    ) -> Path:
        path = tmp_path / "runs" / name
        with RunWriter.open(path, manifest or make_manifest(), allow_mixed=allow_mixed) as writer:
            writer.start_session({})
            for result in results:
                writer.append(result, None if result.outcome == "error" else ACTIONS)
        return path

    return write
