"""Recordings of upstream, and a world of a small scene."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("libero") is None or find_spec("mujoco") is None:
    pytest.skip("needs LIBERO: pip install 'seer-bench[libero]'", allow_module_level=True)

from libero_benchmark.suites import find_task
from libero_benchmark.world import World


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """Folder of the recordings of upstream's simulator."""
    return shared / "golden" / "libero"


@pytest.fixture(scope="module")
def stove() -> Iterator[World]:
    """A world of the task with stove and moka pot, which takes pictures."""
    world = World(find_task("libero_10", 2))
    yield world
    world.close()
