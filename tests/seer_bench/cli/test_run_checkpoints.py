"""Several checkpoints in one command, on a benchmark that needs no simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from seer_bench import read_run


@pytest.fixture
def weights(tally, tmp_path, monkeypatch):
    """A folder with checkpoints; what commands see beside it is the fakes' plugins."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    folder = tmp_path / "weights"
    folder.mkdir()
    for name, text in {"9.pth": "0.5", "10.pth": "1", "11.pth": "1", "big.pth": "9"}.items():
        (folder / name).write_text(text)
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "seer_bench", "run", "tally", "--policy", "weighted", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command("--workers", 1, *arguments), capture_output=True, text=True, timeout=120)


def test_every_checkpoint_gets_a_run_of_its_own_and_a_twin_is_told(weights, tmp_path):
    done = run("--ckpt", weights / "*.pth", "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert "11.pth: left out, since it holds the same as" in done.stdout
    assert "checkpoint 2 of 3: 10.pth" in done.stdout
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["10", "9", "big"]
    runs = {path.name: read_run(path) for path in (tmp_path / "r").iterdir()}
    assert {name: len(data.results) for name, data in runs.items()} == {"9": 6, "10": 6, "big": 6}
    assert [runs[name].manifest.arm for name in ("9", "big")] == [{"method": "Light"}, {"method": "Heavy"}]


def test_what_the_policy_says_of_itself_is_overridden_by_the_run(weights, tmp_path):
    more = ("--units", "0", "--arm", "method=Mine", "--arm", "data=10%")
    assert run("--ckpt", weights / "9.pth", "--out", tmp_path / "r", *more).returncode == 0
    assert read_run(tmp_path / "r").manifest.arm == {"method": "Mine", "data": "10%"}


def test_one_plain_path_is_the_run_directory_itself(weights, tmp_path):
    assert run("--ckpt", weights / "9.pth", "--out", tmp_path / "r").returncode == 0
    assert len(read_run(tmp_path / "r").results) == 6


def test_without_out_each_has_the_default_directory_of_its_own(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("--ckpt", "weights/9.pth", "--ckpt", "weights/10.pth", "--units", "0").returncode == 0
    names = sorted(path.name for path in (tmp_path / "results" / "runs").iterdir())
    assert names == ["tally-v1_weighted_10", "tally-v1_weighted_9"]
    again = run("--ckpt", "weights/10.pth", "--units", "0")
    assert "units 1/1" in again.stdout, "one alone goes on in the same directory"


def test_one_that_cannot_be_used_is_reported_and_the_others_are_played(weights, tmp_path):
    (weights / "0.pth").write_text("no number")
    (weights / "wide.pth").write_text("1.5")
    done = run("--ckpt", weights / "*.pth", "--out", tmp_path / "r")
    assert done.returncode == 1
    assert done.stdout.count("0.pth is left out: ") == 1
    assert "wide.pth is left out: observation 'picture'" in done.stdout
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"9", "10", "big"}
    assert done.stdout.rstrip().splitlines()[-1].startswith("next: seer-bench report")


def test_nothing_that_can_be_used_ends_with_2(weights, tmp_path):
    for name in ("a", "b"):
        (weights / name).write_text(f"no number {name}")
    done = run("--ckpt", weights / "a", "--ckpt", weights / "b", "--out", tmp_path / "r")
    assert done.returncode == 2
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ckpt", "none.pth"), "none.pth"),
        (("--ckpt", "*.ckpt"), "matches nothing"),
        (("--ckpt", ""), "one of the paths is empty"),
        (("--ckpt", "10.pth", "--units", "4:9"), "4:9"),
        (("--ckpt", "10.pth", "--protocol", "tally/v7"), "tally/v7"),
        (("--ckpt", "10.pth", "--policy", "wieghted"), "Did you mean 'weighted'"),
        (("--ckpt", "10.pth", "--arm", "pretrained=perhaps"), "pretrained is yes or no"),
        (("--ckpt", "10.pth", "--tracker", "nobody"), "nobody"),
    ],
)
def test_what_is_wrong_for_all_is_refused_before_the_first_unit(weights, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(weights)
    done = run("--ckpt", "9.pth", "--out", tmp_path / "r", *arguments)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert not (tmp_path / "r").exists()


def test_json_progress_is_one_stream_that_names_the_checkpoints(weights, tmp_path):
    (weights / "x.pth").write_text("no number")
    done = run("--ckpt", weights / "*.pth", "--units", "0", "--out", tmp_path / "r", "--json-progress")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [(e["number"], e["of"], e["name"]) for e in events if e["event"] == "checkpoint"]
    assert told == [(1, 4, "9.pth"), (2, 4, "10.pth"), (3, 4, "big.pth"), (4, 4, "x.pth")]
    assert [e["event"] for e in events if e["event"] in ("started", "closed", "refused")] == [
        *["started", "closed"] * 3,
        "refused",
    ]
    assert events[0]["out"] == str(tmp_path / "r" / "9")
    assert "1 unit scored" in done.stderr


def test_shards_lie_below_each_checkpoint_and_films_are_made(weights, tmp_path):
    more = ("--shard", "1/2", "--units", "0:2", "--video", "all")
    done = run("--ckpt", weights / "9.pth", "--ckpt", weights / "10.pth", "--out", tmp_path / "r", *more)
    assert done.returncode == 0, done.stderr
    for name in ("9", "10"):
        shard = tmp_path / "r" / name / "shard-1-of-2"
        assert len(read_run(shard).results) == 1
        assert len(list((shard / "videos").iterdir())) == 1


def test_an_interrupt_ends_all_and_the_same_command_continues(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("TALLY_FAULTS", str(tmp_path / "faults"))
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "3.begin.hang.0").touch()
    arguments = ("--ckpt", weights / "9.pth", "--ckpt", weights / "10.pth", "--out", tmp_path / "r", "--workers", 1)
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    records, deadline = tmp_path / "r" / "9" / "units.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and not (records.exists() and records.read_bytes().count(b"\n") == 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    assert not (tmp_path / "r" / "10").exists()
    again = run(*arguments)
    assert again.returncode == 0, again.stderr
    assert "units 3/6" in again.stdout
    assert {len(read_run(tmp_path / "r" / name).results) for name in ("9", "10")} == {6}


def test_an_empty_path_is_no_checkpoint_rather_than_the_current_folder(weights, tmp_path):
    done = run("--ckpt", "", "--out", tmp_path / "r")
    assert (done.returncode, "--ckpt: one of the paths is empty" in done.stderr) == (2, True), done.stderr


def test_a_checkpoint_stays_in_its_directory_whatever_else_is_evaluated(weights, tmp_path):
    for folder, text in (("s", "0.7"), ("t", "0.8")):
        (weights / folder).mkdir()
        (weights / folder / "last.pth").write_text(text)
    where = ("--out", tmp_path / "r", "--units", "0")
    assert run("--ckpt", weights / "*" / "last.pth", *where).returncode == 0
    before = {path.name for path in (tmp_path / "r").iterdir()}
    again = run("--ckpt", weights / "s" / "last.pth", "--ckpt", weights / "9.pth", *where)
    assert again.returncode == 0, again.stderr
    assert {path.name for path in (tmp_path / "r").iterdir()} == before | {"9"}
