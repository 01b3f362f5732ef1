from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expert_policy import make_policy
from expert_policy.plan import Grip, Plan, Waypoint
from expert_policy.policy import ExpertPolicy
from seer_bench import CheckpointError, ConventionError, Interface, PolicyError, UsageError


def play(policy, arms, steps, seeds):
    """Actions (steps, slots, 7) with one arm in each slot."""
    slots = list(range(len(arms)))
    policy.reset(slots, ["do it"] * len(slots), seeds)
    taken = []
    for _ in range(steps):
        policy.see(slots, [arm.state for arm in arms])
        actions = policy.act(slots, {})
        assert actions.shape == (len(slots), 1, 7)
        for arm, action in zip(arms, actions[:, 0], strict=True):
            arm.step(action)
        taken.append(actions[:, 0])
    return np.array(taken)


def test_it_declares_what_it_is(context):
    policy = make_policy(context)
    assert policy.spec.observations == {}
    assert policy.spec.action == context.interface.action
    assert (policy.spec.chunk, policy.spec.privileged, policy.spec.placement) == (1, True, "worker")


def test_a_checkpoint_is_refused(context):
    with pytest.raises(CheckpointError, match=r"takes no checkpoint, but --ckpt is model\.pt"):
        make_policy(replace(context, checkpoint=Path("model.pt")))


def test_options_are_refused_by_name(context):
    with pytest.raises(UsageError, match="leave --policy-arg speed=2 out"):
        make_policy(replace(context, options={"speed": "2"}))


def test_another_benchmark_is_refused_naming_the_known_ones(context):
    with pytest.raises(UsageError, match="no plans for the benchmark 'kitchen'; it knows: calvin"):
        make_policy(replace(context, interface=Interface("kitchen", {}, context.interface.action)))


def test_another_action_convention_is_refused(context):
    other = Interface("calvin", {}, replace(context.interface.action, kind="joint_abs"))
    with pytest.raises(ConventionError, match="joint_abs"):
        make_policy(replace(context, interface=other))


def test_an_unknown_task_is_the_policys_fault(context, make_state):
    policy = make_policy(context)
    policy.reset([0], ["dance"], [0])
    policy.see([0], [make_state("dance")])
    with pytest.raises(PolicyError, match="no plan for 'dance'"):
        policy.act([0], {})


def test_acting_blindly_is_refused(context):
    policy = make_policy(context)
    policy.reset([0], ["lift"], [0])
    with pytest.raises(PolicyError, match="before it saw a state"):
        policy.act([0], {})


def test_the_seed_alone_decides_how_retries_differ(context, make_state, make_arm):
    def run(seed):
        # Nothing is ever grasped on the make-believe table, so the lift is tried again and again.
        return play(make_policy(context), [make_arm(make_state())], 200, [seed])

    first, again, other = run(1), run(1), run(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(first[:40], other[:40])


def test_slots_know_nothing_of_one_another(context, make_state, make_arm):
    states = [make_state("lift_red_block_table"), make_state("open_drawer"), make_state("turn_on_led")]
    together = play(make_policy(context), [make_arm(state) for state in states], 120, [5, 6, 7])
    for slot, state in enumerate(states):
        alone = play(make_policy(context), [make_arm(state)], 120, [5 + slot])
        np.testing.assert_array_equal(together[:, slot], alone[:, 0])


def test_reset_begins_anew(context, make_state, make_arm):
    policy = make_policy(context)
    first = play(policy, [make_arm(make_state())], 150, [3])
    np.testing.assert_array_equal(first, play(policy, [make_arm(make_state())], 150, [3]))


def test_preparations_count_as_no_attempt(action, make_state, make_arm):
    numbers = []

    def planner(state, attempt):
        numbers.append(attempt.number)
        here = Waypoint(tuple(state.tcp_position), Grip.OPEN, 1.5)
        return Plan((here,), preparation=len(numbers) <= 2)

    play(ExpertPolicy(action, {"lift_red_block_table": planner}), [make_arm(make_state())], 5, [0])
    assert numbers == [0, 0, 0, 1, 2]


def test_it_says_which_try_it_is_and_where_its_plan_is(action, make_state, make_arm):
    def planner(state, attempt):
        x, y, z = (float(value) for value in state.tcp_position)
        return Plan((Waypoint((x, y, z), Grip.OPEN, 1.5), Waypoint((x, y, z + 0.1), Grip.CLOSED, 1.5, hold=2)))

    policy, arm = ExpertPolicy(action, {"lift_red_block_table": planner}), make_arm(make_state())
    said = []
    policy.reset([0], ["lift"], [0])
    assert policy.explain(0) is None
    for _ in range(80):
        policy.see([0], [arm.state])
        arm.step(policy.act([0], {})[0, 0])
        said.append(policy.explain(0))
    x, y, z = make_state().tcp_position
    assert said[0] == f"try 1: waypoint 1 of 2, to ({x:.2f}, {y:.2f}, {z:.2f}) m, gripper open"
    second = f"try 1: waypoint 2 of 2, {{}} ({x:.2f}, {y:.2f}, {z + 0.1:.2f}) m, gripper closed"
    assert second.format("to") in said
    assert second.format("staying at") in said
    assert any(text.startswith("try 2: waypoint 1 of 2") for text in said)


def test_explaining_changes_no_action(context, make_state, make_arm):
    class Curious(ExpertPolicy):
        def act(self, slots, observations):
            answer = super().act(slots, observations)
            assert self.explain(slots[0])
            return answer

    from expert_policy import calvin

    plain = play(make_policy(context), [make_arm(make_state())], 100, [3])
    curious = play(Curious(context.interface.action, calvin.PLANNERS), [make_arm(make_state())], 100, [3])
    np.testing.assert_array_equal(plain, curious)
