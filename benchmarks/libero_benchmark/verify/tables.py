"""Kinds of records that are compared without playing anything: initial states and where fixtures stand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from seer_bench.contracts import Array
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, field

from ..fixtures import FixturePose
from ..package import load_upstream
from ..protocols import fixture_rule, load_protocol
from ..suites import DEFAULT_SUITE, Task, load_suites, read_states, state_file
from .recording import LiberoRecording
from .worlds import Worlds, draw_fixtures

PROTOCOL = "libero-long/seer-v1"
"""The protocol that lists fixture poses drawn in this way."""

PROTOCOL_SEED = 42


def compare_init_states(recording: LiberoRecording, comparison: Comparison) -> None:
    """Compare the installed files of initial states: shape, dtype and SHA-256 of their little-endian float64 bytes.

    The .json file is an object: file name -> `shape`, `dtype`, `sha256_f8_le`.
    """
    tree = _object(recording, recording.tree)
    comparison.expect(len(tree))
    for name, entry in tree.items():
        with comparison.unit(name):
            states = installed_states(name, recording.suite)
            comparison.count(files=1, states=len(states))
            content = np.ascontiguousarray(states, dtype="<f8").tobytes()
            recorded = _object(recording, entry)
            comparison.outcome("shape", recorded.get("shape"), list(states.shape))
            comparison.outcome("dtype", recorded.get("dtype"), str(states.dtype))
            comparison.outcome("sha256", recorded.get("sha256_f8_le"), hashlib.sha256(content).hexdigest())


def installed_states(name: str, suite: str) -> Array:
    """The array in an installed file of that name; raises RecordError where there is none, AssetError for a damaged."""
    root = load_upstream().init_states
    for folder in dict.fromkeys((suite, DEFAULT_SUITE, *load_suites())):
        path = state_file(root / folder / Path(name).name)
        if path.is_file():
            return read_states(path)
    raise RecordError(f"LIBERO has no file '{name}' under {root}")


def compare_fixture_poses(recording: LiberoRecording, comparison: Comparison, worlds: Worlds) -> None:
    """Compare fixture poses with the protocol that lists them, and with what upstream's environment draws here.

    The .json file holds `tasks`: number -> fixture -> `body_pos` (3) and `body_quat` (4, wxyz), as a new environment
    puts them with its one reset, where the seed was set before the environment was built. The seed is `seed`, 42 if
    left out.
    """
    worlds.close()  # one simulation at a time
    tree = _object(recording, recording.tree)
    seed = field(tree, "seed", int, recording.name) if "seed" in tree else PROTOCOL_SEED
    tasks = field(tree, "tasks", dict, recording.name)
    comparison.expect(len(tasks))
    for number, entry in tasks.items():
        with comparison.unit(f"task {number}"):
            if not number.isdigit():
                raise RecordError(f"'tasks' names task {number!r}, which is no number")
            task = recording.task_at(int(number))
            recorded = _object(recording, entry)
            comparison.count(tasks=1)
            _compare_poses(comparison, "upstream", recorded, draw_fixtures(task, seed, seed_construction=True))
            if seed == PROTOCOL_SEED and task.suite == DEFAULT_SUITE:
                _compare_poses(comparison, PROTOCOL, recorded, _protocol_poses(task))


def _protocol_poses(task: Task) -> dict[str, FixturePose]:
    rule = fixture_rule(load_protocol(PROTOCOL), suite=task.suite, task=task.index, trial=0)
    return dict(rule.poses)


def _compare_poses(comparison: Comparison, whose: str, recorded: dict[str, Any], ours: dict[str, FixturePose]) -> None:
    comparison.outcome(f"fixtures of {whose}", sorted(recorded), sorted(ours))
    for name in recorded.keys() & ours.keys():
        entry = recorded[name] if isinstance(recorded[name], dict) else {}
        for part, pose in (("body_pos", ours[name].position), ("body_quat", ours[name].quaternion)):
            values = entry.get(part)
            if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
                raise RecordError(f"'{name}' must have a list of numbers '{part}', got {values!r}")
            comparison.numbers(f"{part} of {name} ({whose})", np.array(values, float), np.array(pose), role="alone")


def _object(recording: LiberoRecording, value: Any) -> dict[str, Any]:
    """A JSON object; raises RecordError."""
    if not isinstance(value, dict):
        raise RecordError(f"record '{recording.name}': expected an object, got {str(value)[:80]!r}")
    return value
