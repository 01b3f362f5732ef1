from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont
from typer.testing import CliRunner

from seer_bench import RunRequest, StoreError, UsageError, read_run, run
from seer_bench.cli import app
from seer_bench.contracts import Subtask, Unit
from seer_bench.store import from_line, to_line
from seer_bench.video import EVERY, HOLD, LARGEST, SMALLEST, caption, fit, plan_films

pytestmark = pytest.mark.usefixtures("tally")


class Silent:
    def started(self, protocol, total, recorded): ...

    def stepped(self, steps): ...

    def finished(self, result): ...

    def noted(self, text): ...

    def busy(self, units): ...

    def closed(self): ...


def test_captions_count_the_subtasks_of_chains_alone():
    unit = Unit("p/v1:task=3,trial=07", 67)
    assert caption(unit, Subtask(0, "open_drawer", ""), 40, None, "egl") == "task=3,trial=07  step 40  egl  open_drawer"
    chained = caption(unit, Subtask(1, "open_drawer", ""), 40, 1, "egl")
    assert chained == "task=3,trial=07  step 40  1 solved  egl  2: open_drawer"


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


def rewrite(run_dir: Path, unit: int, **changes) -> None:
    """Change the recorded last subtask of a unit."""
    path = run_dir / "units.jsonl"
    results = [from_line(line) for line in path.read_bytes().splitlines()]
    for i, result in enumerate(results):
        if result.unit_id.endswith(f"={unit}"):
            *before, last = result.subtasks
            results[i] = replace(result, subtasks=(*before, replace(last, **changes)))
    path.write_text("".join(to_line(result) + "\n" for result in results))


@pytest.mark.parametrize("change", [{"steps": 4}, {"task": "sum_9"}])
def test_a_film_that_would_not_show_what_was_recorded_is_not_made_and_the_others_are(finished, change):
    rewrite(finished, 3, **change)
    films = {film.unit: film for film in plan_films(finished, units="2:5", which="all", size=64).make()}
    assert [film.path is None for film in films.values()] == [False, True, False]
    assert "the record says" in films["tally/v1:unit=3"].note
    assert "seer-bench verify tally" in films["tally/v1:unit=3"].note
    assert sorted(p.name for p in (finished / "videos").iterdir()) == ["unit=2_64px.mp4", "unit=4_64px.mp4"]


def test_units_with_altered_or_missing_actions_are_named_and_the_others_filmed(finished):
    (altered,) = (finished / "actions").glob("unit=2*")
    np.save(altered, np.load(altered) + 1)
    next((finished / "actions").glob("unit=3*")).unlink()
    films = list(plan_films(finished, units="2:5", which="all", size=64).make())
    assert [film.path is None for film in films] == [True, True, False]
    assert "sha256" in films[0].note
    assert "unit=3.npy: cannot be read" in films[1].note


def test_the_command_films_the_rest_names_the_bad_unit_and_fails(finished):
    next((finished / "actions").glob("unit=3*")).unlink()
    done = CliRunner().invoke(app, ["video", str(finished), "--units", "2:5", "--size", "64"])
    assert done.exit_code == 1
    assert "unit=3: not filmed" in done.output
    assert "1 of 3 units could not be filmed" in done.output
    assert len(list((finished / "videos").iterdir())) == 2


@pytest.mark.parametrize("size", [SMALLEST - 1, LARGEST + 1, 0, -3])
def test_sizes_out_of_range_are_refused(finished, size):
    with pytest.raises(UsageError, match=f"--size {size}"):
        plan_films(finished, units="2", which="all", size=size)
    assert CliRunner().invoke(app, ["video", str(finished), "--size", str(size)]).exit_code == 2
    assert not (finished / "videos").exists()


def test_failures_of_the_policy_are_filmed(tmp_path):
    run(RunRequest("tally", "add", tmp_path / "r", options={"fault": "nan"}, units="0:2"), Silent())
    run(RunRequest("tally", "add", tmp_path / "d", options={"fault": "dtype"}, units="2:3"), Silent())
    for name, count in (("r", 2), ("d", 1)):
        films = list(plan_films(tmp_path / name, units=None, which="failed", size=64).make())
        assert len(films) == count
        assert all(film.path for film in films)


def test_a_full_disk_is_said_in_words_and_leaves_nothing(finished):
    (finished / "videos").mkdir()
    (finished / "videos" / ".unit=2_64px.mp4.part.mp4").symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"No space left on device.*seer-bench video"):
        list(plan_films(finished, units="2", which="all", size=64).make())
    assert list((finished / "videos").iterdir()) == []


@pytest.mark.parametrize("place", ["file", "/proc/self"])
def test_a_place_that_takes_no_films_is_said_in_words(finished, place):
    if place == "file":
        (finished / "videos").write_text("")
    else:
        (finished / "videos").symlink_to(place)
    with pytest.raises(StoreError, match=r"cannot be written: .*seer-bench video"):
        list(plan_films(finished, units="2", which="all", size=64).make())


@given(st.text(max_size=80), st.floats(1, 400))
def test_captions_fit(text, width):
    font = ImageFont.load_default(12)
    text = " ".join(text.split())
    fitting = fit(text, font, width)
    assert font.getlength(fitting) <= width
    assert fitting == text or fitting == "" or fitting.endswith("...")


def test_a_unit_without_a_record_is_refused(finished, tmp_path):
    run(RunRequest("tally", "add", tmp_path / "part", units="0:2"), Silent())
    with pytest.raises(StoreError, match="unit=2 has no recorded outcome"):
        plan_films(tmp_path / "part", units="1:4", which="all", size=64)
    with pytest.raises(UsageError, match="0:6"):
        plan_films(tmp_path / "part", units="7", which="all", size=64)
