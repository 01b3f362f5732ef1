from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from seer_bench.doctor import machine
from seer_bench.doctor.machine import examine_machine, existing, free_memory


def finding(subject: str, results: Path):
    (found,) = (found for found in examine_machine(results) if found.subject == subject)
    return found


def test_everything_is_looked_at_and_nothing_is_left_behind(tmp_path):
    results = tmp_path / "results" / "runs"
    subjects = [found.subject for found in examine_machine(results)]
    assert subjects == ["seer-bench", "processor", "memory", "disk", "results", "gpu", "films"]
    assert list(tmp_path.iterdir()) == []


def test_memory_is_what_the_container_leaves(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    (tmp_path / "max").write_text("3000000000\n")
    (tmp_path / "current").write_text("1200000000\n")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "_CGROUP", ())
    assert free_memory() == 4_096_000_000
    assert finding("memory", tmp_path).level == "ok"
    monkeypatch.setattr(machine, "_CGROUP", ((tmp_path / "max", tmp_path / "current"),))
    assert free_memory() == 1_800_000_000
    found = finding("memory", tmp_path)
    assert (found.level, "1.8 GB free" in found.text, "--workers 1" in found.command) == ("warning", True, True)
    (tmp_path / "max").write_text("max\n")
    assert free_memory() == 4_096_000_000
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "nothing")
    assert free_memory() is None
    assert finding("memory", tmp_path).level == "ok"


@pytest.mark.parametrize(("free", "level"), [(2e9, "ok"), (5e8, "warning"), (1e6, "problem")])
def test_a_full_disk_is_seen(tmp_path, monkeypatch, free, level):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=int(free)))
    found = finding("disk", tmp_path / "runs")
    assert (found.level, "--out DIR" in found.command) == (level, level != "ok")
    assert str(tmp_path) in found.text


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path):
    assert finding("results", tmp_path / "not" / "there").level == "ok"
    found = finding("results", Path("/proc/runs"))
    assert (found.level, "/proc: no file can be written" in found.text) == ("problem", True)


def test_the_nearest_folder_that_is_there(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert existing(tmp_path / "file" / "b") == tmp_path
    monkeypatch.chdir(tmp_path)
    assert existing(Path("results/runs")) == tmp_path


@pytest.mark.parametrize(
    ("script", "level", "text"),
    [
        (None, "ok", "none"),
        ("echo 'NVIDIA H100, 550.54, 81559 MiB'", "ok", "NVIDIA H100, 550.54, 81559 MiB"),
        ("echo 'driver mismatch'; exit 9", "warning", "nvidia-smi fails: driver mismatch"),
    ],
)
def test_gpus_are_what_their_driver_says(tmp_path, monkeypatch, script, level, text):
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    found = finding("gpu", tmp_path)
    assert (found.level, found.text) == (level, text)
