"""Small runs to write and read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import seer_bench
from seer_bench.contracts import Array, SubtaskResult, UnitError, UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import CheckpointId, Manifest, PolicyId, actions_sha256


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.create(
        protocol=EvaluationProtocol(
            name="toy/v1",
            benchmark="toy",
            summary="A toy.",
            table="none",
            comparable="yes",
            settings={"chain": {"length": 5}, "scale": 0.02, "cameras": ["static", "gripper"]},
        ),
        simulation={"assets": "aaaa", "physics": "bbbb"},
        backend="own",
        policy=PolicyId("push", "push-policy", "1.0", options={"speed": "fast"}),
        checkpoint=CheckpointId("weights.pth", "c" * 64),
        seed=7,
        arm={"data": "10%"},
    )


@pytest.fixture
def actions() -> Array:
    return np.linspace(-1, 1, 21, dtype=np.float16).reshape(3, 7)


@pytest.fixture
def make_result(actions: Array) -> Callable[..., UnitResult]:
    """An attempt at `toy/v1:chain=<index>`: two subtasks, the second failed, with the actions of the fixture."""

    def make(index: int = 0, *, error: bool = False, attempt: int = 1, **changes: object) -> UnitResult:
        result = UnitResult(
            unit_id=f"toy/v1:chain={index:04d}",
            attempt=attempt,
            outcome="failure",
            subtasks=(
                SubtaskResult("open_drawer", "pull the handle", True, 2),
                SubtaskResult("lift_red", "öffne \u2028 \U0001f600", False, 1),
            ),
            seed=11,
            actions_out_of_range=0,
            actions_sha256=actions_sha256(actions),
            run_info={"seconds": 0.25},
        )
        if error:
            fault = UnitError("infrastructure_error", f"attempt {attempt} died")
            result = replace(result, outcome="error", subtasks=(), actions_sha256=None, error=fault)
        return replace(result, **changes)

    return make


# What every child process of these tests begins with.
_CHILD = """
import sys
from pathlib import Path
import numpy as np
from seer_bench.contracts import UnitResult
from seer_bench.errors import StoreError
from seer_bench.store import Manifest, RunWriter, actions_sha256
from seer_bench.store._json import parse_object

run = Path(sys.argv[1])
manifest = Manifest.from_json(parse_object(Path(sys.argv[2]).read_bytes(), "manifest"), source="manifest")

def actions_of(index):
    return np.full((4, 7), index, dtype=np.float32)

def result_of(index):
    return UnitResult(f"toy/v1:chain={index:04d}", 1, "success", (), index, 0, actions_sha256(actions_of(index)))
"""


@pytest.fixture
def start_child(tmp_path: Path, manifest: Manifest) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run Python in a process of its own, with `run`, `manifest`, `result_of(i)` and `actions_of(i)` at hand."""
    from seer_bench.store._json import dump_file

    described = tmp_path / "asked.json"
    described.write_bytes(dump_file(manifest.to_json()))
    children: list[subprocess.Popen[str]] = []

    def start(run: Path, code: str) -> subprocess.Popen[str]:
        root = str(Path(seer_bench.__file__).parents[1])
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD + code, str(run), str(described)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()
