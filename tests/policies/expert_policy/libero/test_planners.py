"""Plans for the tasks with groceries, mugs and pots, on make-believe states."""

from __future__ import annotations

import numpy as np
import pytest

from expert_policy.libero import PLANNERS, basket, mugs, pots
from expert_policy.libero.motions import FORWARD
from expert_policy.plan import Attempt, Grip
from libero_benchmark.suites import load_suite

FIRST = Attempt(0, (0.0, 0.0, 0.0))
SECOND = Attempt(1, (0.004, 0.004, 0.004))

GROCERIES = {
    "basket_1": (0.0, 0.26, 0.432, np.pi / 2),
    "basket_1_contain_region": (0.0, 0.26, 0.504, 0.0),
    "alphabet_soup_1": (-0.1, -0.15, 0.475, 0.0),
    "tomato_sauce_1": (-0.1, 0.05, 0.475, 0.0),
    "cream_cheese_1": (0.1, -0.2, 0.446, np.pi),
    "butter_1": (0.05, 0.05, 0.445, np.pi),
}
MUGS = {
    "porcelain_mug_1": (-0.1, -0.15, 0.434, -np.pi / 2),
    "white_yellow_mug_1": (-0.05, 0.1, 0.437, -np.pi / 2),
    "plate_1": (0.0, -0.3, 0.439, np.pi / 2),
    "plate_2": (0.0, 0.3, 0.439, np.pi / 2),
}
BREAKFAST = {
    "porcelain_mug_1": MUGS["porcelain_mug_1"],
    "plate_1": (0.15, 0.0, 0.439, np.pi / 2),
    "chocolate_pudding_1": (-0.05, 0.1, 0.45, np.pi),
    "living_room_table_plate_right_region": (0.15, 0.1, 0.41, 0.0),
}
STOVE = {
    "flat_stove_1_cook_region": (-0.05, -0.2, 0.905, 0.0),
    "moka_pot_1": (-0.05, 0.25, 0.966, np.pi),
    "moka_pot_2": (0.05, 0.05, 0.966, np.pi),
}


def soup_and_sauce(state, attempt=FIRST):
    return basket.fill(state, attempt, ("alphabet_soup_1", "tomato_sauce_1"))


def gripped_at(plan):
    """Where the fingers close."""
    return next(w for w in plan.waypoints if w.grip is Grip.CLOSED)


def let_go_at(plan):
    """Where the fingers open after they were closed."""
    grips = [w.grip for w in plan.waypoints]
    return plan.waypoints[grips.index(Grip.OPEN, grips.index(Grip.CLOSED))]


def test_there_is_a_planner_for_each_of_the_ten_tasks():
    assert sorted(PLANNERS) == sorted(task.name for task in load_suite("libero_10"))


@pytest.mark.parametrize(
    ("planner", "bodies"),
    [(soup_and_sauce, GROCERIES), (mugs.two_mugs, MUGS), (mugs.mug_and_pudding, BREAKFAST), (pots.both, STOVE)],
)
def test_first_plans_grip_something_and_stay_within_reach(make_state, planner, bodies):
    plan = planner(make_state(bodies=bodies, tcp=(-0.1, 0.0, 1.15)), FIRST)
    assert not plan.preparation
    assert gripped_at(plan).hold > 0
    points = np.array([w.position for w in plan.waypoints])
    assert (points[:, :2] > [-0.35, -0.45]).all()
    assert (points[:, :2] < [0.30, 0.45]).all()
    assert all(0 < w.speed <= 1 for w in plan.waypoints)


def test_groceries_go_into_the_basket_one_after_another(make_state):
    assert gripped_at(soup_and_sauce(make_state(bodies=GROCERIES))).position == pytest.approx((-0.1, -0.15, 0.475))
    done = GROCERIES | {"alphabet_soup_1": (0.02, 0.25, 0.48, 0.0)}
    second = soup_and_sauce(make_state(bodies=done), SECOND)
    assert gripped_at(second).position == pytest.approx((-0.1, 0.05, 0.475))
    carried = done | {"tomato_sauce_1": (-0.1, 0.05, 0.7, 0.0)}
    drop = soup_and_sauce(make_state(bodies=carried, held=["tomato_sauce_1"]), SECOND)
    assert drop.preparation
    assert let_go_at(drop).position[:2] == pytest.approx((0.0, 0.26))
    over = drop.waypoints[0].position[2]
    assert over > 0.432 + 0.146 + 0.04  # the rim, and the half of the can below the fingers


def test_a_failed_grasp_is_tried_again_a_little_aside(make_state):
    again = soup_and_sauce(make_state(bodies=GROCERIES), SECOND)
    assert gripped_at(again).position == pytest.approx((-0.096, -0.146, 0.479))


def test_a_low_gripper_rises_before_it_travels(make_state):
    plan = soup_and_sauce(make_state(bodies=GROCERIES, tcp=(0.0, 0.0, 0.46)))
    assert plan.preparation
    assert plan.waypoints[0].position[:2] == (0.0, 0.0)


def test_boxes_are_gripped_across(make_state):
    turned = GROCERIES | {"butter_1": (0.05, 0.05, 0.445, np.pi / 2), "cream_cheese_1": (0.0, 0.26, 0.45, 0.0)}
    plan = basket.fill(make_state(bodies=turned), SECOND, ("cream_cheese_1", "butter_1"))
    assert abs(np.sin(gripped_at(plan).yaw)) == pytest.approx(0, abs=1e-6)
    straight = basket.fill(make_state(bodies=GROCERIES), FIRST, ("cream_cheese_1", "butter_1"))
    assert gripped_at(straight).yaw == pytest.approx(FORWARD)


def test_a_box_between_tall_cartons_is_gripped_askew(make_state):
    cartons = {"milk_1": (0.1, -0.12, 0.59, 0.0), "orange_juice_1": (0.1, -0.28, 0.59, 0.0)}
    plan = basket.fill(make_state(bodies=GROCERIES | cartons), FIRST, ("cream_cheese_1", "butter_1"))
    assert 0.3 < abs(gripped_at(plan).yaw - FORWARD) < 0.75


def test_what_lies_in_the_basket_is_left_alone(make_state):
    done = GROCERIES | {"alphabet_soup_1": (0.02, 0.25, 0.48, 0.0), "tomato_sauce_1": (-0.03, 0.28, 0.48, 0.0)}
    plan = soup_and_sauce(make_state(bodies=done), SECOND)
    assert plan.preparation
    assert all(w.grip is Grip.OPEN for w in plan.waypoints)


def test_mugs_are_gripped_at_the_wall_opposite_their_handles(make_state):
    first = gripped_at(mugs.two_mugs(make_state(bodies=MUGS), FIRST))
    assert first.position == pytest.approx((-0.1, -0.15 - 0.056, 0.527))
    assert first.yaw == pytest.approx(FORWARD)
    done = MUGS | {"porcelain_mug_1": (0.0, -0.295, 0.442, -np.pi / 2)}
    second = gripped_at(mugs.two_mugs(make_state(bodies=done), SECOND))
    assert second.position == pytest.approx((-0.05, 0.1 + 0.061, 0.525))


def test_a_mug_is_let_go_near_enough_to_the_middle_of_its_plate(make_state):
    held = MUGS | {"porcelain_mug_1": (-0.1, -0.15, 0.55, -np.pi / 2)}
    state = make_state(bodies=held, tcp=(-0.1, -0.206, 0.64), held=["porcelain_mug_1"])
    spot = np.array(let_go_at(mugs.two_mugs(state, FIRST)).position)
    origin = spot + state.bodies["porcelain_mug_1"].position - state.tcp_position
    assert np.linalg.norm(origin[:2] - (0.0, -0.3)) < 0.022
    assert 0.439 < origin[2] < 0.46


def test_a_mug_that_lies_on_its_plate_counts_when_it_is_free_and_in_the_middle(make_state):
    def on_plate(x, held=()):
        return mugs.is_on_plate(
            make_state(bodies=MUGS | {"porcelain_mug_1": (x, -0.3, 0.442, 0.0)}, held=held),
            "porcelain_mug_1",
            "plate_1",
        )

    assert on_plate(0.01)
    assert not on_plate(0.029)
    assert not on_plate(0.01, held=["porcelain_mug_1"])


def test_the_pudding_goes_first_because_the_mug_would_be_in_the_hands_way(make_state):
    first = mugs.mug_and_pudding(make_state(bodies=BREAKFAST), FIRST)
    assert gripped_at(first).position == pytest.approx((-0.05, 0.1, 0.45))
    done = BREAKFAST | {"chocolate_pudding_1": (0.15, 0.125, 0.45, np.pi)}
    second = mugs.mug_and_pudding(make_state(bodies=done), SECOND)
    assert gripped_at(second).position == pytest.approx((-0.1, -0.206, 0.527))


def test_pots_are_gripped_at_their_handles_and_stand_side_by_side(make_state):
    def bodies(**pot):
        return STOVE | pot

    first = gripped_at(pots.both(make_state(bodies=STOVE, tcp=(-0.2, 0.0, 1.18)), FIRST))
    assert first.position == pytest.approx((0.05, 0.05 - 0.068, 1.011))
    assert abs(np.sin(first.yaw)) == pytest.approx(0, abs=1e-6)

    there = bodies(moka_pot_2=(0.0, -0.2, 0.997, np.pi), moka_pot_1=(-0.05, 0.25, 1.1, np.pi))
    state = make_state(bodies=there, tcp=(-0.05, 0.182, 1.145), held=["moka_pot_1"])
    spot = np.array(let_go_at(pots.both(state, SECOND)).position)
    origin = spot + state.bodies["moka_pot_1"].position - state.tcp_position
    assert origin[0] == pytest.approx(-0.05 - 0.046)
    assert np.abs(origin[:2] - (-0.05, -0.2)).max() < 0.075

    both = bodies(moka_pot_2=(0.0, -0.2, 0.997, np.pi), moka_pot_1=(-0.09, -0.2, 0.997, np.pi))
    assert pots.both(make_state(bodies=both, tcp=(-0.09, -0.27, 1.1)), SECOND).preparation
