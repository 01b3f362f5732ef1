"""Records do not depend on the number of workers, on the order of units, nor on who shares a batch with whom."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from seer_bench import RunRequest, read_run, run
from seer_bench.report import monitor_for
from seer_bench.store import canonical_lines, read_actions

ENTRY_POINTS = """\
[seer_bench.benchmarks]
calvin-short = vision_plugins:ShortCalvin
[seer_bench.policies]
vision = vision_plugins:VisionPolicy
vision-torch = vision_plugins:TorchPolicy
"""


@pytest.fixture(autouse=True)
def vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install `fakes/vision_plugins.py` as a distribution of its own."""
    info = tmp_path / "site" / "vision_plugins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vision-plugins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "fakes"))


def play(out: Path, policy: str, workers: int, chains: list[int], **options: str) -> None:
    request = RunRequest("calvin-short", policy, out, workers=workers, options=options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALVIN_SHORT_CHAINS", ",".join(map(str, chains)))
        assert run(request, monitor_for(Console(quiet=True))).errors == 0


def outcomes(path: Path) -> list[tuple[str, bytes]]:
    """Canonical record and executed actions of every unit."""
    results = read_run(path).results.values()
    return [(*canonical_lines([result]), read_actions(path, result).tobytes()) for result in results]


def order(path: Path) -> list[str]:
    """Units in the order in which they were recorded."""
    return [json.loads(line)["unit_id"] for line in (path / "units.jsonl").read_text().splitlines()]


def check(tmp_path: Path, policy: str, count: int) -> None:
    """Play with 1, 2 and 4 workers, each in an order of its own, and with either camera painted black."""
    orders = set()
    for workers in (1, 2, 4):
        path = tmp_path / str(workers)
        play(path, policy, workers, random.Random(workers).sample(range(count), count))
        orders.add(tuple(order(path)))
        assert read_run(path).manifest.policy.batch == 4
        assert len(outcomes(path)) == count
        assert outcomes(path) == outcomes(tmp_path / "1")
    assert len(orders) == 3
    for camera in ("rgb_static", "rgb_gripper"):
        play(tmp_path / camera, policy, 2, [0, 1], blank=camera)
        pairs = list(zip(outcomes(tmp_path / "1"), outcomes(tmp_path / camera), strict=False))
        assert len(pairs) == 2
        assert all(seen != black for (_, seen), (_, black) in pairs), f"{camera} does not matter"


def test_a_network_on_images_gives_the_same_records_with_one_two_and_four_workers(tmp_path):
    check(tmp_path, "vision", count=6)


@pytest.mark.slow
def test_a_torch_network_on_images_gives_the_same_records_on_fifty_chains(tmp_path):
    pytest.importorskip("torch", reason="needs torch: pip install torch")
    check(tmp_path, "vision-torch", count=50)


def test_a_network_whose_rows_see_each_other_is_not_batched_and_gives_the_same_records(tmp_path):
    play(tmp_path / "1", "vision", 1, [0, 1], leak="0.01")
    play(tmp_path / "2", "vision", 2, [0, 1], leak="0.01")
    assert read_run(tmp_path / "1").manifest.policy.batch == 1
    assert outcomes(tmp_path / "1") == outcomes(tmp_path / "2")
