from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from expert_policy.libero import OscController
from expert_policy.plan import Grip, Plan, Waypoint
from seer_bench import ConventionError

HERE = (-0.05, 0.0, 0.7)
FORWARD = np.pi / 2
shared_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


def follow(controller, plan, arm, limit=600):
    """Let the arm follow a plan to its end; the actions taken and the positions passed."""
    controller.follow(plan)
    actions, places = [], [arm.state.tcp_position]
    while (action := controller.act(arm.state)) is not None:
        assert len(actions) < limit
        actions.append(action)
        arm.step(action)
        places.append(arm.state.tcp_position)
    return np.array(actions), np.array(places)


@shared_fixtures
@given(
    x=st.floats(-0.4, 0.3),
    y=st.floats(-0.4, 0.4),
    z=st.floats(0.4, 1.2),
    yaw=st.floats(-8, 8),
    pitch=st.floats(-1.4, 1.4),
    roll=st.floats(1.6, 4.6),
    speed=st.floats(0.2, 1.0),
)
def test_a_pose_is_reached_within_the_speed_limit(action, make_state, make_arm, x, y, z, yaw, pitch, roll, speed):
    arm = make_arm(make_state())
    waypoint = Waypoint((x, y, z), Grip.CLOSED, yaw, pitch, speed=speed, patience=500, roll=roll)
    actions, _ = follow(OscController(action), Plan((waypoint,)), arm)
    assert np.linalg.norm(arm.state.tcp_position - (x, y, z)) < waypoint.tolerance
    wanted = Rotation.from_euler("xyz", [roll, pitch, yaw])
    assert (wanted * Rotation.from_euler("xyz", arm.state.tcp_euler).inv()).magnitude() < 0.07
    assert np.abs(actions[:, :3]).max() <= speed + 1e-12
    assert np.abs(actions).max() <= 1 + 1e-12
    assert actions.dtype == np.float64


def test_the_way_is_straight(action, make_state, make_arm):
    goal = np.array([0.2, 0.05, 0.5])
    arm = make_arm(make_state())
    _, places = follow(OscController(action), Plan((Waypoint(tuple(goal), Grip.OPEN, FORWARD),)), arm)
    along = (goal - HERE) / np.linalg.norm(goal - HERE)
    offsets = places - HERE
    assert np.linalg.norm(offsets - np.outer(offsets @ along, along), axis=1).max() < 1e-6


def test_a_small_remaining_turn_is_asked_for_whole_so_that_it_is_the_goal_that_stays(action, make_state):
    controller = OscController(action)
    controller.follow(Plan((Waypoint(HERE, Grip.OPEN, FORWARD + 0.3),)))
    np.testing.assert_allclose(controller.act(make_state())[3:6], [0, 0, 0.3 / 0.5], atol=1e-9)


def test_a_turn_takes_the_short_way_round(action, make_state, make_arm):
    arm = make_arm(make_state(euler=(np.pi, 0.0, 3.0)))
    actions, _ = follow(OscController(action), Plan((Waypoint(HERE, Grip.OPEN, -3.0),)), arm)
    assert actions[:, 5].min() >= 0
    assert np.abs(actions[:, 3:5]).max() < 1e-6


def test_the_gripper_is_told_in_the_benchmarks_sign(action, make_state, make_arm):
    plan = Plan((Waypoint(HERE, Grip.OPEN, FORWARD, hold=2), Waypoint(HERE, Grip.CLOSED, FORWARD, hold=3)))
    for sign in (1, -1):
        told = replace(action, gripper_open=sign)
        actions, _ = follow(OscController(told), plan, make_arm(make_state()))
        assert actions[:, 6].tolist() == [sign] * 3 + [-sign] * 4


def test_an_arm_that_is_blocked_goes_on(action, make_state, make_arm):
    arm = make_arm(make_state(), stuck=True)
    plan = Plan((Waypoint((0.2, 0.0, 0.7), Grip.OPEN, FORWARD, patience=100),))
    actions, _ = follow(OscController(action), plan, arm)
    assert 4 <= len(actions) < 10


def test_patience_ends_a_motion_that_takes_too_long(action, make_state, make_arm):
    plan = Plan((Waypoint((0.3, 0.3, 0.7), Grip.OPEN, FORWARD, patience=4),))
    actions, _ = follow(OscController(action), plan, make_arm(make_state()))
    assert len(actions) == 4


@pytest.mark.parametrize(
    "change", [{"kind": "joint_abs"}, {"dim": 8}, {"rotation": "euler_xyz"}, {"translation_scale": None}]
)
def test_other_actions_are_refused(action, change):
    with pytest.raises(ConventionError, match="7-dim relative"):
        OscController(replace(action, **change))
