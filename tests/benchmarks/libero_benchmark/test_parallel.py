"""Records do not depend on the worker, on the order of units, nor on what was played before."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from seer_bench import RunRequest, read_run, run
from seer_bench.report import monitor_for
from seer_bench.store import canonical_lines
from tests.fakes.libero_plugins import TASKS

ENTRY_POINTS = """\
[seer_bench.benchmarks]
libero-short = libero_plugins:ShortLibero
[seer_bench.policies]
bits = libero_plugins:BitPolicy
"""


@pytest.fixture(autouse=True)
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install `fakes/libero_plugins.py` as a distribution of its own."""
    info = tmp_path / "site" / "libero_plugins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: libero-plugins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "fakes"))


def play(out: Path, workers: int, units: list[int], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Play units in this order; their canonical records."""
    monkeypatch.setenv("LIBERO_SHORT_UNITS", ",".join(map(str, units)))
    assert run(RunRequest("libero-short", "bits", out, workers=workers), monitor_for(Console(quiet=True))).errors == 0
    return canonical_lines(read_run(out).results.values())


def shuffled(trials: int, seed: int) -> list[int]:
    """The units in a random order, in which a task is left and taken up again: building one takes seconds."""
    rng = random.Random(seed)
    tasks = [
        rng.sample([20 * task + trial for trial in range(trials)], trials) for task in rng.sample(TASKS, len(TASKS))
    ]
    early = trials * 2 // 5
    return [unit for part in (slice(early), slice(early, None)) for task in tasks for unit in task[part]]


@pytest.mark.parametrize("trials", [5, pytest.param(15, marks=pytest.mark.slow)])
def test_units_in_another_order_over_one_and_two_workers(trials, tmp_path, monkeypatch):
    units = [20 * task + trial for task in TASKS for trial in range(trials)]
    one = play(tmp_path / "1", 1, shuffled(trials, 4), monkeypatch)
    two = play(tmp_path / "2", 2, units, monkeypatch)
    assert one == two
    recorded = [json.loads(line) for line in one]
    assert len(recorded) == len(units) == 2 * trials
    assert len({unit["actions_sha256"] for unit in recorded}) == len(units), "the policy saw the same in two units"
    poses = {json.dumps(unit["initial"]) for unit in recorded}
    assert len(poses) == len(units), "every trial has fixture poses of its own"
