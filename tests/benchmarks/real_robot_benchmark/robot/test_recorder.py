from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import count_frames_and_secs

from real_robot_benchmark.robot.io import Frame, Reading
from real_robot_benchmark.robot.rate import SimulatedClock
from real_robot_benchmark.robot.recorder import Recorder
from tests.fakes.robot_plugins import FORWARD, FakeRobot


@pytest.fixture
def reading() -> Reading:
    small = Frame(np.full((48, 64, 3), 90, np.uint8), 0.0)
    return replace(FakeRobot(SimulatedClock()).read(), cameras={"rgb_primary": small, "overhead": small})


def test_actions_and_films_of_an_attempt(tmp_path: Path, reading: Reading) -> None:
    """30 commands on 45 beats, 3 s: the films play for 3 s although every third beat was missed."""
    recorder = Recorder(tmp_path, 7, 2, patient=True)
    for step in range(30):
        recorder.add(reading, FORWARD * step, beats=1 + step % 2)
    recorder.close()
    assert recorder.actions == "recordings/0007-2/actions.npy"
    actions = np.load(tmp_path / recorder.actions)
    assert actions.dtype == np.float64
    np.testing.assert_array_equal(actions, FORWARD * np.arange(30)[:, None])
    assert recorder.videos() == {
        "overhead": "recordings/0007-2/overhead.mp4",
        "rgb_primary": "recordings/0007-2/rgb_primary.mp4",
    }
    for video in recorder.videos().values():
        assert count_frames_and_secs(str(tmp_path / video)) == pytest.approx((60, 3.0))
    assert (recorder.left_out, recorder.fault) == (0, "")


def test_actions_are_saved_while_the_attempt_runs(tmp_path: Path, reading: Reading) -> None:
    recorder = Recorder(tmp_path, 1, 1, films=False)
    assert np.load(tmp_path / recorder.actions).shape == (0, 7)
    for _ in range(4):
        recorder.add(reading, FORWARD)
    recorder.save()
    assert np.load(tmp_path / recorder.actions).shape == (4, 7)
    recorder.close()
    assert recorder.videos() == {}


def test_nothing_that_was_recorded_is_overwritten(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        recorder = Recorder(tmp_path, 1, 1, films=False)
        recorder.close()
        names.append(recorder.path.name)
    assert names == ["0001-1", "0001-1-2", "0001-1-3"]


def test_a_film_that_cannot_be_written_costs_no_actions(tmp_path: Path, reading: Reading) -> None:
    recorder = Recorder(tmp_path, 1, 1, patient=True)
    (recorder.path / ".overhead.mp4").mkdir()
    for _ in range(100):
        recorder.add(reading, FORWARD)
    recorder.close()
    assert "films" in recorder.fault
    assert len(np.load(tmp_path / recorder.actions)) == 100
