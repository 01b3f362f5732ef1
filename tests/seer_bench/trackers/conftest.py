"""Run directories of a few units, trackers as plugins, and a monitor that keeps what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seer_bench import EvaluationProtocol, SubtaskResult, UnitError, UnitResult
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter, actions_sha256, to_line
from seer_bench.trackers import TrackedRun, monitor

FAKES = Path(__file__).parent / "fakes"
ACTIONS = np.zeros((1, 7))


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the trackers of `fakes` as a distribution of their own, found by entry points."""
    info = tmp_path / "tracker-site" / "notebook_trackers-0.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: notebook-trackers\nVersion: 0.2\n")
    names = {
        "notebook": "notebook_trackers:Notebook",
        "failing": "notebook_trackers:failing",
        "none": "notebook_trackers:NoTracker",
        "unpicklable": "notebook_trackers:Unpicklable",
        "unbuildable": "notebook_trackers:unbuildable",
        "mlflow": "seer_bench.trackers.mlflow:MlflowTracker",
        "trackio": "seer_bench.trackers.trackio:TrackioTracker",
        "wandb": "seer_bench.trackers.wandb:WandbTracker",
    }
    lines = [f"{name} = {place}\n" for name, place in names.items()]
    (info / "entry_points.txt").write_text("[seer_bench.trackers]\n" + "".join(lines))
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(FAKES))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may start slowly on a busy machine."""
    monkeypatch.setattr(monitor, "FINISH_S", 120.0)
    monkeypatch.setattr(monitor, "PATIENCE_S", 120.0)


class KeptMonitor:
    """Keeps its events."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def __getattr__(self, event: str) -> Callable[..., None]:
        return lambda *arguments: self.events.append((event, *arguments))

    @property
    def notes(self) -> list[str]:
        return [event[1] for event in self.events if event[0] == "noted"]


@pytest.fixture
def kept() -> KeptMonitor:
    return KeptMonitor()


class Lab:
    """Makes protocols, runs and results of two kinds: chains of three subtasks, and single tasks."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def manifest(self, length: int = 3, **more: Any) -> Manifest:
        protocol = EvaluationProtocol("toy/v1", "toy", "A toy.", "none", "yes", {"chain": {"length": length}})
        given = {
            "protocol": protocol,
            "simulation": {"physics": "b2"},
            "backend": "own",
            "policy": PolicyId("push", "push-policy", "1.0", options={"speed": "fast"}, settings={"half": "no"}),
            "checkpoint": CheckpointId("weights.pth", "c" * 64),
            "arm": {"data": "10%"},
        }
        return Manifest.create(**given | more)

    def run(self, results: Sequence[UnitResult] = (), *, name: str = "run", length: int = 3) -> TrackedRun:
        """A run directory that holds these results."""
        path = self.root / name
        with RunWriter.open(path, self.manifest(length)) as writer:
            for result in results:
                writer.append(result, None if result.outcome == "error" else ACTIONS)
            return TrackedRun(writer.manifest, path)

    @staticmethod
    def add(path: Path, result: UnitResult) -> UnitResult:
        """Record another result, as the engine does before it tells its monitor."""
        with (path / "units.jsonl").open("a") as file:
            file.write(to_line(result) + "\n")
        return result

    @staticmethod
    def chain(index: int, solved: int, *, length: int = 3) -> UnitResult:
        """A chain that solved so many subtasks, then failed."""
        tasks = ("push", "lift", "turn")[: min(solved + 1, length)]
        return _result(index, solved == length, [(task, i < solved) for i, task in enumerate(tasks)])

    @staticmethod
    def task(index: int, name: str, solved: bool) -> UnitResult:
        """A rollout of a single task."""
        return _result(index, solved, [(name, solved)])

    @staticmethod
    def broken(index: int) -> UnitResult:
        """An attempt that the infrastructure spoiled."""
        fault = UnitError("infrastructure_error", "SimulationError: no GL")
        return UnitResult(f"toy/v1:unit={index}", 1, "error", (), index, 0, None, fault)


def _result(index: int, success: bool, tasks: Sequence[tuple[str, bool]]) -> UnitResult:
    return UnitResult(
        unit_id=f"toy/v1:unit={index}",
        attempt=2,
        outcome="success" if success else "failure",
        subtasks=tuple(SubtaskResult(task, f"{task} it", solved, 10 + index) for task, solved in tasks),
        seed=index,
        actions_out_of_range=0,
        actions_sha256=actions_sha256(ACTIONS),
        run_info={"seconds": 1.5},
    )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "runs")


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """What a `Notebook` wrote into a run directory."""
    return [json.loads(line) for line in (path / "notebook.jsonl").read_text().splitlines()]


@pytest.fixture
def notebook() -> Callable[[Path], list[dict[str, Any]]]:
    return read_notebook
