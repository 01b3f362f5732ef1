from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expert_policy.controller import Controller, wrap
from expert_policy.plan import Grip, Plan, Waypoint
from seer_bench import ConventionError

HERE = (0.03, -0.23, 0.57)
shared_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def follow(controller, plan, arm, limit=1000):
    """Let the arm follow a plan to its end; the actions taken."""
    controller.follow(plan)
    actions = []
    while (action := controller.act(arm.state)) is not None:
        assert len(actions) < limit
        actions.append(action)
        arm.step(action)
    return np.array(actions)


@shared_fixtures
@given(
    x=st.floats(-0.3, 0.4),
    y=st.floats(-0.4, 0.1),
    z=st.floats(0.36, 0.7),
    yaw=st.floats(-8, 8),
    pitch=st.floats(-0.8, 0.3),
    speed=st.floats(0.2, 1.0),
)
def test_a_waypoint_is_reached_within_the_speed_limit(action, make_state, make_arm, x, y, z, yaw, pitch, speed):
    arm = make_arm(make_state())
    waypoint = Waypoint((x, y, z), Grip.CLOSED, yaw, pitch, speed=speed, patience=500)
    actions = follow(Controller(action), Plan((waypoint,)), arm)
    assert np.linalg.norm(arm.state.tcp_position - (x, y, z)) < waypoint.tolerance
    assert abs(wrap(arm.state.target_euler[2] - yaw)) < 0.02
    assert abs(arm.state.target_euler[1] - pitch) < 0.02
    assert np.abs(actions[:, :3]).max() <= speed
    assert np.abs(actions).max() <= 1
    assert actions.dtype == np.float64


def test_a_turn_takes_the_short_way_round(action, make_state, make_arm):
    arm = make_arm(make_state(yaw=3.0))
    actions = follow(Controller(action), Plan((Waypoint(HERE, Grip.OPEN, -3.0),)), arm)
    assert actions[:, 5].min() >= 0
    assert arm.state.target_euler[2] == pytest.approx(2 * np.pi - 3.0, abs=0.02)


def test_an_unwrapped_command_is_not_wound_back(action, make_state, make_arm):
    arm = make_arm(make_state(yaw=1.5 + 2 * np.pi))
    actions = follow(Controller(action), Plan((Waypoint(HERE, Grip.OPEN, 1.5),)), arm)
    assert np.abs(actions[:, 3:6]).max() == pytest.approx(0, abs=1e-9)


def test_the_gripper_is_told_in_the_benchmarks_sign(action, make_state, make_arm):
    plan = Plan((Waypoint(HERE, Grip.OPEN, 1.5, hold=2), Waypoint(HERE, Grip.CLOSED, 1.5, hold=3)))
    for sign in (1, -1):
        actions = follow(Controller(replace(action, gripper_open=sign)), plan, make_arm(make_state()))
        assert actions[:, 6].tolist() == [sign] * 3 + [-sign] * 4


def test_an_arm_that_stands_still_short_of_a_waypoint_goes_on(action, make_state, make_arm):
    arm = make_arm(make_state(), stuck=True)
    actions = follow(Controller(action), Plan((Waypoint((0.07, -0.23, 0.57), Grip.OPEN, 1.5, patience=100),)), arm)
    assert len(actions) < 10
    assert arm.state.target_position[0] == pytest.approx(0.07)


def test_patience_ends_a_motion_that_takes_too_long(action, make_state, make_arm):
    waypoint = Waypoint((0.3, -0.23, 0.57), Grip.OPEN, 1.5, patience=4)
    assert len(follow(Controller(action), Plan((waypoint,)), make_arm(make_state()))) == 4


def test_the_command_never_passes_the_waypoint(action, make_state, make_arm):
    arm = make_arm(make_state(), stuck=True)
    controller = Controller(action)
    controller.follow(Plan((Waypoint((0.1, -0.23, 0.57), Grip.OPEN, 1.5, patience=50, hold=30),)))
    while (step := controller.act(arm.state)) is not None:
        arm.step(step)
        assert arm.state.target_position[0] <= 0.1 + 1e-12


@pytest.mark.parametrize(
    "change", [{"kind": "joint_abs"}, {"dim": 8}, {"rotation": "axis_angle"}, {"translation_scale": None}]
)
def test_other_actions_are_refused(action, change):
    with pytest.raises(ConventionError, match="7-dim relative"):
        Controller(replace(action, **change))
