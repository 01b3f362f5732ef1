"""What accompanies a long run, on a benchmark that needs no simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def seer_bench(tally, monkeypatch):
    """The command, with the plugins of `tests/fakes`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seer_bench", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return call


def test_json_progress_has_stdout_to_itself(seer_bench, tmp_path):
    done = seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r", "--json-progress")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["schema"] == "seer-bench/progress/1"
    assert events[-1]["event"] == "closed"
    assert events[-1]["done"] == 6
    assert "6 units scored" in done.stderr


def test_json_progress_leaves_the_exit_codes_alone(seer_bench, tmp_path, monkeypatch):
    arguments = ("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r", "--json-progress")
    refused = seer_bench(*arguments, "--units", "4:9")
    assert (refused.returncode, refused.stdout) == (2, "")
    monkeypatch.setenv("TALLY_FAULTS", str(tmp_path))
    for n in range(2):
        (tmp_path / f"1.begin.raise.{n}").touch()
    assert seer_bench(*arguments, "--units", "0:2").returncode == 1


def test_status_reads_what_a_run_left(seer_bench, tmp_path):
    for i in range(2):
        seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r", "--shard", f"{i}/2")
    done = seer_bench("status", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("units 3/3, last session ended") == 2
    assert "together: 6 units done" in done.stdout
    assert seer_bench("status", tmp_path / "nothing").returncode == 2


def test_bench_recommends_workers_and_estimates_the_time(seer_bench, tmp_path):
    seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r")
    options = (
        "--policy",
        "add",
        "--policy-arg",
        "batch=2",
        "--workers",
        1,
        "--seconds",
        0.05,
        "--like",
        tmp_path / "r",
    )
    done = seer_bench("bench", "tally", *options)
    assert done.returncode == 0, done.stderr
    for words in ("policy steps/s", "batch 2", "zero actions, no cameras", "recommended: --workers 1", "of 6 units"):
        assert words in done.stdout
