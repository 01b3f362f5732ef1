"""`seer-bench inspect` asks the installed policies what a checkpoint is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = """
from seer_bench.errors import CheckpointError
from seer_bench.inspection import Inspection

def alpha(path):
    if path.read_bytes() == b"broken":
        raise CheckpointError(f"{path}: is cut short.")
    return None

def beta(path):
    text = path.read_text()
    if not text.startswith("beta"):
        return None
    return Inspection("Beta checkpoint", {"numbers": 1234567, "epoch": None}, ("1 missing: x",) if "-" in text else ())
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two policies' inspectors, as a distribution of their own."""
    info = tmp_path / "site" / "inspectors-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: inspectors\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[seer_bench.inspectors]\naa_alpha = inspectors:alpha\naa_beta = inspectors:beta\n"
    )
    (tmp_path / "site" / "inspectors.py").write_text(PLUGINS)
    return tmp_path / "site"


def inspect(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "seer_bench", "inspect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False)


def test_the_policy_that_knows_the_file_describes_it(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ckpt").write_text("beta")
    done = inspect(site, tmp_path / "ckpt")
    assert done.returncode == 0, done.stderr
    assert "Beta checkpoint" in done.stdout
    assert "1,234,567" in done.stdout
    assert "not stated in the file" in done.stdout


def test_faults_are_shown_and_give_exit_code_1(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ckpt").write_text("beta-")
    done = inspect(site, tmp_path / "ckpt", "--policy", "aa_beta", "--json")
    assert done.returncode == 1
    tree = json.loads(done.stdout)
    assert tree["schema"] == "seer-bench/inspection/1"
    assert (tree["policy"], tree["faults"]) == ("aa_beta", ["1 missing: x"])
    assert tree["facts"] == {"numbers": 1234567, "epoch": None}


def test_what_nobody_knows_or_opens_is_refused(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ckpt").write_bytes(b"broken")
    done = inspect(site, tmp_path / "ckpt", "--policy", "aa_alpha")
    assert done.returncode == 2
    assert "is cut short" in done.stderr
    (tmp_path / "ckpt").write_text("gamma")
    done = inspect(site, tmp_path / "ckpt", "--policy", "aa_beta")
    assert done.returncode == 2
    assert "no installed policy knows this checkpoint" in done.stderr
    assert inspect(site, tmp_path / "ckpt", "--policy", "none").returncode == 2
