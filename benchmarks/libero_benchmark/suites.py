"""Suites and their tasks: names, sentences, and the files that they are made from, checked by hash."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import AssetError, UnknownNameError, UsageError

from .package import load_upstream
from .torch_archive import read_torch_array

DEFAULT_SUITE = "libero_10"

_REMEDY = "Run: pip install --force-reinstall 'seer-bench[libero]'"


@dataclass(frozen=True)
class Task:
    """One task of a suite, as upstream publishes it."""

    suite: str
    """Upstream's name of the suite, e.g. "libero_10"."""
    index: int
    """Position in the suite, in upstream's order."""
    name: str
    """E.g. "KITCHEN_SCENE3_turn_on_the_stove_and_put_the_moka_pot_on_it"."""
    instruction: str
    """The sentence that policies are given."""
    bddl_sha256: str
    """Of the file that describes the scene and the goal."""
    init_states_shape: tuple[int, int]
    """(states, 1 + nq + nv); a row is time [s], positions, velocities."""
    init_states_sha256: str
    """Of the initial states (`.pruned_init`) as little-endian float64."""


@lru_cache(maxsize=1)
def load_suites() -> dict[str, tuple[Task, ...]]:
    """All suites by upstream's name, each with its tasks in upstream's order; no simulator is needed."""
    data = json.loads(files(__package__).joinpath("data/tasks.json").read_text(encoding="utf-8"))
    return {
        suite: tuple(
            Task(suite, index, **{**row, "init_states_shape": tuple(row["init_states_shape"])})
            for index, row in enumerate(rows)
        )
        for suite, rows in data.items()
    }


def load_suite(name: str) -> tuple[Task, ...]:
    """The tasks of a suite; raises UnknownNameError."""
    suites = load_suites()
    if name not in suites:
        raise UnknownNameError("LIBERO suite", name, suites)
    return suites[name]


def find_task(suite: str, index: int) -> Task:
    """The task at a position of a suite.

    Raises:
        UnknownNameError: no such suite.
        UsageError: no such task.
    """
    tasks = load_suite(suite)
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
        raise UsageError(f"a task is chosen by its number, 0 to {len(tasks) - 1}, not by {index!r}.")
    if not 0 <= index < len(tasks):
        raise UsageError(f"{suite} has no task {index}; its tasks are numbered 0 to {len(tasks) - 1}.")
    return tasks[index]


def suite_sha256(suite: str) -> str:
    """SHA-256 over names, sentences and file hashes of a suite's tasks, as they must be."""
    rows = [[t.name, t.instruction, t.bddl_sha256, t.init_states_sha256] for t in load_suite(suite)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def bddl_path(task: Task) -> Path:
    """The installed file that describes scene and goal; raises AssetError where it is not upstream's."""
    path = load_upstream().bddl_files / task.suite / f"{task.name}.bddl"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror}. {_REMEDY}") from error
    if found != task.bddl_sha256:
        raise AssetError(f"{path} is not upstream's: sha256 {found}, expected {task.bddl_sha256}. {_REMEDY}")
    return path


@lru_cache(maxsize=16)
def load_init_states(task: Task) -> NDArray[np.float64]:
    """The task's initial states, of shape `task.init_states_shape`; read only.

    Raises:
        AssetError: the file is missing, damaged, or holds other states than upstream's.
    """
    path = state_file(load_upstream().init_states / task.suite / f"{task.name}.pruned_init")
    states = read_states(path)
    states = np.ascontiguousarray(states, dtype="<f8")
    found = hashlib.sha256(states.tobytes()).hexdigest()
    if states.shape != task.init_states_shape or found != task.init_states_sha256:
        raise AssetError(
            f"{path} does not hold upstream's initial states: shape {states.shape}, sha256 {found}; expected "
            f"{task.init_states_shape}, {task.init_states_sha256}. {_REMEDY}"
        )
    states.flags.writeable = False
    return states


def state_file(path: Path) -> Path:
    """The file that holds initial states: upstream's own, or a NumPy archive beside it with one more suffix."""
    packed = path.with_name(f"{path.name}.npz")
    return packed if packed.is_file() else path


def read_states(path: Path) -> NDArray[np.float64]:
    """The initial states in a file that `state_file` found; raises AssetError where it is missing or damaged."""
    try:
        if path.suffix != ".npz":
            return read_torch_array(path)
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return np.asarray(arrays["states"])
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise AssetError(f"{path} cannot be read: {type(error).__name__}: {error}. {_REMEDY}") from error


def check_suite(name: str) -> None:
    """Check scene files and initial states of all tasks of a suite; raises AssetError."""
    for task in load_suite(name):
        bddl_path(task)
        load_init_states(task)
