"""Records do not depend on the number of workers, on the order of units, nor on who shares a batch with whom."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from rich.console import Console

from seer_bench import RunRequest, read_run, run
from seer_bench.report import monitor_for
from seer_bench.store import canonical_lines, read_actions


@pytest.fixture(autouse=True)
def vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install `fakes/vision_plugins.py` as a distribution of its own."""
    info = tmp_path / "site" / "vision_plugins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vision-plugins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[seer_bench.policies]\nvision = vision_plugins:VisionPolicy\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "fakes"))


def play(out: Path, workers: int, units: str, **options: str) -> None:
    request = RunRequest(
        "calvin", "vision", out, protocol="calvin-embedded/v1", units=units, workers=workers, options=options
    )
    assert run(request, monitor_for(Console(quiet=True))).errors == 0


def shuffled(count: int, pieces: int, seed: int) -> list[str]:
    """Units 0 to `count` in random order, cut into pieces that are played one after another."""
    order = random.Random(seed).sample(range(count), count)
    return [",".join(map(str, order[piece::pieces])) for piece in range(pieces)]


def outcomes(path: Path) -> list[tuple[str, bytes]]:
    """Canonical record and executed actions of every unit."""
    results = read_run(path).results.values()
    return [(*canonical_lines([result]), read_actions(path, result).tobytes()) for result in results]


def check(tmp_path: Path, count: int, pieces: int) -> None:
    play(tmp_path / "1", 1, f"0:{count}")
    expected = outcomes(tmp_path / "1")
    assert len(expected) == count
    assert len({actions for _, actions in expected}) == count, "what the network does depends on what it sees"
    for workers in (2, 4):
        for units in shuffled(count, pieces, seed=workers):
            play(tmp_path / str(workers), workers, units)
        assert read_run(tmp_path / str(workers)).manifest.policy.batch == 4
        assert outcomes(tmp_path / str(workers)) == expected


def test_a_network_on_images_gives_the_same_records_with_one_two_and_four_workers(tmp_path):
    check(tmp_path, count=4, pieces=1)


@pytest.mark.slow
def test_a_network_on_images_gives_the_same_records_on_fifty_chains(tmp_path):
    check(tmp_path, count=50, pieces=5)


def test_a_network_whose_rows_see_each_other_is_not_batched_and_gives_the_same_records(tmp_path):
    play(tmp_path / "1", 1, "0:2", leak="0.01")
    play(tmp_path / "2", 2, "0:2", leak="0.01")
    assert read_run(tmp_path / "1").manifest.policy.batch == 1
    assert outcomes(tmp_path / "1") == outcomes(tmp_path / "2")
