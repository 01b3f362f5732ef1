"""Kinds of records that are compared without simulating: oracle truth and the benchmark's lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from seer_bench.verification.compare import Comparison, describe
from seer_bench.verification.recording import Arrays, RecordError

from ..chains import initial_state_vectors, load_chains, load_sentences
from ..oracle import TASK_NAMES, TASKS, Check, Lift, MoveDoor, Place, Push, PushInto, Rotate, Toggle, solved
from ..recorded import recorded_snapshots
from ..snapshot import BLOCKS, Snapshot, Touch
from .recording import CalvinRecording


def compare_oracle(recording: CalvinRecording, comparison: Comparison) -> None:
    """Judge recorded pairs of states by every task check.

    `pairs` (N, 2) are indices of a start and an end state, `labels` (N, T) upstream's verdicts, `task_names` (T,).
    """
    arrays = recording.arrays
    tasks = [str(name) for name in arrays["task_names"].ravel()]
    if unknown := [task for task in tasks if task not in TASKS]:
        raise RecordError(f"{arrays.name}: 'task_names' holds unknown tasks {unknown}")
    snapshots = _snapshots(arrays)
    pairs, labels = arrays["pairs"], arrays["labels"]
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise RecordError(
            f"{arrays.name}: 'pairs' must hold integers of shape (n, 2), it holds {pairs.dtype} {pairs.shape}"
        )
    if labels.shape != (len(pairs), len(tasks)) or labels.dtype != np.bool_:
        raise RecordError(
            f"{arrays.name}: 'labels' must hold bool {(len(pairs), len(tasks))}, it holds {describe(labels)}"
        )
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() < len(snapshots):
        raise RecordError(f"{arrays.name}: 'pairs' points outside the {len(snapshots)} states")
    comparison.count(pairs=len(pairs), states=len(snapshots))
    for i, (start, end) in enumerate(pairs.tolist()):
        with comparison.unit(f"pair {i} (states {start} and {end})"):
            for task, label in zip(tasks, labels[i].tolist(), strict=True):
                comparison.outcome(task, label, solved(task, snapshots[start], snapshots[end]))


def _snapshots(arrays: Arrays) -> list[Snapshot]:
    """The record's states; raises RecordError where its arrays do not fit together."""
    count = len(np.atleast_1d(arrays["doors"]))
    for name, rest in _STATE_SHAPES.items():
        arrays.floats(name, (count, *rest))
    if arrays["lights"].shape != (count, 2) or arrays["contact_offsets"].shape != (count + 1,):
        raise RecordError(f"{arrays.name}: 'lights' or 'contact_offsets' do not fit {count} states")
    offsets, contacts = arrays["contact_offsets"], arrays["contact_ids"]
    if contacts.ndim != 2 or contacts.shape[1] != 5 or offsets[0] != 0 or offsets[-1] != len(contacts):
        raise RecordError(f"{arrays.name}: 'contact_ids' {contacts.shape} does not fit 'contact_offsets'")
    if (contacts[:, :3] < 0).any() or (contacts[:, 3:] < -1).any():
        raise RecordError(f"{arrays.name}: 'contact_ids' holds a body below 0 or a link below -1")
    try:
        return recorded_snapshots(dict(_read(arrays)))
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise RecordError(f"{arrays.name}: its arrays do not fit together: {error}") from error


_STATE_SHAPES: dict[str, tuple[int, ...]] = {
    "block_pos": (3, 3),
    "block_quat": (3, 4),
    "block_lin_vel": (3, 3),
    "block_ang_vel": (3, 3),
    "doors": (2,),
    "button": (2,),
    "switch": (2,),
}


def _read(arrays: Arrays) -> list[tuple[str, Any]]:
    return [(name, arrays[name]) for name in (*_STATE_SHAPES, "lights", "contact_offsets", "contact_ids")]


def compare_sequences(recording: CalvinRecording, comparison: Comparison) -> None:
    """Compare the list of chains: symbolic initial state and five subtasks each."""
    entries = recording.entries()
    chains = load_chains()
    comparison.count(chains=len(entries))
    comparison.outcome("number of chains", len(entries), len(chains))
    for entry, chain in zip(entries, chains, strict=False):
        with comparison.unit(f"chain {chain.index}"):
            comparison.outcome("initial state", entry.get("initial_state"), vars(chain.initial_state))
            comparison.outcome("subtasks", entry.get("sequence"), list(chain.subtasks))


def compare_initial_states(recording: CalvinRecording, comparison: Comparison) -> None:
    """Compare the vectors that chains are reset to, row by row from chain 0 on."""
    arrays = recording.arrays
    chains = load_chains()
    for name, column in (("robot_obs", 0), ("scene_obs", 1)):
        computed = [initial_state_vectors(chain.initial_state)[column] for chain in chains]
        recorded = arrays[name]
        with comparison.unit(""):
            if recorded.shape[:1] != (len(chains),):
                raise RecordError(
                    f"{arrays.name}: '{name}' must have {len(chains)} rows, its shape is {recorded.shape}"
                )
        for index, (want, have) in enumerate(zip(recorded, computed, strict=False)):
            with comparison.unit(f"chain {index}"):
                comparison.numbers(name, want, have, role="alone")
    comparison.count(chains=len(chains))


def compare_tasks(recording: CalvinRecording, comparison: Comparison) -> None:
    """Compare names, order and parameters of the task checks, and the sentences."""
    tree = recording.tree
    if not isinstance(tree, dict):
        raise RecordError(f"record '{recording.name}': the .json file must hold an object")
    comparison.count(tasks=len(TASKS))
    comparison.outcome("task order", tree.get("task_order"), list(TASK_NAMES))
    ours: dict[str, dict[str, Any]] = {
        "tasks": {task: _parameters(check) for task, check in TASKS.items()},
        "annotations": load_sentences(),
    }
    for part, values in ours.items():
        recorded = tree.get(part)
        if not isinstance(recorded, dict):
            raise RecordError(f"record '{recording.name}': '{part}' must be an object")
        for task in (*values, *(recorded.keys() - values.keys())):
            with comparison.unit(task):
                comparison.outcome(part, recorded.get(task), values.get(task))


def _parameters(check: Check) -> list[Any]:
    """A check as upstream's configuration writes it: kind of check, then its parameters."""
    match check:
        case Rotate(block, degrees):
            return ["rotate_object", block, degrees]
        case Push(block, distance):
            return ["push_object", block, distance, 0]
        case Lift(block, height, source):
            return ["lift_object", block, height, *source]
        case Place(destination):
            return ["place_object", *destination]
        case MoveDoor(door, distance):
            return ["move_door_rel", f"base__{door}", distance]
        case Toggle(light, on):
            return ["toggle_light", light, int(not on), int(on)]
        case PushInto(Touch() as source, Touch() as destination):
            return ["push_object_into", list(BLOCKS), *source, *destination]
        case _:
            return [f"{type(check).__name__.lower()}_objects"]
