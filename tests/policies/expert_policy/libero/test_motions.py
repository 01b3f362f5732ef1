from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_policy.controller import wrap
from expert_policy.libero import motions
from expert_policy.libero.grasping import Grasp, roomiest
from expert_policy.plan import Attempt, Grip

ASIDE = Attempt(1, (0.001, 0.002, 0.003))


@given(st.floats(-20, 20))
def test_fingers_close_along_a_direction_with_the_least_turn(direction):
    yaw = motions.closing_along(direction)
    assert abs(np.sin(yaw - direction)) < 1e-6
    assert abs(wrap(yaw - motions.FORWARD)) <= np.pi / 2 + 1e-6


def test_only_retries_are_nudged():
    assert motions.nudge(Attempt(0, (0.0, 0.0, 0.0)), 0) == (0, 0, 0)
    assert motions.nudge(ASIDE, 1) == (0, 0, 0)
    assert motions.nudge(ASIDE, 0) == ASIDE.nudge


def test_a_point_of_a_body_moves_and_turns_with_it(make_state):
    state = make_state(bodies={"pot": (0.1, 0.2, 0.9, np.pi / 2)})
    assert motions.in_body(state, "pot", (0.05, 0.0, 0.02)) == pytest.approx((0.1, 0.25, 0.92))
    assert motions.yaw(state, "pot") == pytest.approx(np.pi / 2)


def test_a_held_object_is_placed_however_it_is_held(make_state):
    state = make_state(bodies={"can": (0.01, 0.02, 0.65, 0.0)}, tcp=(0.0, 0.0, 0.7), held=["can"])
    assert motions.spot_for(state, "can", (0.3, 0.1, 0.45)) == pytest.approx((0.29, 0.08, 0.5))


def test_rising_opens_the_fingers_and_goes_straight_up(make_state):
    plan = motions.rise(make_state(tcp=(0.1, 0.1, 0.45)), 0.7)
    assert plan.preparation
    (way,) = plan.waypoints
    assert (way.position, way.grip) == ((0.1, 0.1, 0.7), Grip.OPEN)
    assert motions.rise(make_state(tcp=(0.1, 0.1, 0.69)), 0.7) is None


def test_a_tall_neighbour_is_kept_clear_of(make_state):
    bodies = {"cheese": (0.1, -0.2, 0.446, 0.0), "milk": (0.03, -0.15, 0.59, 0.0), "butter": (0.1, -0.15, 0.446, 0.0)}
    grasps = [Grasp((0.1 + offset, -0.2, 0.446), motions.FORWARD) for offset in (0.0, 0.02, -0.02)]
    crowded = make_state(bodies=bodies)
    assert roomiest(crowded, "cheese", grasps) == grasps[1]
    alone = make_state(bodies=bodies | {"milk": (-0.2, 0.2, 0.59, 0.0)})
    assert roomiest(alone, "cheese", grasps) == grasps[0]
    assert roomiest(make_state(bodies={"cheese": bodies["cheese"]}), "cheese", grasps) == grasps[0]
