from __future__ import annotations

import numpy as np
import pytest

from calvin_benchmark.chains import load_sentences
from expert_policy.calvin import PLANNERS
from expert_policy.calvin.grasping import grasp_yaw
from expert_policy.calvin.table import Place, blocks, gripped_block
from expert_policy.plan import Attempt, Grip

FIRST = Attempt(0, (0.0, 0.0, 0.0))
TASKS = sorted(load_sentences())


def last(plan):
    return plan.waypoints[-1]


def test_there_is_a_planner_for_each_of_the_34_tasks():
    assert sorted(PLANNERS) == TASKS
    assert len(TASKS) == 34


@pytest.mark.parametrize("task", TASKS)
def test_every_plan_stays_within_reach(task, make_state):
    plan = PLANNERS[task](make_state(task, drawer=0.22, slide=0.0), FIRST)
    points = np.array([waypoint.position for waypoint in plan.waypoints])
    assert (points > [-0.45, -0.65, 0.34]).all()
    assert (points < [0.45, 0.15, 0.70]).all()
    assert all(0 < waypoint.speed <= 1 for waypoint in plan.waypoints)


@pytest.mark.parametrize("task", TASKS)
def test_a_block_in_the_air_is_put_down_before_anything_else(task, make_state):
    state = make_state(
        task, blocks={"block_red": (0.1, -0.2, 0.6, 1.5)}, tcp=(0.1, -0.2, 0.6), held=["block_red"], grip=-1.0
    )
    plan = PLANNERS[task](state, FIRST)
    if task.startswith(("place", "stack", "push_into")):
        assert last(plan).grip is Grip.OPEN
        assert not plan.preparation
    else:
        assert plan.preparation
        assert last(plan).grip is Grip.OPEN
        assert last(plan).position[2] < 0.48


def test_a_door_that_the_fingers_lean_on_is_moved_to_its_end(make_state):
    state = make_state("turn_on_led", slide=0.16, tcp=(0.04 - 0.16 + 0.05, 0.0, 0.54))
    plan = PLANNERS["turn_on_led"](state, FIRST)
    assert plan.preparation
    assert last(plan).position[0] == pytest.approx(-0.24 + 0.05, abs=0.02)


def test_a_door_in_front_of_the_block_is_moved_away_first(make_state):
    task = "lift_pink_block_slider"
    closed = PLANNERS[task](make_state(task, slide=0.0), FIRST)
    assert closed.preparation
    assert not PLANNERS[task](make_state(task, slide=0.28), FIRST).preparation


@pytest.mark.parametrize(("task", "sign"), [("push_red_block_right", 1), ("push_red_block_left", -1)])
def test_a_push_comes_from_the_other_side(task, sign, make_state):
    plan = PLANNERS[task](make_state(task), FIRST)
    down, through = plan.waypoints[1].position, plan.waypoints[2].position
    assert sign * (0.05 - down[0]) > 0.04
    assert sign * (through[0] - 0.05) > 0.03


def test_a_block_is_pushed_unless_another_leaves_no_room_for_the_fingers(make_state):
    def grips(**places):
        plan = PLANNERS["push_red_block_right"](make_state(blocks=places), FIRST)
        return {waypoint.grip for waypoint in plan.waypoints}

    assert grips(block_pink=(-0.02, -0.30, 0.36, 0.0)) == {Grip.CLOSED}
    assert grips(block_blue=(-0.03, -0.12, 0.46, 1.5)) == {Grip.OPEN, Grip.CLOSED}


def test_what_a_shove_leaves_undone_is_done_in_the_hand(make_state):
    plan = PLANNERS["push_red_block_right"](make_state(), Attempt(1, (0.0, 0.0, 0.0)))
    assert last(plan).grip is Grip.OPEN
    assert 0.05 < last(plan).position[0] < 0.15


@pytest.mark.parametrize(("task", "sign"), [("rotate_blue_block_left", 1), ("rotate_blue_block_right", -1)])
def test_a_rotation_turns_by_more_than_60_degrees_the_right_way(task, sign, make_state):
    plan = PLANNERS[task](make_state(task), FIRST)
    grasp = next(waypoint for waypoint in plan.waypoints if waypoint.grip is Grip.CLOSED)
    assert 60 < sign * np.rad2deg(last(plan).yaw - grasp.yaw) < 90


def test_a_long_block_is_grasped_across_its_short_edge(make_state):
    state = make_state(blocks={"block_pink": (0.1, -0.1, 0.46, 0.7)})
    yaw = grasp_yaw(state, blocks(state)["block_pink"])
    assert np.cos(2 * (yaw - 0.7)) == pytest.approx(1)


def test_fingers_avoid_a_neighbour(make_state):
    alone = make_state(blocks={"block_blue": (0.05, -0.12, 0.46, 1.5), "block_red": (-0.3, -0.12, 0.46, 1.5)})
    crowded = make_state(blocks={"block_blue": (0.05, -0.12, 0.46, 1.5), "block_red": (0.11, -0.12, 0.46, 1.5)})
    free, turned = (grasp_yaw(state, blocks(state)["block_blue"]) for state in (alone, crowded))
    assert free == pytest.approx(1.5)
    assert abs(turned - free) == pytest.approx(np.pi / 2)


def test_a_neighbour_without_room_for_fingers_is_moved_away(make_state):
    task = "lift_pink_block_table"
    near = {"block_pink": (0.05, -0.12, 0.46, 1.5), "block_red": (0.10, -0.12, 0.46, 1.5)}
    plan = PLANNERS[task](make_state(task, blocks=near | {"block_blue": (-0.24, 0.09, 0.46, 1.5)}), FIRST)
    assert plan.preparation
    assert plan.waypoints[0].position[:2] == pytest.approx((0.10, -0.12))


def test_places_and_grips_are_told_apart(make_state):
    state = make_state(blocks={"block_red": (0.1, -0.3, 0.36, 0)}, tcp=(0.23, -0.12, 0.46), held=["block_blue"])
    assert {name: block.place for name, block in blocks(state).items()} == {
        "block_red": Place.DRAWER,
        "block_blue": Place.TABLE,
        "block_pink": Place.CABINET,
    }
    assert gripped_block(state).name == "block_blue"
    assert gripped_block(make_state(tcp=(0.19, -0.12, 0.46), held=["block_blue"])) is None


def test_the_stack_goes_onto_the_block_on_the_table_whatever_the_grasp(make_state):
    where = {"block_red": (0.112, -0.2, 0.59, 1.5), "block_blue": (0.23, -0.12, 0.46, 1.5)}
    state = make_state("stack_block", where, tcp=(0.1, -0.2, 0.6), held=["block_red"], grip=-1.0)
    plan = PLANNERS["stack_block"](state, FIRST)
    release = next(waypoint for waypoint in plan.waypoints if waypoint.grip is Grip.OPEN)
    assert release.position == pytest.approx((0.23 - 0.012, -0.12, 0.46 + 0.045 + 0.01))
