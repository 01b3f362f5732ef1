"""Whole runs from the command line, against servers of vla-eval that die and come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.programs import free_port

from .conftest import launch

pytestmark = pytest.mark.vla_eval
SERVER = {"params": {"send_wrist_image": True, "send_state": True}, "chunk": 4}


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs three units of `short_calvin.py` into a folder; exit code, and what is printed."""
    pytest.importorskip("pybullet")
    info = tmp_path / "site" / "short_calvin-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: short-calvin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[seer_bench.benchmarks]\ncalvin-12 = short_calvin:ShortCalvin\n")
    places = [str(info.parent), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]

    def play(out: Path, port: int, *options: str) -> tuple[int, str]:
        command = [
            sys.executable, "-m", "seer_bench", "run", "calvin-12", "--units", "0:3", "--workers", "2", "--out", out,
            "--policy", "vla_eval", *options,
        ]  # fmt: skip
        there = {"PYTHONPATH": os.pathsep.join(places), "SEER_BENCH_VLA_EVAL_URL": f"ws://127.0.0.1:{port}"}
        ended = subprocess.run(command, env={**os.environ, **there}, capture_output=True, text=True, timeout=200)
        return ended.returncode, ended.stdout + ended.stderr

    return play


def scored(run: Path) -> dict[str, tuple]:
    """What is compared of each unit that has an outcome."""
    records = [json.loads(line) for line in (run / "units.jsonl").read_text().splitlines()]
    return {
        record["unit_id"]: (record["outcome"], record["subtasks"], record["actions_sha256"], record["error"])
        for record in records
        if record["outcome"] != "error"
    }


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Those that a test has started; they end with it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("batch", [1, 2])
def test_a_server_that_dies_changes_no_outcome(tmp_path, play, servers, batch):
    port, options = free_port(), ["--policy-arg", f"batch={batch}", "--policy-arg", "wait=30"]
    dying = launch(port, **SERVER, batch=batch, dies_at=5)

    def revive() -> None:
        dying.wait()
        servers.append(launch(port, **SERVER, batch=batch))

    reviver = threading.Thread(target=revive)
    reviver.start()
    code, said = play(tmp_path / "disturbed", port, *options)
    assert code == 0, said
    reviver.join()
    if batch == 1:  # a larger batch that fails is taken apart, and its units begin again without a record
        assert "infrastructure_error" in (tmp_path / "disturbed" / "units.jsonl").read_text()
    code, said = play(tmp_path / "undisturbed", port, *options)
    assert code == 0, said
    assert len(scored(tmp_path / "undisturbed")) == 3
    assert scored(tmp_path / "disturbed") == scored(tmp_path / "undisturbed")


def test_a_server_that_stays_away_ends_the_run_and_the_same_command_continues(tmp_path, play, servers):
    options = ["--policy-arg", "wait=1"]
    dying = launch(port := free_port(), **SERVER, dies_at=3)
    code, said = play(tmp_path / "run", port, *options)
    dying.wait()
    assert code == 1, said
    assert "without an outcome" in said
    assert not scored(tmp_path / "run")
    servers.append(launch(moved := free_port(), **SERVER))
    code, said = play(tmp_path / "run", moved, *options)
    assert code == 0, said
    assert len(scored(tmp_path / "run")) == 3
