"""Benchmarks whose checks behave in every way that checks may."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKS = """
import os, signal, subprocess, sys, time
from seer_bench.doctor import Finding

def fine():
    print("a simulator's greeting")
    subprocess.run([sys.executable, "-c", "print('and its driver')"])
    yield Finding("engine", "ok", "1.0")
    yield Finding("files", "problem", "2 are missing", "fetch them")

def absent():
    yield Finding("engine", "problem", "not installed", "pip install engine", optional=True)

def crashing():
    yield Finding("engine", "ok", "1.0")
    os.kill(os.getpid(), signal.SIGSEGV)

def raising():
    yield Finding("engine", "ok", "1.0")
    raise RuntimeError("no idea")

def hanging():
    yield Finding("engine", "ok", "1.0")
    time.sleep(600)
"""


@pytest.fixture
def doctors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the checks above, and nothing else, as a distribution of their own; the folder it is in."""
    site = tmp_path / "site"
    info = site / "checks-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "checks.py").write_text(CHECKS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: checks\nVersion: 1.0\n")
    names = ("fine", "absent", "crashing", "raising", "hanging")
    lines = "\n".join(f"{name} = checks:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[seer_bench.doctors]\n{lines}\ngone = nowhere:examine\n")
    monkeypatch.syspath_prepend(str(site))
    return site
