"""Plans for the tasks with stove, drawer, caddy and microwave, on make-believe states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from expert_policy.libero import PLANNERS, caddy, drawer, microwave, stove
from expert_policy.libero.motions import FORWARD
from expert_policy.plan import Attempt, Grip

FIRST = Attempt(0, (0.0, 0.0, 0.0))
ABOVE = (-0.2, 0.0, 1.25)

STOVE = {
    "flat_stove_1": (-0.2, 0.2, 0.905, 0.0),
    "flat_stove_1_cook_region": (-0.05, 0.2, 0.905, 0.0),
    "moka_pot_1": (0.05, 0.0, 0.966, np.pi),
}
DRAWER = {
    "white_cabinet_1": (0.0, 0.3, 0.905, 0.0),
    "white_cabinet_1_bottom_region": (0.003, 0.165, 0.952, 0.0),
    "akita_black_bowl_1": (0.03, -0.05, 0.898, np.pi / 2),
}
CADDY = {
    "desk_caddy_1_back_contain_region": (-0.43, -0.145, 0.973, 0.0),
    "black_book_1": (-0.2, 0.15, 0.883, np.radians(-120)),
}
MICROWAVE = {
    "microwave_1": (0.0, 0.35, 0.92, 0.0),
    "white_yellow_mug_1": (0.0, 0.0, 0.90, -np.pi / 2),
}
IN_MICROWAVE = MICROWAVE | {"white_yellow_mug_1": (-0.04, 0.33, 0.945, -np.pi / 2)}

TURN = "flat_stove_1_button"
DOOR = "microwave_1_microjoint"
HINGE = np.array([-0.1725, 0.35 - 0.088])
DOOR_LENGTH = 0.26


def closed(plan):
    """The waypoints with closed fingers."""
    return [w for w in plan.waypoints if w.grip is Grip.CLOSED]


def reach(waypoint):
    """The direction in which the fingers point."""
    return Rotation.from_euler("xyz", [waypoint.roll, waypoint.pitch, waypoint.yaw]).apply([0, 0, 1])


def release(plan, state, name):
    """Where the origin of the held object is when the fingers open again."""
    grips = [w.grip for w in plan.waypoints]
    spot = plan.waypoints[grips.index(Grip.OPEN, grips.index(Grip.CLOSED))].position
    return spot + state.bodies[name].position - state.tcp_position


def test_all_ten_tasks_have_a_planner():
    assert len(PLANNERS) == 10


@pytest.mark.parametrize(
    ("planner", "bodies", "joints"),
    [
        (stove.turn_on_with_pot, STOVE, {TURN: 0.0}),
        (stove.turn_on_with_pot, STOVE, {TURN: 1.2}),
        (drawer.close_with_bowl, DRAWER, {}),
        (caddy.put_book, CADDY, {}),
        (microwave.put_mug, MICROWAVE, {DOOR: -1.7}),
    ],
)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.01, -0.01)])
def test_plans_move_with_what_they_are_about(make_state, planner, bodies, joints, shift):
    moved = {name: (x + shift[0], y + shift[1], z, yaw) for name, (x, y, z, yaw) in bodies.items()}
    plan = planner(make_state(bodies=bodies, tcp=ABOVE, **joints), FIRST)
    other = planner(make_state(bodies=moved, tcp=ABOVE, **joints), FIRST)
    assert not plan.preparation
    offsets = [np.subtract(b.position, a.position) for a, b in zip(plan.waypoints, other.waypoints, strict=True)]
    np.testing.assert_allclose(offsets, np.tile([*shift, 0.0], (len(offsets), 1)), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_the_knob_is_turned_about_its_axis_as_far_as_it_counts(make_state, angle):
    plan = stove.turn_on_with_pot(make_state(bodies=STOVE, tcp=ABOVE, **{TURN: angle}), FIRST)
    held = closed(plan)
    arms = np.array([w.position for w in held])[:, :2] - STOVE["flat_stove_1"][:2]
    turned = np.unwrap(np.arctan2(-arms[:, 1], -arms[:, 0]))
    assert np.ptp(np.linalg.norm(arms, axis=1)) < 1e-9
    np.testing.assert_allclose(turned, [w.yaw - FORWARD for w in held], atol=1e-9)
    assert turned[0] == pytest.approx(angle)
    assert turned[-1] > angle + 0.6


def test_the_pot_follows_once_the_stove_is_on_and_then_nothing(make_state):
    pot = stove.turn_on_with_pot(make_state(bodies=STOVE, tcp=ABOVE, **{TURN: 0.7}), Attempt(1, (0.0, 0.0, 0.0)))
    assert np.linalg.norm(np.subtract(closed(pot)[0].position, STOVE["moka_pot_1"][:3])) < 0.1
    done = STOVE | {"moka_pot_1": (-0.05, 0.2, 0.997, np.pi)}
    assert not closed(stove.turn_on_with_pot(make_state(bodies=done, tcp=ABOVE, **{TURN: 0.7}), FIRST))


def test_the_bowl_comes_down_before_the_handles_and_is_let_go_in_the_drawer(make_state):
    held = DRAWER | {"akita_black_bowl_1": (0.03, -0.05, 1.0, np.pi / 2)}
    state = make_state(bodies=held, tcp=(0.078, -0.05, 1.04), held=["akita_black_bowl_1"])
    plan = drawer.close_with_bowl(state, FIRST)
    assert plan.preparation
    centre = np.array(DRAWER["white_cabinet_1_bottom_region"][:3])
    spot = release(plan, state, "akita_black_bowl_1") - centre
    assert (np.abs(spot) < (0.10 - 0.052, 0.075 - 0.052, 0.03)).all()
    rim = [w.position + state.bodies["akita_black_bowl_1"].position - state.tcp_position for w in closed(plan)]
    handles_y, handles_z = centre[1] + 0.026, centre[2] + 0.055
    for origin in rim:
        assert origin[1] + 0.052 < handles_y or origin[2] + 0.052 < handles_z


def test_the_drawer_is_pushed_at_its_handle_beyond_its_end(make_state):
    inside = DRAWER | {"akita_black_bowl_1": (-0.02, 0.15, 0.926, np.pi / 2)}
    plan = drawer.close_with_bowl(make_state(bodies=inside, tcp=ABOVE), FIRST)
    assert not plan.preparation
    assert len(closed(plan)) == len(plan.waypoints)
    start, end = plan.waypoints[-2].position, plan.waypoints[-1].position
    handle_y = 0.165 - 0.121
    assert start[1] < handle_y
    assert end[1] > handle_y + 0.17
    assert (start[0], start[2]) == (end[0], end[2])
    assert reach(plan.waypoints[-1])[1] > 0.5
    low = make_state(bodies=inside, tcp=(-0.02, 0.15, 0.96))
    assert drawer.close_with_bowl(low, FIRST).preparation


@pytest.mark.parametrize("degrees", [-135, -110, -91])
def test_the_book_is_taken_across_its_thickness_and_turned_along_the_compartment(make_state, degrees):
    yaw = np.radians(degrees)
    bodies = CADDY | {"black_book_1": (-0.2, 0.15, 0.883, yaw)}
    grasp = closed(caddy.put_book(make_state(bodies=bodies, tcp=ABOVE), FIRST))[0]
    assert abs(np.cos(grasp.yaw - yaw)) == pytest.approx(1.0)
    assert abs(grasp.yaw - FORWARD) <= np.pi / 4 + 1e-9
    lifted = CADDY | {"black_book_1": (-0.2, 0.15, 1.08, yaw)}
    plan = caddy.put_book(make_state(bodies=lifted, tcp=(-0.2, 0.15, 1.2), held=["black_book_1"]), FIRST)
    centre = np.array(CADDY["desk_caddy_1_back_contain_region"][:3])
    first, down = plan.waypoints[:2]
    foot = first.position[2] - 0.119 - centre[2]
    assert foot > 0.083
    assert down.position[:2] == pytest.approx(centre[:2])
    assert abs(np.sin(down.yaw)) == pytest.approx(0.0)


def test_a_door_in_the_way_of_the_mug_is_opened_wider_first(make_state):
    plan = microwave.put_mug(make_state(bodies=MICROWAVE, tcp=ABOVE, **{DOOR: -1.3}), FIRST)
    assert plan.preparation
    assert len(closed(plan)) == len(plan.waypoints)
    assert not microwave.put_mug(make_state(bodies=MICROWAVE, tcp=ABOVE, **{DOOR: -1.6}), FIRST).preparation


def test_the_mug_is_held_at_its_handle_and_set_in_so_that_the_door_can_close(make_state):
    grasp = closed(microwave.put_mug(make_state(bodies=MICROWAVE, tcp=ABOVE, **{DOOR: -1.7}), FIRST))[0]
    assert grasp.position == pytest.approx((0.0, -0.064, 0.966))
    lifted = MICROWAVE | {"white_yellow_mug_1": (0.0, 0.0, 1.0, -np.pi / 2)}
    state = make_state(bodies=lifted, tcp=(0.0, -0.064, 1.066), held=["white_yellow_mug_1"], **{DOOR: -1.7})
    plan = microwave.put_mug(state, FIRST)
    spot = release(plan, state, "white_yellow_mug_1") - np.array(MICROWAVE["microwave_1"][:3])
    assert spot[1] - 0.073 > -0.108
    assert spot[1] + 0.066 < 0.080
    assert 0.024 < spot[2] < 0.035
    assert all(reach(w)[1] > 0.8 for w in plan.waypoints)


@pytest.mark.parametrize("angle", [-2.05, -1.6, -1.2, -0.3])
def test_the_door_is_pushed_shut_from_outside(make_state, angle):
    plan = microwave.put_mug(make_state(bodies=IN_MICROWAVE, tcp=ABOVE, **{DOOR: angle}), FIRST)
    path = np.array([w.position for w in plan.waypoints])[:, :2] - HINGE
    assert (np.linalg.norm(path[2:-1], axis=1) < DOOR_LENGTH).all()
    swept = np.arctan2(path[:, 1], path[:, 0])
    along = np.array([np.cos(angle), np.sin(angle)])
    outwards = np.array([np.sin(angle), -np.cos(angle)])
    assert path[1] @ outwards > 0.026
    assert 0.1 < path[1] @ along < 0.237
    assert (np.diff(swept[1:]) > 0).all()
    assert path[-1, 1] > -0.026


def test_the_hand_rises_before_it_goes_round_the_door(make_state):
    low = make_state(bodies=IN_MICROWAVE, tcp=(-0.04, 0.12, 1.0), **{DOOR: -1.6})
    plan = microwave.put_mug(low, FIRST)
    assert plan.preparation
    assert plan.waypoints[0].position[:2] == pytest.approx((-0.04, 0.12))
