"""`seer-bench report --clips`, on chains of a benchmark that needs no simulator."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import AssetError
from seer_bench.store.videos import clip_files
from seer_bench.video import Film
from tests.seer_bench.report.conftest import chain, write_session


@pytest.fixture
def run_dir(tmp_path) -> Path:
    """Ten chains, five of which failed."""
    return write_session(tmp_path / "runs" / "r", [chain(i, i) for i in range(6)])


@pytest.fixture
def filmed(monkeypatch):
    """Replaces the replay: the film of every unit is a file of one line. Keeps what was asked for."""
    asked: list[list[str]] = []

    def make(run, units):
        asked.append(list(units))
        for unit in units:
            film = clip_files(run.origins[unit], unit).film
            film.parent.mkdir(exist_ok=True)
            film.with_name(film.name.replace("_clip", "_64px")).write_bytes(b"film")
            yield Film(unit, film, "")

    monkeypatch.setattr("seer_bench.video.make_clips", make)
    return asked


def report(*arguments: object):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_without_the_option_nothing_is_replayed(run_dir, tmp_path, monkeypatch):
    monkeypatch.setattr("seer_bench.video.make_clips", lambda *_: pytest.fail("a replay began"))
    done = report(run_dir, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "html/index.html" in done.output
    page = next((tmp_path / "out" / "html" / "runs").glob("*-failures.html")).read_text()
    assert f"seer-bench report {run_dir} --clips 12" in page


def test_at_most_so_many_failures_of_a_run_are_filmed_and_shown(run_dir, tmp_path, filmed):
    done = report(run_dir, "--out", tmp_path / "out", "--clips", 3)
    assert done.exit_code == 0, done.output
    assert [len(units) for units in filmed] == [3]
    assert len(list((tmp_path / "out" / "html" / "clips").rglob("*.mp4"))) == 3


def test_json_has_stdout_to_itself(run_dir, tmp_path, filmed):
    done = report(run_dir, "--out", tmp_path / "out", "--clips", 1, "--format", "json")
    assert json.loads(done.stdout)["schema"].startswith("seer-bench/report/")


def test_a_clip_that_cannot_be_made_is_told_and_ends_with_1(run_dir, tmp_path, monkeypatch):
    def none(run, units):
        yield Film(units[0], None, "no clip: the file is gone")

    monkeypatch.setattr("seer_bench.video.make_clips", none)
    done = report(run_dir, "--out", tmp_path / "out", "--clips", 1)
    assert done.exit_code == 1
    assert "no clip: the file is gone" in done.stderr
    assert (tmp_path / "out" / "html" / "index.html").is_file()


def test_a_benchmark_that_cannot_be_had_costs_its_clips_alone(run_dir, tmp_path, monkeypatch):
    def refuse(run, units):
        raise AssetError("no assets here")
        yield

    monkeypatch.setattr("seer_bench.video.make_clips", refuse)
    done = report(run_dir, "--out", tmp_path / "out", "--clips", 2)
    assert done.exit_code == 1
    assert "no assets here" in done.stderr
    assert (tmp_path / "out" / "html" / "index.html").is_file()


def test_ctrl_c_leaves_a_whole_report_with_the_clips_that_are_there(run_dir, tmp_path, filmed, monkeypatch):
    from seer_bench import video

    whole = video.make_clips

    def interrupted(run, units):
        yield next(whole(run, units))
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("seer_bench.video.make_clips", interrupted)
    done = report(run_dir, "--out", tmp_path / "out", "--clips", 4)
    assert done.exit_code == 130
    assert "the same command goes on" in " ".join(done.stderr.split())
    assert (tmp_path / "out" / "html" / "index.html").is_file()
    assert len(list((tmp_path / "out" / "html" / "clips").rglob("*.mp4"))) == 1


def test_more_clips_than_a_page_shows_are_refused(run_dir, tmp_path, filmed):
    assert report(run_dir, "--out", tmp_path / "out", "--clips", 37).exit_code == 2
    assert filmed == []
