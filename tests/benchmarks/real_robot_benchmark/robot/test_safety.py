from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from real_robot_benchmark.robot.conventions import compose, pose
from real_robot_benchmark.robot.io import Frame, Pose, Reading, Target
from real_robot_benchmark.robot.rate import SimulatedClock
from real_robot_benchmark.robot.safety import Guard, Limits, UnsafeCommandError, load_limits
from seer_bench.errors import InvalidActionError, UsageError
from tests.fakes.robot_plugins import HOME, LIMITS, FakeRobot

BEAT = 1 / 15


@pytest.fixture
def reading() -> Reading:
    return FakeRobot(SimulatedClock()).read()


def begun(reading: Reading, limits: Limits = LIMITS) -> Guard:
    guard = Guard(limits)
    guard.begin(reading, Target(HOME, 1.0), 0.0)
    return guard


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0, tilt: float = 0.0) -> Target:
    return Target(pose(np.add(HOME.position, [x, y, z]), np.array([np.pi - tilt, 0.0, 0.0])), 1.0)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ([0.0] * 7, "the action is list"),
        (np.zeros(6), r"float64 \(6,\)"),
        (np.zeros((1, 7)), r"float64 \(1, 7\)"),
        (np.zeros(7, int), r"int64 \(7,\)"),
        (np.array([0, 0, np.nan, 0, 0, 0, 1.0]), "not finite.*nan"),
        (np.array([np.inf, 0, 0, 0, 0, 0, 1.0]), "not finite.*inf"),
        (np.array([0, 1.001, 0, 0, 0, 0, 1.0]), r"beyond \[-1, 1\].*1.001"),
        (np.array([0, 0, 0, 0, 0, 0, 2.0]), r"beyond \[-1, 1\]"),
    ],
)
def test_what_is_no_action_is_refused(reading: Reading, action: Any, words: str) -> None:
    with pytest.raises(InvalidActionError, match=words):
        begun(reading).check_action(action)


def test_the_largest_action_passes(reading: Reading) -> None:
    action = np.ones(7)
    guard = begun(reading)
    guard.check_action(action)
    guard.check(compose(Target(HOME, 1.0), action), reading, BEAT)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (moved(x=0.31), r"x = 0.810 m, outside of the workspace \(0.200 to 0.800 m\)"),
        (moved(z=-0.26), "z = 0.040 m"),
        (moved(y=np.nan), "not finite"),
        (moved(x=0.036), "one step of the target is 0.036 m; 0.035 m are allowed"),
        (moved(tilt=0.095), "one turn of the target is 0.095 rad; 0.09 rad are allowed"),
    ],
)
def test_a_target_beyond_a_limit_is_refused(reading: Reading, target: Target, words: str) -> None:
    with pytest.raises(UnsafeCommandError, match=words):
        begun(reading).check(target, reading, BEAT)


def test_speed_is_counted_from_beat_to_beat(reading: Reading) -> None:
    slow = replace(LIMITS, max_speed_m_s=0.25)
    with pytest.raises(UnsafeCommandError, match=r"the target's speed is 0.300 m/s; 0.25 m/s"):
        begun(reading, slow).check(moved(x=0.02), reading, BEAT)
    begun(reading, slow).check(moved(x=0.02), reading, 2 * BEAT)


def test_a_tool_that_leans_too_far_is_refused(reading: Reading) -> None:
    guard = begun(reading, replace(LIMITS, max_tilt_rad=0.1))
    guard.check(moved(tilt=0.08), reading, BEAT)
    with pytest.raises(UnsafeCommandError, match=r"the target is at a tilt of 0.12 rad from straight down; 0.10 rad"):
        guard.check(moved(tilt=0.12), reading, 2 * BEAT)


def test_a_blocked_robot_does_not_wind_up(reading: Reading) -> None:
    guard = begun(reading)
    for step in range(1, 6):
        guard.check(moved(x=0.02 * step), reading, step * BEAT)
    with pytest.raises(UnsafeCommandError, match=r"lags behind .* 0.120 m; 0.1 m"):
        guard.check(moved(x=0.12), reading, 6 * BEAT)


def test_a_refused_target_is_not_counted_as_sent(reading: Reading) -> None:
    guard = begun(reading)
    with pytest.raises(UnsafeCommandError):
        guard.check(moved(x=0.05), reading, BEAT)
    with pytest.raises(UnsafeCommandError, match=r"one step of the target is 0.060"):
        guard.check(moved(x=0.06), reading, 2 * BEAT)


def test_a_robot_outside_of_the_workspace_does_not_start(reading: Reading) -> None:
    with pytest.raises(UnsafeCommandError, match=r"the robot stands at y = 0.000 m, outside"):
        begun(reading, Limits((0.2, 0.1, 0.0), (0.8, 0.4, 0.7)))


def test_what_is_too_old_to_act_on_is_named(reading: Reading) -> None:
    guard = begun(reading)
    assert guard.distrust(reading, 0.2) == ""
    assert guard.distrust(reading, 0.3) == "the state is 0.30 s old; 0.25 s are allowed"
    wrist = Frame(reading.cameras["rgb_wrist"].image, -0.4)
    late = replace(reading, cameras={**reading.cameras, "rgb_wrist": wrist})
    assert guard.distrust(late, 0.0) == "the picture of 'rgb_wrist' is 0.40 s old; 0.25 s are allowed"


def test_limits_of_robot_and_operator_both_hold() -> None:
    operators = Limits((0.3, -1.0, 0.1), (2.0, 0.2, 0.5), max_step_m=0.01, max_tilt_rad=3.0)
    both = LIMITS.tightened(operators)
    assert (both.low, both.high) == ((0.3, -0.4, 0.1), (0.8, 0.2, 0.5))
    assert (both.max_step_m, both.max_tilt_rad) == (0.01, LIMITS.max_tilt_rad)
    with pytest.raises(UsageError, match=r"from 0.9 to 0.8 m along x"):
        LIMITS.tightened(Limits((0.9, -1, 0), (1.5, 1, 1)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("low: [0, 0, 0]", "line 1: the file lacks 'high'"),
        ("low: [0, 0, 0]\nhigh: [1, 1, 1]\nlow: [-9, -9, -9]", "line 3: the file has 'low' twice"),
        (f"low: [0, 0, 0]\nhigh: [1, 1, 1{'0' * 400}]", "too large"),
        ("low: [0, 0, 0]\nhigh: [1, 1]", r"\[1, 1\] is no corner"),
        ("low: [0, 0, 0]\nhigh: [1, 1, a]", "'a' is no number"),
        ("low: [0, 0, 0]\nhigh: [1, 1, 0]", "from 0.0 to 0.0 m along z"),
        ("low: [0, 0, 0]\nhigh: [1, 1, 1]\nmax_spead_m_s: 1", "Did you mean 'max_speed_m_s'"),
        ("low: [0, 0, 0]\nhigh: [1, 1, 1]\nmax_step_m: .nan", "max_step_m is nan"),
        ("low: [0, 0, 0]\nhigh: [1, 1, 1]\nmax_step_m: yes", "True is no number"),
        ("low: [", "line 1: not YAML"),
    ],
)
def test_a_faulty_file_of_limits_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_limits(path)


def test_a_file_of_limits(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("low: [0.2, -0.4, 0.05]\nhigh: [0.8, 0.4, 0.7]\nmax_speed_m_s: 0.2\n")
    assert load_limits(path) == replace(LIMITS, max_speed_m_s=0.2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Pose(np.array([0.5, np.nan, 0.3]), HOME.rotation), "the measured pose is not finite"),
        (Pose(HOME.position, np.zeros(4)), "the measured pose holds a quaternion of norm 0.000 instead of 1"),
        (Pose(np.zeros(2), HOME.rotation), "the measured pose has shapes (2,) and (4,)"),
    ],
)
def test_a_measured_pose_that_is_none_is_not_acted_on(reading: Reading, wrong: Pose, words: str) -> None:
    assert words in begun(reading).distrust(replace(reading, pose=wrong), 0.0)
