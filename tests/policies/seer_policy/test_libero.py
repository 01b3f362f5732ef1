from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import ConventionError, PolicySpec
from seer_bench.conventions import check_conventions
from seer_policy.libero import LiberoWrapper


@pytest.mark.parametrize("quirks", ["upstream", "fixed"])
@pytest.mark.parametrize("finger_widths", [True, False])
def test_it_reads_and_emits_what_the_benchmark_gives_and_takes(quirks, finger_widths):
    benchmark = LiberoBenchmark()
    wrapper = LiberoWrapper(finger_widths=finger_widths, quirks=quirks)
    spec = PolicySpec(wrapper.observations, wrapper.action)
    for name in ("libero-long/seer-v1", "libero-long/v1"):
        check_conventions(spec, benchmark.interface(benchmark.protocols()[name]))
    with pytest.raises(ConventionError, match="height is 128 for the policy and 256"):
        check_conventions(spec, benchmark.interface(benchmark.protocols()["libero-long/openpi-v1"]))


def observation(record, step: int) -> dict[str, np.ndarray]:
    """Proprioception (1, ...) of a recorded step."""
    position, quaternion, width = (record.arrays[name][step] for name in ("pos", "quat", "width"))
    euler = Rotation.from_quat(quaternion).as_euler("xyz")
    return {"eef_position": position[None], "eef_euler": euler[None], "gripper_qpos": width[None]}


@pytest.mark.parametrize("name", ["wrapper_libero_width", "wrapper_libero_feedback"])
def test_recorded_predictions_become_the_recorded_actions_to_the_bit(golden, name):
    record = golden.record(name)
    config = record.config
    wrapper = LiberoWrapper(
        actions=config.action_tokens,
        finger_widths=config.finger_widths,
        temperature=record.facts["ensembling_temp"],
    )
    wrapper.reset([0])
    for step, wanted in enumerate(record.arrays["actions"]):
        row = min(step, config.history - 1)
        arm, gripper = (record.arrays[key][step][:, row] for key in ("arm", "gripper"))
        action = wrapper.act([0], arm, gripper)
        assert action.dtype == wanted.dtype == np.float64
        assert action[0, 0].tobytes() == wanted.tobytes()


def test_without_finger_positions_the_last_command_is_fed_back(golden):
    record = golden.record("wrapper_libero_feedback")
    wrapper = LiberoWrapper(finger_widths=False)
    slots, seen = (3, 1), {}
    for key, value in observation(record, 0).items():
        seen[key] = np.repeat(value, 2, axis=0)
    wrapper.reset(slots)
    first = wrapper.states(slots, seen)
    assert first.shape == (2, 7)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first[:, :3], seen["eef_position"].astype(np.float32))
    np.testing.assert_array_equal(first[:, 3:6], seen["eef_euler"].astype(np.float32))
    np.testing.assert_array_equal(first[:, 6], [-1, -1])
    probabilities = np.array([0.9, 0.1], np.float32)[:, None, None].repeat(3, axis=1)
    wrapper.act(slots, np.full((2, 3, 6), 0.1, np.float32), probabilities)
    np.testing.assert_array_equal(wrapper.states(slots, seen)[:, 6], [1, -1])
    np.testing.assert_array_equal(wrapper.states([1, 3], seen)[:, 6], [-1, 1])
    wrapper.reset([3])
    np.testing.assert_array_equal(wrapper.states(slots, seen)[:, 6], [-1, -1])


def test_finger_positions_and_axis_angles_are_fed_as_they_are():
    rng = np.random.default_rng(0)
    seen = {name: rng.normal(size=(2, 3)) for name in ("eef_position", "eef_euler", "eef_axis_angle")}
    seen["gripper_qpos"] = rng.normal(size=(2, 2))
    for quirks, rotation in (("upstream", "eef_euler"), ("fixed", "eef_axis_angle")):
        wrapper = LiberoWrapper(finger_widths=True, quirks=quirks)
        wrapper.reset([0, 1])
        given = {name: seen[name] for name in wrapper.observations if name in seen}
        wanted = np.concatenate([seen["eef_position"], seen[rotation], seen["gripper_qpos"]], axis=1)
        np.testing.assert_array_equal(wrapper.states([0, 1], given), wanted.astype(np.float32))


def test_the_threshold_comes_after_the_average():
    wrapper = LiberoWrapper(actions=2, finger_widths=True)
    wrapper.reset([0])
    arm = np.full((1, 2, 6), 0.5, np.float32)
    wrapper.act([0], arm, np.array([[[0.9], [0.99]]], np.float32))
    action = wrapper.act([0], arm, np.array([[[0.4], [0.1]]], np.float32))
    assert action[0, 0, 6] == 1  # of 0.99 and 0.4; their signs alone would tie


def test_a_prediction_of_exactly_zero_is_only_averaged_where_fixed():
    commands = {}
    for quirks in ("upstream", "fixed"):
        wrapper = LiberoWrapper(actions=1, finger_widths=True, quirks=quirks)
        wrapper.reset([0])
        arm = np.array([[[0.5, 0, 0.5, 0.5, 0.5, 0.5]]], np.float32)
        commands[quirks] = wrapper.act([0], arm, np.full((1, 1, 1), 0.9, np.float32))[0, 0].tolist()
    assert commands["upstream"] == [0, 0, 0, 0, 0, 0, -1]
    assert commands["fixed"] == [0.5, 0, 0.5, 0.5, 0.5, 0.5, 1]
