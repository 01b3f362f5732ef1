"""Arms made by hand: in memory, or as runs that the real store wrote."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from zlib import crc32

import numpy as np
import pytest

from seer_bench.compare.arm import Checkpoint, ComparedArm
from seer_bench.contracts import SubtaskResult, UnitError, UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, actions_sha256

TASKS = ("open_drawer", "lift_red_block_table", "turn_on_led", "push_blue_block_left", "close_drawer")
CHAINS = EvaluationProtocol(
    "calvin-abc-d/v1", "calvin", "Chains.", "table2", "yes", {"chain": {"length": 5, "count": 1000}}
)
ROLLOUTS = EvaluationProtocol(
    "libero-long/v1", "libero", "Tasks.", "table1", "yes", {"trials": {"tasks": 10, "per_task": 20, "steps": 600}}
)


def campaign(rule: str = "mean", *, cases: int = 5, trials: int = 3) -> EvaluationProtocol:
    """A campaign on a real robot with one task of two stages."""
    task = {"id": "flip_white_bowl", "stages": ["pick", "place"], "cases": cases, "trials": trials}
    settings = {"real_robot": {"aggregation": rule, "tasks": [task]}}
    return EvaluationProtocol("real-robot/v1", "real-robot", "Cases.", "table4", "yes", settings)


def manifest(
    protocol: EvaluationProtocol = CHAINS,
    *,
    policy: str = "seer",
    checkpoint: str | None = "epoch_19.pth",
    seed: int = 0,
    simulation: Mapping[str, str] | None = None,
    privileged: bool = False,
) -> Manifest:
    """A manifest with sensible values everywhere; the checkpoint's hash follows its name."""
    return Manifest.create(
        protocol=protocol,
        simulation=dict(simulation or {"assets": "a1", "physics": "b2"}),
        backend="own",
        policy=PolicyId(policy, "seer-bench", "0.1.0", privileged),
        checkpoint=CheckpointId(checkpoint, f"{crc32(checkpoint.encode()):064x}") if checkpoint else None,
        seed=seed,
    )


def actions(number: int) -> np.ndarray:
    """Some actions; equal numbers give equal ones."""
    return np.full((1, 7), number / 1e6)


def chain(index: int, solved: int, *, tasks: Sequence[str] = TASKS, played: int | None = None) -> UnitResult:
    """A chain that solved so many subtasks, then failed the next; `played` tells actions apart."""
    subtasks = tuple(SubtaskResult(tasks[i], f"do {tasks[i]}", i < solved, 10) for i in range(min(solved + 1, 5)))
    return result(f"{CHAINS.name}:chain={index:04d}", subtasks, played)


def rollout(task: int, trial: int, solved: bool, *, played: int | None = None) -> UnitResult:
    """One rollout of one of the tasks "T0", "T1", ..."""
    subtasks = (SubtaskResult(f"T{task}", "do it", solved, 200),)
    return result(f"{ROLLOUTS.name}:task={task},trial={trial:02d}", subtasks, played)


def trial(case: int, number: int, stages: int) -> UnitResult:
    """One trial of a campaign that completed so many of two stages."""
    tried = tuple(
        SubtaskResult(f"flip_white_bowl/{i + 1}", ("pick", "place")[i], i < stages, 1)
        for i in range(min(stages + 1, 2))
    )
    return result(f"real-robot/v1:task=flip_white_bowl,case={case:02d},trial={number}", tried, 0)


def result(unit: str, subtasks: tuple[SubtaskResult, ...], played: int | None) -> UnitResult:
    """An outcome."""
    number = played if played is not None else crc32(f"{unit} {subtasks}".encode()) % 10**6
    outcome = "success" if all(s.success for s in subtasks) else "failure"
    return UnitResult(unit, 1, outcome, subtasks, 0, 0, actions_sha256(actions(number)), run_info={"played": number})


def broken(index: int) -> UnitResult:
    """A chain whose simulator failed."""
    error = UnitError("infrastructure_error", "SimulationError: no GL")
    return UnitResult(f"{CHAINS.name}:chain={index:04d}", 1, "error", (), 0, 0, None, error)


def arm(letter: str, *runs: Sequence[UnitResult], protocol: EvaluationProtocol = CHAINS) -> ComparedArm:
    """An arm in memory, one run a checkpoint."""
    checkpoints = (
        Checkpoint(
            (Path(f"{letter}{i}"),),
            manifest(protocol, policy=letter, checkpoint=f"{letter}{i}.pth"),
            {r.unit_id: r for r in sorted(results, key=lambda r: r.unit_id)},
        )
        for i, results in enumerate(runs)
    )
    return ComparedArm(letter, f"policy {letter}", tuple(checkpoints))


def chains(letter: str, *solved: Sequence[int]) -> ComparedArm:
    """An arm of chains that solved so many subtasks, one list a checkpoint."""
    return arm(letter, *([chain(i, k) for i, k in enumerate(lengths)] for lengths in solved))


def write(path: Path, results: Sequence[UnitResult], of: Manifest | None = None) -> Path:
    """A run on disk."""
    with RunWriter.open(path, of or manifest()) as writer:
        writer.start_session({})
        for one in results:
            writer.append(one, None if one.outcome == "error" else actions(one.run_info["played"]))
    return path


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """The builders of this file, which test modules cannot import."""
    return sys.modules[__name__]
