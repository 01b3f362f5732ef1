from __future__ import annotations

import numpy as np
import pytest

from real_robot_benchmark.robot.conventions import INTERFACE
from seer_bench import PolicySpec
from seer_bench.conventions import check_conventions
from seer_policy.real import RealWrapper


@pytest.mark.parametrize("quirks", ["upstream", "fixed"])
def test_it_reads_and_emits_what_a_real_robot_gives_and_takes(quirks):
    wrapper = RealWrapper(quirks=quirks)
    check_conventions(PolicySpec(wrapper.observations, wrapper.action), INTERFACE)


def test_as_published_only_the_nearest_prediction_is_taken():
    wrapper = RealWrapper()
    assert wrapper.actions == 1
    wrapper.reset([4])
    rng = np.random.default_rng(0)
    for probability, command in ((0.7, 1.0), (0.5, -1.0), (0.2, -1.0)):
        arm = rng.uniform(-1, 1, (1, 1, 6)).astype(np.float32)
        action = wrapper.act([4], arm, np.full((1, 1, 1), probability, np.float32))
        assert action.shape == (1, 1, 7)
        np.testing.assert_array_equal(action[0, 0, :6], arm[0, 0].astype(np.float64))
        assert action[0, 0, 6] == command


def test_fixed_averages_what_was_predicted_for_the_present_step():
    wrapper = RealWrapper(quirks="fixed")
    wrapper.reset([0])
    first = np.arange(18, dtype=np.float32).reshape(1, 3, 6) / 20
    second = -first
    closed = np.zeros((1, 3, 1), np.float32)
    wrapper.act([0], first, closed)
    action = wrapper.act([0], second, closed)
    weights = np.exp([0.0, -0.01])
    expected = (first[0, 1] * weights[0] + second[0, 0] * weights[1]) / weights.sum()
    np.testing.assert_allclose(action[0, 0, :6], expected, rtol=1e-6)


def test_the_state_is_pose_and_open_flag():
    seen = {"robot_state": np.array([[0.5, 0.1, 0.3, 3.1, 0.0, 1.5, -1.0]])}
    state = RealWrapper().states([0], seen)
    assert state.dtype == np.float32
    np.testing.assert_array_equal(state, seen["robot_state"].astype(np.float32))
