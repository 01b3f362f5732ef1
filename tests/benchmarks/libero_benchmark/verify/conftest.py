"""Folders of LIBERO's recordings, whole and tampered with, and the command that verifies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from libero_benchmark.suites import Task
from libero_benchmark.verify import LiberoVerifier, packaged_folder
from libero_benchmark.world import World

STEPS = 12
"""Actions of the short episode."""


class KeptWorld(World):
    """Outlives the verification that asked for it, because building one takes seconds."""

    def close(self) -> None:
        """Stay open."""


@pytest.fixture(scope="session")
def world_of() -> Iterator[Callable[[Task], World]]:
    """The world of a task, built once for all tests."""
    worlds: dict[Task, KeptWorld] = {}

    def make(task: Task) -> World:
        if task not in worlds:
            worlds[task] = KeptWorld(task)
        return worlds[task]

    yield make
    for world in worlds.values():
        World.close(world)


@pytest.fixture
def verify(
    run_verify: Callable[..., tuple[int, str]], world_of: Callable[[Task], World], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Run `seer-bench verify libero` in worlds that are built once; exit code and output."""
    monkeypatch.setattr("seer_bench.registry.load_verifier", lambda name: LiberoVerifier(world_of))
    return partial(run_verify, "libero")


@pytest.fixture
def packaged(copied: Callable[[Path], Any]) -> Any:
    """A copy of the packaged records."""
    return copied(packaged_folder())


@pytest.fixture
def episode(packaged: Any) -> Any:
    """One short episode of a scene with a fixture, with images of its beginning."""
    for path in (packaged.path / "img").iterdir():
        if not path.name.startswith("task2_init3_step0_"):
            path.unlink()
    return packaged.keep("task2").edit("task2.npz", None, lambda arrays: _shortened("task2_init3", arrays))


@pytest.fixture
def golden(copied: Callable[[Path], Any], shared: Path) -> Any:
    """A copy of upstream's recordings."""
    return copied(shared / "golden" / "libero")


def _shortened(name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """The first STEPS actions of an episode, and what was recorded of them."""
    lengths = {
        "actions": STEPS,
        "done": STEPS,
        "reward": STEPS,
        "qpos_every10": STEPS // 10,
        "qvel_every10": STEPS // 10,
    }
    kept = {}
    for key, values in arrays.items():
        episode, _, part = key.partition("/")
        if episode == name:
            kept[key] = values[: STEPS if part.startswith("obs/") else lengths.get(part)]
    return kept
