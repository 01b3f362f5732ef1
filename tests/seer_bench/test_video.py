from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from seer_bench import RunRequest, SimulationError, StoreError, UsageError, read_run, run
from seer_bench.video import EVERY, HOLD, plan_films

pytestmark = pytest.mark.usefixtures("tally")


class Silent:
    def started(self, protocol, total, recorded): ...

    def stepped(self, steps): ...

    def finished(self, result): ...

    def closed(self): ...


@pytest.fixture
def finished(tmp_path) -> Path:
    """Units 0 and 1 are solved; units 2 to 5 run out of steps."""
    run(RunRequest("tally", "add", tmp_path / "r", options={"step": "0.5"}), Silent())
    return tmp_path / "r"


def frames_of(path: Path, width: int) -> np.ndarray:
    """The pictures of a film (n, height, width, 3), decoded by ffmpeg."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    height = 64 + 2 * (12 * 9 // 4)
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def test_failed_units_are_filmed_and_solved_ones_are_not(finished):
    plan = plan_films(finished, units=None, which="failed", size=64)
    expected = [u for u, r in read_run(finished).results.items() if r.outcome == "failure"]
    assert [u.id for u in plan.units] == expected
    assert 0 < len(expected) < 6
    films = list(plan.make())
    assert [film.unit for film in films] == expected
    assert sorted(p.name for p in (finished / "videos").iterdir()) == [f"unit={i}_64px.mp4" for i in range(2, 6)]


def test_a_film_shows_the_steps_and_holds_the_last_picture(finished):
    (film,) = plan_films(finished, units="3", which="all", size=64).make()
    frames = frames_of(film.path, width=64)
    assert len(frames) == 1 + 5 // EVERY + 1 + HOLD
    brightness = [frame[:64].mean() for frame in frames]
    assert brightness[0] < brightness[-1]
    assert frames[0][64:].max() > 150, "the caption is written below the picture"


def test_a_film_that_is_there_is_not_made_again(finished):
    (first,) = plan_films(finished, units="2", which="all", size=64).make()
    stamp = first.path.stat().st_mtime_ns
    (again,) = plan_films(finished, units="2", which="all", size=64).make()
    assert again.path.stat().st_mtime_ns == stamp
    assert "there already" in str(again)


def test_films_of_other_sizes_do_not_overwrite_one_another(finished):
    for size in (64, 96):
        list(plan_films(finished, units="2", which="all", size=size).make())
    assert len(list((finished / "videos").iterdir())) == 2


def test_a_film_that_would_not_show_what_was_recorded_is_refused_and_leaves_nothing(finished):
    records = finished / "units.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(line.replace('"success":false', '"success":true') for line in lines))
    with pytest.raises(SimulationError, match="the record says"):
        list(plan_films(finished, units="4", which="all", size=64).make())
    assert list((finished / "videos").iterdir()) == []


def test_altered_actions_are_refused(finished):
    path = next((finished / "actions").glob("unit=2*"))
    actions = np.load(path)
    np.save(path, actions + 1)
    with pytest.raises(StoreError, match="unit=2"):
        list(plan_films(finished, units="2", which="all", size=64).make())


def test_a_unit_without_a_record_is_refused(finished, tmp_path):
    run(RunRequest("tally", "add", tmp_path / "part", units="0:2"), Silent())
    with pytest.raises(StoreError, match="unit=2 has no recorded outcome"):
        plan_films(tmp_path / "part", units="1:4", which="all", size=64)
    with pytest.raises(UsageError, match="0:6"):
        plan_films(tmp_path / "part", units="7", which="all", size=64)
