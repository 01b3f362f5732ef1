"""The command is killed in every way, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seer_bench import read_run
from seer_bench.store import canonical_lines

pytestmark = pytest.mark.usefixtures("tally")


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts `seer-bench run` on the tally plugins in a process group of its own; unit 4 hangs at first."""
    faults = tmp_path / "faults"
    faults.mkdir()
    monkeypatch.setenv("TALLY_FAULTS", str(faults))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    started = []

    def command(name: str, *, hang: bool = False) -> subprocess.Popen:
        if hang:
            (faults / "4.advance.hang.0").touch()
        code = "from seer_bench.cli import main; main()"
        arguments = ["run", "tally", "--policy", "add", "--workers", "2", "--out", str(tmp_path / name)]
        started.append(subprocess.Popen([sys.executable, "-c", code, *arguments], start_new_session=True))
        return started[-1]

    yield command
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def group(pgid: int) -> set[int]:
    """Living processes of a process group."""
    members = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == pgid and state != "Z":
            members.add(int(path.parent.name))
    return members


def until(condition, seconds: float) -> bool:
    """Wait until `condition()`; whether it came true."""
    end = time.monotonic() + seconds
    while not (done := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return done


def hanging(path: Path) -> bool:
    """Whether all units are recorded but the one that hangs."""
    units = path / "units.jsonl"
    return units.exists() and units.read_bytes().count(b"\n") == 5


def canonical(path: Path) -> list[str]:
    return canonical_lines(read_run(path).results.values())


def assert_the_same_command_completes(start, tmp_path) -> None:
    assert start("r").wait(60) == 0
    assert start("whole").wait(60) == 0
    assert canonical(tmp_path / "r") == canonical(tmp_path / "whole")
    assert len(canonical(tmp_path / "r")) == 6


@pytest.mark.parametrize("everything", [False, True])
def test_kill_9_leaves_nothing_behind_and_the_same_command_continues(start, tmp_path, everything):
    process = start("r", hang=True)
    assert until(lambda: hanging(tmp_path / "r"), 60)
    assert len(group(process.pid)) > 1
    (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    assert until(lambda: not group(process.pid), 2)
    shared_memory = Path("/dev/shm").iterdir()  # noqa: S108 - where it lies
    assert not any(str(process.pid) in path.name for path in shared_memory)
    with (tmp_path / "r" / "units.jsonl").open("ab") as file:
        file.write(b'{"schema":"seer-bench/unit/1","unit_id":"tally/v1:un')  # as a power cut leaves it
    assert_the_same_command_completes(start, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_all", [False, True])
def test_ctrl_c_and_sigterm_end_with_130_and_the_same_command_continues(start, tmp_path, number, to_all):
    process = start("r", hang=True)
    assert until(lambda: hanging(tmp_path / "r"), 60)
    (os.killpg if to_all else os.kill)(process.pid, number)
    assert process.wait(10) == 130
    assert until(lambda: not group(process.pid), 2)
    assert "tally/v1:unit=4" not in read_run(tmp_path / "r").results
    assert_the_same_command_completes(start, tmp_path)


def test_ctrl_c_again_and_again_ends_with_130_and_loses_nothing(start, tmp_path):
    process = start("r", hang=True)
    assert until(lambda: hanging(tmp_path / "r"), 60)
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)
    assert process.wait(10) == 130
    assert until(lambda: not group(process.pid), 2)
    assert len(canonical(tmp_path / "r")) == 5
    assert_the_same_command_completes(start, tmp_path)


def test_ctrl_c_while_workers_start_ends_with_130(start, tmp_path):
    process = start("r")
    assert until(lambda: list((tmp_path / "r" / "sessions").glob("*.json")), 60)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130
    assert until(lambda: not group(process.pid), 2)
    assert_the_same_command_completes(start, tmp_path)
