from __future__ import annotations

import numpy as np
import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from seer_bench import PolicySpec
from seer_bench.conventions import check_conventions
from seer_policy.calvin import CalvinWrapper


def newest(recorded: np.ndarray, steps_since_reset: int) -> np.ndarray:
    """What was predicted at the newest step (1, T, ...), of predictions (1, S, T, ...) for a whole history."""
    return recorded[:, min(steps_since_reset, recorded.shape[1] - 1)]


def test_it_reads_and_emits_what_the_benchmark_gives_and_takes():
    benchmark = CalvinBenchmark()
    wrapper = CalvinWrapper()
    for name in ("calvin-abc-d/v1", "calvin-embedded/v1"):
        interface = benchmark.interface(benchmark.protocols()[name])
        check_conventions(PolicySpec(wrapper.observations, wrapper.action), interface)


def test_recorded_predictions_become_the_recorded_actions_to_the_bit(golden):
    record = golden.record("wrapper_calvin")
    wrapper, played = CalvinWrapper(), []
    for step in range(record.facts["steps"]):
        age = step - max(reset for reset in record.facts["resets"] if reset <= step)
        wrapper.reset([0])
        predicted = (newest(record.arrays[name][step], age) for name in ("arm", "gripper"))
        played.append(wrapper.act([0], *predicted)[0, 0])
    wanted = record.arrays["actions"]
    assert np.stack(played).dtype == wanted.dtype == np.float16
    assert np.stack(played).tobytes() == wanted.tobytes()
    assert set(wanted[:, 6]) == {-1.0, 1.0}


def test_states_are_the_pose_and_the_gripper_command_in_float32(golden):
    robot = golden.record("wrapper_calvin").arrays["robot_obs"][:3]
    states = CalvinWrapper().states([0, 1, 2], {"robot_obs": robot})
    assert states.dtype == np.float32
    np.testing.assert_array_equal(states, robot[:, [0, 1, 2, 3, 4, 5, 14]].astype(np.float32))


@pytest.mark.parametrize(("probability", "command"), [(0.5, -1), (np.nextafter(np.float32(0.5), np.float32(1)), 1)])
def test_half_is_not_enough_to_open_the_gripper(probability, command):
    arm = np.full((2, 3, 6), 1 / 3, np.float32)
    gripper = np.full((2, 3, 1), probability, np.float32)
    for quirks, dtype in (("upstream", np.float16), ("fixed", np.float32)):
        actions = CalvinWrapper(quirks=quirks).act([0, 1], arm, gripper)
        assert actions.shape == (2, 1, 7)
        assert actions.dtype == dtype
        np.testing.assert_array_equal(actions[..., 6], command)
        np.testing.assert_array_equal(actions[..., :6], dtype(np.float32(1 / 3)))


def test_only_the_first_line_of_an_instruction_is_read():
    assert CalvinWrapper().instruction("push the block\nto the left") == "push the block"
    assert CalvinWrapper().instruction("push the block ") == "push the block "
