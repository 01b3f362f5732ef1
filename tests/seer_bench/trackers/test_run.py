"""Trackers beside real sessions of the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seer_bench import RunRequest, read_run, run
from seer_bench.store import canonical_lines
from seer_bench.trackers import track

pytestmark = pytest.mark.usefixtures("tally", "plugins")


def play(kept, out, names, units=None):
    request = RunRequest("tally", "add", out, units=units, workers=1)
    return run(request, track(kept, names, out))


def test_a_run_in_two_sessions_is_one_run_to_its_tracker(kept, tmp_path, notebook):
    out = tmp_path / "run"
    play(kept, out, ["notebook"], units="0:2")
    play(kept, out, ["notebook"])
    lines = notebook(out)
    first, second = (line for line in lines if line["call"] == "start")
    assert first["id"] == second["id"]
    assert [line["numbers"]["units"] for line in lines if line["call"] == "result"] == [1, 2, 3, 4, 5, 6]
    ends = [line for line in lines if line["call"] == "finish"]
    assert [end["complete"] for end in ends] == [True, True]
    final = read_run(out).results.values()
    assert ends[-1]["numbers"]["average_length"] == pytest.approx(sum(r.solved for r in final) / 6)
    assert ends[-1]["numbers"]["units"] == 6


def test_a_failing_tracker_changes_no_record(kept, tmp_path):
    play(kept, tmp_path / "alone", [])
    outcome = play(kept, tmp_path / "tracked", ["failing"])
    assert (outcome.errors, outcome.gave_up) == (0, None)
    alone, tracked = (read_run(tmp_path / name) for name in ("alone", "tracked"))
    assert canonical_lines(alone.results.values()) == canonical_lines(tracked.results.values())


def command(tmp_path, out, *names):
    """`seer-bench run` with the plugins of the test."""
    fakes = [Path(__file__).parent / "fakes", Path(__file__).parents[2] / "fakes"]
    places = [tmp_path / "site", tmp_path / "tracker-site", *fakes, Path.cwd(), os.environ.get("PYTHONPATH", "")]
    trackers = [word for name in names for word in ("--tracker", name)]
    return subprocess.run(
        [sys.executable, "-m", "seer_bench", "run", "tally", "--policy", "add", "--out", out, *trackers],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_the_option_may_be_repeated_and_changes_no_exit_code(tmp_path, notebook):
    done = command(tmp_path, tmp_path / "run", "notebook", "failing")
    assert done.returncode == 0, done.stderr
    assert [line["call"] for line in notebook(tmp_path / "run")].count("finish") == 1
    assert "failing: ConnectionError: the server is away" in done.stdout + done.stderr


def test_an_unknown_tracker_is_refused_before_anything_is_made(tmp_path):
    refused = command(tmp_path, tmp_path / "run", "notebok")
    assert refused.returncode == 2
    assert "Did you mean 'notebook'" in refused.stderr
    assert not (tmp_path / "run").exists()
