"""The command line as a user meets it, on the embedded scene, which needs nothing but pip."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seer_bench import read_run
from seer_bench.store import canonical_lines

PROTOCOL = ("--protocol", "calvin-embedded/v1")


def seer_bench(*arguments: object, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seer_bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **kwargs)


def run(out: Path, *more: object, policy: str = "random") -> subprocess.CompletedProcess[str]:
    return seer_bench("run", "calvin", "--policy", policy, *PROTOCOL, "--out", out, *more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two chains."""
    out = tmp_path_factory.mktemp("runs") / "random"
    done = run(out, "--units", "0:2")
    assert done.returncode == 0, done.stderr
    return out


def test_help_names_every_command():
    text = seer_bench("--help").stdout
    for command in ("run", "status", "report", "video", "verify", "bench", "assets", "list"):
        assert command in text


def test_list_shows_policies_benchmarks_and_protocols():
    text = seer_bench("list").stdout
    for name in ("expert", "random", "replay", "calvin-abc-d/seer-v1-tiny", "calvin-embedded/v1"):
        assert name in text


def test_a_run_prints_a_summary_and_leaves_records(finished):
    run = read_run(finished)
    assert len(run.results) == 2
    assert run.manifest.arm == {"method": "Random"}


def test_replay_of_a_run_gives_the_same_outcomes(finished, tmp_path):
    done = run(tmp_path / "again", "--units", "0:2", "--ckpt", finished / "units.jsonl", policy="replay")
    assert done.returncode == 0, done.stderr
    first, again = read_run(finished).results, read_run(tmp_path / "again").results
    assert {u: (r.subtasks, r.actions_sha256) for u, r in first.items()} == {
        u: (r.subtasks, r.actions_sha256) for u, r in again.items()
    }


def test_report_prints_the_paper_and_the_run_for_people_and_for_scripts(finished, tmp_path):
    done = seer_bench("report", finished, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3D Diffuser Actor" in done.stdout
    assert "random" in done.stdout
    assert {p.suffix for p in tmp_path.iterdir()} >= {".md", ".csv", ".tex"}
    assert (tmp_path / "html" / "index.html").is_file()
    data = json.loads(seer_bench("report", finished, "--out", tmp_path, "--format", "json").stdout)
    assert data["schema"].startswith("seer-bench/")


def test_a_unit_is_filmed_by_replay(finished):
    done = seer_bench("video", finished, "--units", "1", "--size", "96")
    assert done.returncode == 0, done.stderr
    (film,) = (finished / "videos").glob("*chain=0001*.mp4")
    assert film.stat().st_size > 10_000
    assert not list((finished / "videos").glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policy", "exprt"), "Did you mean 'expert'"),
        (("--policy", "random", "--protocol", "calvin-abc-d/v7"), "calvin-abc-d/v1"),
        (("--policy", "random", "--units", "990:1010"), "0:1000"),
        (("--policy", "random", "--ckpt", "missing.pth"), "missing.pth"),
        (("--policy", "replay"), "--ckpt RUN/units.jsonl"),
        (("--policy", "random", "--backend", "mujoco"), "backend 'mujoco'"),
        (("--policy", "random", "--policy-arg", "sped=2"), "has no options"),
        (("--policy", "expert", "--policy-arg", "sped=2"), "has no options"),
    ],
)
def test_bad_input_is_refused_in_words_with_exit_code_2(arguments, words, tmp_path):
    done = seer_bench("run", "calvin", *PROTOCOL, *arguments, "--out", tmp_path / "r")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_checkpoint_for_a_policy_that_takes_none_is_refused(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    done = run(tmp_path / "r", "--units", "0", "--ckpt", tmp_path / "w.pth")
    assert done.returncode == 2
    assert "takes no checkpoint" in done.stderr


def test_missing_assets_name_the_command_that_fetches_them(tmp_path):
    environment = {**os.environ, "SEER_BENCH_CALVIN_ASSETS": str(tmp_path / "nothing")}
    done = seer_bench("run", "calvin", "--policy", "random", "--units", "0", "--out", tmp_path / "r", env=environment)
    assert done.returncode == 2
    assert "seer-bench assets calvin" in done.stderr


def test_another_protocol_under_the_same_directory_is_refused(finished):
    done = seer_bench("run", "calvin", "--policy", "random", *PROTOCOL, "--seed", "3", "--out", finished)
    assert done.returncode == 2
    assert "seed" in done.stderr


def test_ctrl_c_and_kill_lose_nothing_and_the_same_command_continues(tmp_path):
    out = tmp_path / "r"
    command = [sys.executable, "-m", "seer_bench", "run", "calvin", "--policy", "random", *PROTOCOL]
    command += ["--units", "0:4", "--out", str(out)]
    for signal_number, exit_code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        recorded = len(read_run(out).results) if out.exists() else 0
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            records = out / "units.jsonl"
            if records.exists() and records.read_bytes().count(b"\n") > recorded:
                break
            time.sleep(0.05)
        process.send_signal(signal_number)
        assert process.wait(timeout=60) == exit_code
    assert run(out, "--units", "0:4").returncode == 0
    assert run(tmp_path / "whole", "--units", "0:4").returncode == 0
    assert canonical_lines(read_run(out).results.values()) == canonical_lines(
        read_run(tmp_path / "whole").results.values()
    )
