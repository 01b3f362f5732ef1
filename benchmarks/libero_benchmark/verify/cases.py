"""Success and near-miss cases: states set by hand, and what upstream's check says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seer_bench.contracts import Array
from seer_bench.verification.compare import Comparison, describe
from seer_bench.verification.recording import RecordError, field

from ..fixtures import FixturePose
from ..suites import Task
from ..world import World
from .recording import LiberoRecording
from .worlds import REST, Worlds, goal_truth

STATE_TOLERANCE = 1e-3
"""Metres, radians or units per second in a state after settle steps.

Of the 75 cases of the upstream recordings 74 agree within 1e-6, and one within 1e-4.
"""


def compare_success_cases(recording: LiberoRecording, comparison: Comparison, worlds: Worlds) -> None:
    """Judge hand-made states before and after some steps at rest: success, and the truth of every predicate.

    The .json file lists cases by `task` and `label`, with `settle` steps, `success_before`, `success_after`,
    `preds_before`, `preds_after`, and `step_done`, what the last step said. Their arrays are `taskT_LABEL/state_before`
    and `taskT_LABEL/state_after`; `taskT/fixture_body_pos` (n, 3) is where the scene's fixtures stand.

    Whoever made the cases left a warm start in the solver that no state holds. So the states after the settle steps
    need to agree within `STATE_TOLERANCE` only; what is judged is every truth value.
    """
    entries = recording.entries()
    comparison.expect(len(entries))
    for position, entry in enumerate(entries):
        with comparison.unit(f"case {position} (task {entry.get('task')}, {entry.get('label')})"):
            _compare_case(recording, comparison, worlds, entry, f"case {position}")


def _compare_case(
    recording: LiberoRecording, comparison: Comparison, worlds: Worlds, entry: dict[str, Any], where: str
) -> None:
    number, steps = field(entry, "task", int, where), field(entry, "settle", int, where)
    label = field(entry, "label", str, where)
    task = recording.task_at(number)
    before, after = (_state(recording, task, f"task{number}_{label}/state_{when}") for when in ("before", "after"))
    world = worlds.of(task)
    fixtures = _fixtures(recording, world, number)
    comparison.count(cases=1, steps=steps)

    world.reset(after, fixtures=fixtures)
    _compare_truth(comparison, entry, "after", world, where)
    world.reset(before, fixtures=fixtures)
    _compare_truth(comparison, entry, "before", world, where)

    done = False
    for _ in range(steps):
        done = world.step(REST)
    comparison.outcome("step_done", field(entry, "step_done", bool, where), done)
    if steps == 0:
        comparison.numbers("state_after", after, world.flat_state, role="alone")
    else:
        comparison.close_numbers("state_after", after, world.flat_state, STATE_TOLERANCE)
        _compare_truth(comparison, entry, "after", world, where)


def _compare_truth(comparison: Comparison, entry: dict[str, Any], when: str, world: World, where: str) -> None:
    """Success and every predicate of the goal, in the present state."""
    truth, recorded = goal_truth(world), field(entry, f"preds_{when}", dict, where)
    for predicate in (*truth, *(recorded.keys() - truth.keys())):
        comparison.outcome(f"{predicate} ({when})", recorded.get(predicate), truth.get(predicate))
    comparison.outcome(f"success ({when})", field(entry, f"success_{when}", bool, where), world.success)


def _state(recording: LiberoRecording, task: Task, key: str) -> Array:
    return recording.arrays.floats(key, (task.init_states_shape[1],))


def _fixtures(recording: LiberoRecording, world: World, number: int) -> Mapping[str, FixturePose]:
    """Where the recording has the scene's fixtures, in upstream's order; they are oriented as ever."""
    now, key = world.fixtures, f"task{number}/fixture_body_pos"
    if not now and key not in recording.arrays:
        return {}
    positions = recording.arrays.floats(key, (None, 3))
    if len(positions) != len(now):
        raise RecordError(f"'{key}' must have a row for each of {list(now)}, it holds {describe(positions)}")
    return {
        name: FixturePose((x, y, z), pose.quaternion)
        for (name, pose), (x, y, z) in zip(now.items(), positions.tolist(), strict=True)
    }
