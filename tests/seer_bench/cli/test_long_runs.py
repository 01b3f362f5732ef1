"""What accompanies a long run, on a benchmark that needs no simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seer_bench import read_run


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


def test_status_ends_with_1_where_a_run_cannot_be_read(seer_bench, tmp_path):
    for i in range(2):
        seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / f"r{i}", "--units", i)
    (tmp_path / "r0" / "manifest.json").write_text("{")
    done = seer_bench("status", tmp_path)
    assert done.returncode == 1
    assert "units 1/1" in done.stdout
    assert "cannot be read" in done.stdout


def test_a_shard_films_its_own_units(seer_bench, tmp_path):
    shard = ("--units", "0:4", "--shard", "1/2", "--video", "all")
    done = seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r", *shard)
    assert done.returncode == 0, done.stderr
    films = sorted(path.name for path in (tmp_path / "r" / "shard-1-of-2" / "videos").iterdir())
    assert [name.partition("_")[0] for name in films] == ["unit=1", "unit=3"]


def test_bad_numbers_are_refused_in_words(seer_bench, tmp_path):
    for option, value in (("--egl-devices", "x"), ("--stall-timeout", "nan"), ("--threads", "0")):
        done = seer_bench("run", "tally", "--policy", "add", "--out", tmp_path / "r", option, value)
        assert done.returncode == 2
        assert f"error: {option}" in done.stderr


def test_export_writes_a_table_of_all_shards(seer_bench, tmp_path):
    for i in range(2):
        seer_bench("run", "tally", "--policy", "add", "--workers", 1, "--out", tmp_path / "r", "--shard", f"{i}/2")
    done = seer_bench("export", tmp_path / "r", "--out", tmp_path / "t.csv")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1 + 6
    assert seer_bench("export", tmp_path / "r", "--out", tmp_path / "t.xls").returncode == 2


@pytest.mark.parametrize("progress", [(), ("--json-progress",)])
def test_what_is_printed_into_closed_streams_reaches_no_file(seer_bench, tmp_path, progress):
    def close() -> None:
        for fd in (0, 1, 2):
            os.close(fd)

    arguments = ["run", "tally", "--policy", "add", "--policy-arg", "fault=mumble", "--out", str(tmp_path / "r")]
    command = [sys.executable, "-m", "seer_bench", *arguments, "--workers", "1", *progress]
    assert subprocess.run(command, preexec_fn=close, timeout=120).returncode == 0
    assert len(read_run(tmp_path / "r").results) == 6
    assert b"GARBAGE" not in (tmp_path / "r" / "units.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("more", "code", "units"), [((), 0, 6), (("--policy-arg", "fault=hang", "--policy-timeout", "1"), 1, 0)]
)
def test_a_full_disk_behind_stdout_costs_no_unit(seer_bench, tmp_path, more, code, units):
    arguments = ["run", "tally", "--policy", "add", "--workers", "1", "--out", str(tmp_path / "r"), *more]
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "seer_bench", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, len(read_run(tmp_path / "r").results)) == (code, units)
    assert "Traceback (most recent call last)" not in done.stderr


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
