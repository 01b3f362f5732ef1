from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from real_robot_benchmark.robot.conventions import INTERFACE, between, compose, first_target, observe, pose
from real_robot_benchmark.robot.io import Frame, RobotError, Target
from real_robot_benchmark.robot.rate import SimulatedClock
from tests.fakes.robot_plugins import HOME, FakeRobot

numbers = st.floats(-1, 1)


def test_a_value_of_1_is_2_cm_and_a_twentieth_of_a_radian() -> None:
    straight = Target(pose(np.zeros(3), np.zeros(3)), 1.0)
    moved = compose(straight, np.array([1.0, 0, 0, 0, 0, 1.0, -1.0]))
    np.testing.assert_allclose(moved.pose.position, [0.02, 0, 0])
    np.testing.assert_allclose(Rotation.from_quat(moved.pose.rotation).as_euler("xyz"), [0, 0, 0.05], atol=1e-12)
    assert moved.gripper == -1.0


def test_an_action_is_a_motion_in_the_tool_s_own_frame() -> None:
    """A tool that points down and is turned by 90 degrees goes along the base's y axis when it goes along its x."""
    down = Target(pose(np.array([0.4, 0.1, 0.3]), np.array([np.pi, 0, np.pi / 2])), 1.0)
    moved = compose(down, np.array([1.0, 0, 0.5, 0, 0, 0, 1.0]))
    np.testing.assert_allclose(moved.pose.position, [0.4, 0.12, 0.29], atol=1e-12)


def test_targets_are_the_product_of_4x4_matrices() -> None:
    """As the deployment composes them: last @ delta, Euler angles about fixed axes x, y, z."""
    rng = np.random.default_rng(0)
    target, matrix = Target(HOME, 1.0), np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_quat(HOME.rotation).as_matrix(), HOME.position
    for action in rng.uniform(-1, 1, (50, 7)):
        delta = np.eye(4)
        delta[:3, 3] = action[:3] * 0.02
        delta[:3, :3] = Rotation.from_euler("xyz", action[3:6] * 0.05).as_matrix()
        matrix = matrix @ delta
        target = compose(target, action)
    np.testing.assert_allclose(target.pose.position, matrix[:3, 3], atol=1e-12)
    np.testing.assert_allclose(Rotation.from_quat(target.pose.rotation).as_matrix(), matrix[:3, :3], atol=1e-12)


@given(st.lists(numbers, min_size=6, max_size=6), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_between_undoes_compose(motion: list[float], euler: list[float]) -> None:
    start = Target(pose(np.array([0.4, 0.0, 0.2]), np.array(euler)), -1.0)
    action = np.array([*motion, 1.0])
    np.testing.assert_allclose(between(start.pose, compose(start, action).pose, 1.0), action, atol=1e-9)


def test_what_a_policy_sees() -> None:
    reading = FakeRobot(SimulatedClock()).read()
    seen = observe(reading, INTERFACE.observations)
    assert {name: value.shape for name, value in seen.items()} == {
        "rgb_primary": (1, 480, 640, 3),
        "rgb_wrist": (1, 480, 640, 3),
        "robot_state": (1, 7),
    }
    np.testing.assert_allclose(seen["robot_state"][0, :3], HOME.position)
    assert seen["robot_state"][0, 6] == 1.0
    assert observe(replace(reading, gripper_open=False), ["robot_state"])["robot_state"][0, 6] == -1.0
    assert first_target(reading) == Target(reading.pose, 1.0)


def test_a_missing_or_misshapen_picture_is_the_robot_s_fault() -> None:
    reading = FakeRobot(SimulatedClock()).read()
    with pytest.raises(RobotError, match="camera 'rgb_wrist' gave no picture; there are: rgb_primary"):
        observe(replace(reading, cameras={"rgb_primary": reading.cameras["rgb_primary"]}), ["rgb_wrist"])
    small = Frame(np.zeros((240, 320, 3), np.uint8), 0.0)
    with pytest.raises(RobotError, match=r"uint8 \(240, 320, 3\)"):
        observe(replace(reading, cameras={"rgb_primary": small}), ["rgb_primary"])
