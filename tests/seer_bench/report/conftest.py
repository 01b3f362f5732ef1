"""Small runs, written by the real store, with scores that can be added up by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
import pytest

from seer_bench.contracts import SubtaskResult, UnitError, UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Campaign, Trial, stage_id
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


OWN_ARMS = {"seer": {"method": "Seer"}, "expert": {"method": "Expert"}}
"""What policies say of themselves."""


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
    fast: bool = False,
) -> Manifest:
    """A manifest with sensible values everywhere."""
    return Manifest.create(
        protocol=protocol or make_protocol(),
        simulation=dict(simulation or {"assets": "a1", "physics": "b2"}),
        backend=backend,
        policy=PolicyId(policy, "seer-bench", version, privileged, dict(options or {}), fast=fast),
        checkpoint=CheckpointId(*checkpoint) if checkpoint else None,
        seed=seed,
        arm={**OWN_ARMS.get(policy, {}), **(arm or {})},
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


LIBERO_TASKS = (
    "LIVING_ROOM_SCENE1_put_both_the_alphabet_soup_and_the_cream_cheese_box_in_the_basket",
    "LIVING_ROOM_SCENE2_put_both_the_cream_cheese_box_and_the_butter_in_the_basket",
    "KITCHEN_SCENE3_turn_on_the_stove_and_put_the_moka_pot_on_it",
    "KITCHEN_SCENE4_put_the_black_bowl_in_the_bottom_drawer_of_the_cabinet_and_close_it",
    "LIVING_ROOM_SCENE5_put_the_white_mug_on_the_left_plate_and_put_the_yellow_and_white_mug_on_the_right_plate",
    "STUDY_SCENE1_pick_up_the_book_and_place_it_in_the_back_compartment_of_the_caddy",
    "LIVING_ROOM_SCENE6_put_the_white_mug_on_the_plate_and_put_the_chocolate_pudding_to_the_right_of_the_plate",
    "LIVING_ROOM_SCENE2_put_both_the_alphabet_soup_and_the_tomato_sauce_in_the_basket",
    "KITCHEN_SCENE8_put_both_moka_pots_on_the_stove",
    "KITCHEN_SCENE6_put_the_yellow_and_white_mug_in_the_microwave_and_close_it",
)


def task_protocol(
    name: str = "libero-long/seer-v1", *, tasks: int = 10, per_task: int = 2, comparable: str = "yes"
) -> EvaluationProtocol:
    """A protocol of rollouts of single tasks, of the shape that the benchmark declares."""
    settings = {"trials": {"tasks": tasks, "per_task": per_task, "steps": 600}}
    return EvaluationProtocol(name, "libero", "Tasks.", "table1", comparable, settings)


def rollout(task: int, trial: int, solved: bool, *, policy_error: bool = False) -> UnitResult:
    """One rollout of the task number `task` of `LIBERO_TASKS`."""
    return UnitResult(
        unit_id=f"libero-long/seer-v1:task={task},trial={trial:02d}",
        attempt=1,
        outcome="success" if solved else "failure",
        subtasks=(SubtaskResult(LIBERO_TASKS[task], "do it", solved, 200),),
        seed=trial,
        actions_out_of_range=0,
        actions_sha256=actions_sha256(ACTIONS),
        error=UnitError("policy_error", "InvalidActionError: nan") if policy_error else None,
    )


def rollouts(*solved: int, per_task: int = 2) -> list[UnitResult]:
    """For each task how many of its rollouts were solved."""
    return [rollout(task, i, i < count) for task, count in enumerate(solved) for i in range(per_task)]


def lost(task: int, trial: int) -> UnitResult:
    """A rollout whose simulator failed."""
    return UnitResult(
        unit_id=f"libero-long/seer-v1:task={task},trial={trial:02d}",
        attempt=1,
        outcome="error",
        subtasks=(),
        seed=trial,
        actions_out_of_range=0,
        actions_sha256=None,
        error=UnitError("infrastructure_error", "SimulationError: no GL"),
    )


def robot_protocol(
    rule: str,
    tasks: Mapping[str, int] | None = None,
    *,
    cases: int = 15,
    trials: int = 3,
    disturbed: Mapping[str, str] | None = None,
    name: str = "real-robot/v1",
    comparable: str = "yes",
) -> EvaluationProtocol:
    """A campaign on a real robot: the paper's tasks, or others by their number of stages, with disturbed variants."""
    stages = tasks or {"flip_white_bowl": 2, "stack_cups": 4, "wipe_board": 3, "pick_place_close": 3}
    plans: list[dict[str, object]] = [
        {"id": task, "stages": [f"do {i}" for i in range(count)], "cases": cases, "trials": trials}
        for task, count in stages.items()
    ]
    for plan in list(plans):
        if words := (disturbed or {}).get(str(plan["id"])):
            plans.append({**plan, "id": f"{plan['id']}_disturbed", "of": plan["id"], "disturbance": words, "trials": 1})
    settings = {"real_robot": {"aggregation": rule, "tasks": plans}}
    return EvaluationProtocol(name, "real_robot", "Robot.", "table4", comparable, settings)


def trials(protocol: EvaluationProtocol, task: str, *cases: Sequence[int]) -> list[UnitResult]:
    """Of each case how many stages its trials completed."""
    (plan,) = (plan for plan in Campaign.of(protocol).tasks if plan.id == task)
    results = []
    for case, solved in enumerate(cases):
        for number, done in enumerate(solved):
            tried = range(min(done + 1, len(plan.stages)))
            results.append(
                UnitResult(
                    unit_id=Trial(task, case, number).unit_id(protocol.name),
                    attempt=1,
                    outcome="success" if done == len(plan.stages) else "failure",
                    subtasks=tuple(SubtaskResult(stage_id(task, i + 1), plan.stages[i], i < done, 0) for i in tried),
                    seed=0,
                    actions_out_of_range=0,
                    actions_sha256=actions_sha256(ACTIONS),
                )
            )
    return results


def texts(paths: Iterable[Path]) -> dict[str, str]:
    """File name -> text, of those that hold text."""
    return {path.name: path.read_text() for path in paths if path.suffix in {".md", ".tex", ".html", ".json", ".csv"}}


class WriteRun(Protocol):
    """Writes a run and gives its directory."""

    def __call__(
        self, name: str, results: Sequence[UnitResult], manifest: Manifest | None = None, allow_mixed: bool = False
    ) -> Path: ...


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The builders of this file, which test modules cannot import."""
    return sys.modules[__name__]


def write_session(
    path: Path, results: Sequence[UnitResult], manifest: Manifest | None = None, allow_mixed: bool = False
) -> Path:
    """One session of the run in `path`, which it gives back."""
    with RunWriter.open(path, manifest or make_manifest(), allow_mixed=allow_mixed) as writer:
        writer.start_session({})
        for result in results:
            writer.append(result, None if result.outcome == "error" else ACTIONS)
    return path


def _writer(folder: Path) -> WriteRun:
    """Writes runs into `folder`, one session a call."""

    def write(
        name: str, results: Sequence[UnitResult], manifest: Manifest | None = None, allow_mixed: bool = False
    ) -> Path:
        return write_session(folder / name, results, manifest, allow_mixed)

    return write


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """One session of a run below `tmp_path`/runs; calling it again with the same name adds a session."""
    return _writer(tmp_path / "runs")


@pytest.fixture(scope="module")
def write_shared(tmp_path_factory: pytest.TempPathFactory) -> WriteRun:
    """As `write_run`, for runs that a whole module reads."""
    return _writer(tmp_path_factory.mktemp("shared") / "runs")
