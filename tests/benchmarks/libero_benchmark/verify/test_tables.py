"""Success cases, initial states and fixture poses: whole, and tampered with."""

from __future__ import annotations

import pytest

SOLVED = "task2_solved"
POT = "on moka_pot_1 flat_stove_1_cook_region"
KNOB = "turnon flat_stove_1"


def _edited(position: int, **values):
    """Change fields of one case."""

    def change(cases):
        cases[position] |= values
        return cases

    return change


def _faster(state):
    """One joint moves on by 2 mm/s or 2 mrad/s."""
    state[-1] += 0.002
    return state


def test_untouched_cases_are_identical(packaged, verify):
    code, output = verify(packaged.keep("success"))
    assert code == 0
    assert "identical  success [success_cases]: 3 cases, 30 steps, " in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_edited(0, success_before=False), "success (before): recorded False, got True"),
        (_edited(1, success_after=True), "success (after): recorded True, got False"),
        (_edited(2, step_done=True), "step_done: recorded True, got False"),
        (_edited(1, preds_before={KNOB: True, POT: False}), f"{KNOB} (before): recorded True, got False"),
        (_edited(2, preds_after={KNOB: True}), f"{POT} (after): recorded None, got False"),
        (
            _edited(0, preds_before={KNOB: True, POT: True, "close oven": True}),
            "close oven (before): recorded True, got",
        ),
        (_edited(0, settle="ten"), "'settle' must be of type int, got 'ten'"),
        (_edited(0, task=11), "libero_10 has no task 11"),
        (_edited(0, label="nameless"), "success.npz has no array 'task2_nameless/state_before'"),
    ],
)
def test_another_truth_is_different(packaged, verify, change, message):
    code, output = verify(packaged.keep("success").edit_json("success.json", change))
    assert code == 1
    assert message in output


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        (f"{SOLVED}/state_after", _faster, "state_after differs by 0.002, more than 0.001"),
        (f"{SOLVED}/state_before", lambda state: state[:-1], f"'{SOLVED}/state_before' must hold floats of shape (47)"),
        ("task2/fixture_body_pos", lambda rows: rows + 0.2, "recorded True, got False"),
        ("task2/fixture_body_pos", lambda rows: rows[:0], "must have a row for each of ['flat_stove_1']"),
    ],
)
def test_another_state_is_different(packaged, verify, key, change, message):
    code, output = verify(packaged.keep("success").edit("success.npz", key, change))
    assert code == 1
    assert message in output


def test_initial_states_need_no_simulation(packaged, verify):
    code, output = verify(packaged.keep("init_states"))
    assert code == 0
    assert "identical  init_states [init_state_hashes]: 20 files, 1,500 states" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: {**entry, "sha256_f8_le": "0" * 64}, "sha256: recorded '000"),
        (lambda entry: {**entry, "shape": [1, 2]}, "shape: recorded [1, 2], got [100, 123]"),
        (lambda entry: {**entry, "dtype": "float32"}, "dtype: recorded 'float32'"),
        (lambda entry: "abc", "expected an object, got 'abc'"),
    ],
)
def test_other_initial_states_are_different(packaged, verify, change, message):
    def edit(tree):
        name = next(iter(tree))
        return {**tree, name: change(tree[name])}

    code, output = verify(packaged.keep("init_states").edit_json("init_states.json", edit))
    assert code == 1
    assert message in output


def test_an_unknown_file_of_initial_states_is_named(packaged, verify):
    packaged.keep("init_states").edit_json("init_states.json", lambda tree: {"no_such_task.init": {}})
    code, output = verify(packaged)
    assert code == 1
    assert "LIBERO has no file 'no_such_task.init'" in output


def test_another_fixture_pose_is_different_from_upstreams_and_the_protocols(packaged, verify):
    def shift(tree):
        tree["tasks"]["2"]["flat_stove_1"]["body_pos"][0] += 1e-6
        return tree

    code, output = verify(packaged.keep("fixture_poses").edit_json("fixture_poses.json", shift))
    assert code == 1
    assert "task 2: body_pos of flat_stove_1 (upstream) differs by 1e-06" in output


def test_poses_of_another_seed_are_compared_with_upstream_alone(packaged, verify):
    packaged.keep("fixture_poses").edit_json("fixture_poses.json", lambda tree: {**tree, "seed": 41})
    code, output = verify(packaged)
    assert code == 1
    assert "body_pos of flat_stove_1 (upstream) differs by 0.00" in output
    assert "2 numbers" not in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: [], "expected an object, got '[]'"),
        (lambda tree: {"tasks": {"two": {}}}, "'tasks' names task 'two', which is no number"),
        (lambda tree: {"tasks": {"10": {}}}, "libero_10 has no task 10"),
        (lambda tree: {"seed": "x", "tasks": {}}, "'seed' must be of type int"),
        (lambda tree: {"tasks": {}}, "the record holds nothing to compare"),
    ],
)
def test_malformed_fixture_poses_are_named(packaged, verify, change, message):
    code, output = verify(packaged.keep("fixture_poses").edit_json("fixture_poses.json", change))
    assert code == 1
    assert message in output
