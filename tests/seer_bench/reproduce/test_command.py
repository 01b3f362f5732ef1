"""`seer-bench reproduce` with real runs on the embedded scene."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from seer_bench import read_run

FILE = """
arms:
  floor: {method: Random, policy: random, protocol: calvin-embedded/v1, units: "0:3"}
  again:
    method: Seer
    policy: replay
    checkpoints: [x*.jsonl]
    protocol: calvin-embedded/v1
    units: 0:2
  gone: {method: GR-1, policy: nobody}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "e.yaml").write_text(FILE)
    (tmp_path / "x.jsonl").write_text("no records of a run")
    return tmp_path


def command(folder, *more):
    arguments = ["reproduce", "table2", "--checkpoints", "e.yaml", "--out", "out", "--workers", "1", *more]
    return [sys.executable, "-m", "seer_bench", *arguments]


def reproduce(folder, *more):
    environment = {**os.environ, "COLUMNS": "80"}
    return subprocess.run(
        command(folder, *more), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_dry_run_plays_and_writes_nothing(folder):
    done = reproduce(folder, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "To play: 5 units in 2 runs, time not known. 1 arm cannot be played here." in done.stdout
    assert not (folder / "out").exists()


def test_killed_or_not_the_same_command_fills_the_table_and_one_arm_does_not_stop_another(folder):
    records = folder / "out" / "calvin-embedded-v1" / "floor" / "units.jsonl"
    process = subprocess.Popen(command(folder), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (records.exists() and records.read_bytes().count(b"\n")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    held = len(read_run(records.parent).results)
    assert 0 < held < 3
    done = reproduce(folder)
    assert done.returncode == 1, done.stderr
    assert f"{held} of 3 units" in done.stdout
    assert len(read_run(records.parent).results) == 3
    assert "left out: again x.jsonl: " in done.stdout
    assert "3D Diffuser Actor" in done.stdout
    assert (folder / "out" / "report" / "table2.md").exists()
    assert (folder / "out" / "report" / "html" / "table1.html").exists()  # pages show the other tables, too
    assert "complete, 3 units" in reproduce(folder, "--dry-run").stdout


def test_a_mistake_in_the_file_is_refused_with_its_line(folder):
    (folder / "e.yaml").write_text(FILE.replace("policy: replay", "polcy: replay"))
    done = reproduce(folder)
    assert done.returncode == 2
    assert "e.yaml:6: arm 'again': unknown key 'polcy'. Did you mean 'policy'?" in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [(("--tracker", "nobody"), "unknown tracker 'nobody'"), (("--out", "e.yaml"), "--out e.yaml: is no folder")],
)
def test_what_no_run_can_be_made_with_is_refused_at_once(folder, more, words):
    done = reproduce(folder, *more)
    assert (done.returncode, words in done.stderr, done.stdout) == (2, True, ""), done.stderr
    assert not (folder / "out").exists()
