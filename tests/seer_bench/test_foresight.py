"""Films that show what a policy expected."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from typer.testing import CliRunner

from seer_bench import CheckpointError, ImageSpec, RunRequest, UsageError, read_run, run
from seer_bench.cli import app
from seer_bench.video import EVERY, HOLD, Film, ForesightRequest, plan_films
from seer_bench.video.foresight import upright
from tests.seer_bench.test_video import Silent

SIZE, LABEL, CAPTION = 64, 17, 54
STEP = 0.25
"""What the policy adds a step; unit i wants i + 1, then i + 2, in 7 steps each."""


@pytest.fixture(autouse=True)
def plugins(tally: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugins of `fakes/foresight_plugins.py`."""
    info = tmp_path / "more" / "foresight_plugins-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foresight-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[seer_bench.benchmarks]\nglow = foresight_plugins:GlowBenchmark\n"
        "[seer_bench.policies]\nexpecting = foresight_plugins:ExpectingPolicy\n"
    )
    monkeypatch.syspath_prepend(str(info.parent))


@pytest.fixture
def record(tmp_path: Path):
    """Plays units of the policy that expects, under given options."""

    def play(units: str = "0", *, checkpoint: Path | None = None, seed: int = 0, **options: str) -> Path:
        out = tmp_path / "run"
        request = RunRequest("glow", "expecting", out, units=units, checkpoint=checkpoint, seed=seed, options=options)
        assert run(request, Silent()).errors == 0
        return out

    return play


def film(out: Path, units: str = "0", request: ForesightRequest | None = None) -> Film:
    plan = plan_films(out, units=units, which="all", size=SIZE, foresight=request or ForesightRequest())
    (made,) = plan.make()
    return made


def frames_of(path: Path) -> np.ndarray:
    """The pictures of a film (n, height, width, 3), of three tiles a row."""
    picture = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), *picture]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, (LABEL + SIZE + CAPTION) // 2 * 2, 3 * SIZE, 3)


def colours(frame: np.ndarray, tile: int) -> tuple[list[int], list[int]]:
    """Mean colour of the upper and the lower half of a tile, away from edges."""
    picture = frame[LABEL : LABEL + SIZE, tile * SIZE : (tile + 1) * SIZE].astype(float)
    upper, lower = picture[8:24, 8:56], picture[40:56, 8:56]
    return upper.mean(axis=(0, 1)).round().astype(int).tolist(), lower.mean(axis=(0, 1)).round().astype(int).tolist()


def close(found: list[int], wanted: tuple[int, int, int]) -> bool:
    """Equal but for the film's compression."""
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 6


DARK, WHITE, BLUE = (16, 18, 22), (255, 255, 255), (0, 0, 255)


def test_what_was_foreseen_stands_upright_beside_the_frame_that_came(record):
    """Unit 0: 1.0 is reached after 4 steps, 2.0 after 4 more; frames at steps 0, 3, 4 and (of the second) 3, 4."""
    out = record()
    assert [s.steps for s in read_run(out).results["glow/v1:unit=0"].subtasks] == [4, 4]
    made = film(out)
    assert made.path.name == "unit=0_64px_foresight.mp4"
    assert made.note == "", "the policy was asked as in the run, so its answers have the same bits"
    frames = frames_of(made.path)
    shown = [(1, 0), (1, 3), (1, 4), (2, 3), (2, 4)]
    assert len(frames) == len(shown) + HOLD
    for frame, (_, step) in zip(frames, shown, strict=False):
        above, below = colours(frame, 1)
        if step < EVERY:
            assert close(above, DARK), step
            assert close(below, DARK), step
        else:
            call = step - 3 + 1  # the policy's first call was before step 1
            assert close(above, WHITE), step
            assert close(below, (20 * call,) * 3), (step, below)
        above, below = colours(frame, 2)
        reset = step == 4  # the environment counts anew when a subtask is over
        assert close(above, (40 + 30 * (0 if reset else step), 0, 0)), (step, above)
        assert close(below, BLUE), "the middle of the camera's picture, without its green margins"


@pytest.mark.parametrize(
    "options", [{"batch": "3"}, {"chunk": "2"}, {"privileged": "yes"}, {"batch": "2", "chunk": "3"}]
)
def test_the_policy_is_asked_exactly_as_in_the_run(record, options):
    out = record("3", seed=11, **options)
    made = film(out, "3")
    assert made.path is not None, made.note
    assert made.note == ""
    built = sys.modules["foresight_plugins"].BUILT[-1]
    assert built.closed
    assert built.spec.batch == int(options.get("batch", "1"))


def test_the_step_from_which_the_policy_answers_otherwise_is_named_and_the_film_is_made(record, monkeypatch):
    """The second subtask of unit 0 begins at a total of 1, and two steps later the policy drifts."""
    out = record()
    monkeypatch.setenv("EXPECTING_DRIFT", "yes")
    made = film(out)
    assert "otherwise than recorded from step 3 of subtask 2 on, by up to 0.12:" in made.note
    assert colours(frames_of(made.path)[2], 1)[0] != list(DARK)


@pytest.mark.parametrize(("fault", "words"), [("foresee", "clouded"), ("grey", "uint8 (8, 8, 1) for 'camera'")])
def test_a_policy_that_fails_leaves_no_film(record, fault, words):
    out = record(fault=fault)
    made = film(out)
    assert made.path is None
    assert words in made.note
    assert list((out / "videos").iterdir()) == []
    assert sys.modules["foresight_plugins"].BUILT[-1].closed


def test_both_kinds_of_films_exist_side_by_side(record):
    out = record()
    list(plan_films(out, units="0", which="all", size=SIZE).make())
    assert film(out).path.exists()
    assert "there already" in film(out).note
    assert sorted(p.name for p in (out / "videos").iterdir()) == ["unit=0_64px.mp4", "unit=0_64px_foresight.mp4"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "33.pth"
    path.write_bytes(b"weights")
    return path


def test_the_checkpoint_must_be_the_one_of_the_run(record, weights, tmp_path):
    out = record(checkpoint=weights)
    other = tmp_path / "34.pth"
    other.write_bytes(b"other weights")
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (other, weights)]
    with pytest.raises(CheckpointError, match=rf"34\.pth: has sha256 {hashes[0]}.* 33\.pth, sha256 {hashes[1]}"):
        film(out, request=ForesightRequest(other))
    with pytest.raises(UsageError, match=f"Add --ckpt PATH, .* sha256 {hashes[1]}"):
        film(out)
    with pytest.raises(CheckpointError, match=r"35\.pth: cannot be read"):
        film(out, request=ForesightRequest(tmp_path / "35.pth"))
    assert not (out / "videos").exists()
    assert film(out, request=ForesightRequest(weights.rename(tmp_path / "moved.pth"))).note == ""


def test_requests_that_make_no_sense_are_refused(record, weights):
    out = record()
    with pytest.raises(UsageError, match="made without a checkpoint"):
        film(out, request=ForesightRequest(weights))
    with pytest.raises(UsageError, match="--threads 0"):
        film(out, request=ForesightRequest(threads=0))
    for option in (("--ckpt", str(weights)), ("--device", "cpu"), ("--threads", "2")):
        done = CliRunner().invoke(app, ["video", str(out), *option])
        assert isinstance(done.exception, UsageError)
        assert "add --foresight" in str(done.exception)


def test_a_policy_that_foresees_nothing_is_refused(record, tmp_path):
    out = record(blind="yes")
    with pytest.raises(UsageError, match="'expecting' foresees no images"):
        film(out)
    assert sys.modules["foresight_plugins"].BUILT[-1].closed
    arguments = ["run", "glow", "--policy", "expecting", "--policy-arg", "blind=yes", "--out", str(tmp_path / "new")]
    done = CliRunner().invoke(app, [*arguments, "--video", "all", "--foresight"])
    assert isinstance(done.exception, UsageError)
    assert "'expecting' foresees no images" in str(done.exception)
    assert not (tmp_path / "new").exists()


def test_foresight_without_films_is_refused_before_the_run(tmp_path):
    arguments = ["run", "glow", "--policy", "expecting", "--out", str(tmp_path / "new"), "--foresight"]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert "add --video failed" in str(done.exception)
    assert not (tmp_path / "new").exists()


def test_a_run_films_what_the_policy_expected_where_it_failed(tmp_path, weights):
    arguments = ["run", "glow", "--policy", "expecting", "--ckpt", str(weights), "--policy-arg", "batch=2"]
    more = ["--units", "0:2", "--out", str(tmp_path / "new"), "--video", "failed", "--foresight"]
    done = CliRunner().invoke(app, [*arguments, *more])
    assert done.exit_code == 0, done.output
    (made,) = (tmp_path / "new" / "videos").iterdir()
    assert made.name == "unit=1_320px_foresight.mp4"
    assert "otherwise" not in done.output


def test_pictures_of_every_orientation_are_turned_upright():
    person = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    raw = person[::-1]
    given = {"upright": person, "raw": raw, "rot180": np.rot90(raw, 2)}
    for orientation, picture in given.items():
        np.testing.assert_array_equal(upright(picture, ImageSpec(2, 3, orientation=orientation)), person)
