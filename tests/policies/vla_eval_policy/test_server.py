"""Against a model server started from the vla-eval package."""

from __future__ import annotations

import numpy as np
import pytest

from seer_bench import ConventionError, InvalidActionError, SimulationError, Unit, check_policy
from vla_eval_policy.pictures import as_vla_eval_sends
from vla_eval_policy.policy import make_policy

from .conftest import context

pytestmark = pytest.mark.vla_eval
LIBERO = "libero-long/openvla-v1"
UNIT = Unit("calvin-embedded/v1:chain=0007", 7)


def calvin_row(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "rgb_static": rng.integers(0, 256, (1, 200, 200, 3), dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 256, (1, 84, 84, 3), dtype=np.uint8),
        "robot_obs": rng.normal(size=(1, 15)),
    }


def libero_row(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    turn = rng.normal(size=(1, 4))
    return {
        "rgb_agentview": rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8),
        "rgb_eye_in_hand": rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8),
        "eef_position": rng.normal(size=(1, 3)),
        "eef_quaternion": turn / np.linalg.norm(turn),
        "gripper_qpos": rng.normal(size=(1, 2)),
    }


@pytest.mark.parametrize("protocol", ["calvin-embedded/v1", LIBERO])
@pytest.mark.parametrize("batch", [1, 3])
def test_it_keeps_the_contract(start, protocol, batch):
    url = start({"send_wrist_image": True, "send_state": True}, batch=batch)
    check_policy(make_policy, context(url, protocol, batch=str(batch)))


def test_chunks_end_with_their_episode(start):
    url = start(chunk=4)
    check_policy(make_policy, context(url, LIBERO))


def test_libero_is_sent_what_vla_eval_sends(start):
    policy = make_policy(context(start({"send_wrist_image": True, "send_state": True}), LIBERO))
    row = libero_row()
    policy.begin([0], [UNIT])
    policy.reset([0], ["put it there"], [0])
    first, second = policy.act([0], row)[0, 0], policy.act([0], row)[0, 0]
    policy.close()
    x, y, z, w = row["eef_quaternion"][0] * np.sign(row["eef_quaternion"][0, 3])
    turn = np.array([x, y, z]) / np.sqrt(1 - w * w) * 2 * np.arccos(w)
    state = row["eef_position"].sum() + turn.sum() + row["gripper_qpos"].sum()
    mean = (row["rgb_agentview"].mean() + row["rgb_eye_in_hand"].mean()) / 2
    np.testing.assert_allclose(first, [mean / 1000, state / 100, 0, 0.012, 0, 0.02, 1], atol=1e-6)
    np.testing.assert_allclose(second - first, [0, 0, 0.01, 0, 0, 0, 0], atol=1e-6)


def test_a_later_subtask_is_a_restart_within_the_episode(start):
    policy = make_policy(context(start()))
    row = calvin_row()
    policy.begin([3], [UNIT])
    policy.reset([3], ["one"], [0])
    first = policy.act([3], row)[0, 0, :6] * np.repeat([0.02, 0.05], 3)
    policy.reset([3], ["three"], [0])
    later = policy.act([3], row)[0, 0, :6] * np.repeat([0.02, 0.05], 3)
    policy.close()
    mean = as_vla_eval_sends(row["rgb_static"][0]).mean() / 1000
    np.testing.assert_allclose(first, [mean, 0, 0, 0.003, 0, 0.01], atol=1e-6)
    # The pose measured in `row` plus the server's answer, seen from where the first action led.
    np.testing.assert_allclose(later, [0, 0, 0.01, 0.002, 0.1, 0], atol=1e-6)


def test_the_servers_failure_is_not_the_policys_fault_and_the_next_unit_goes_on(start):
    policy = make_policy(context(start()))
    policy.begin([0], [UNIT])
    policy.reset([0], ["fail"], [0])
    with pytest.raises(SimulationError, match="observation_failed: RuntimeError: out of memory"):
        policy.act([0], calvin_row())
    with pytest.raises(SimulationError, match="lost within the episode"):
        policy.act([0], calvin_row())
    policy.begin([0], [UNIT])
    policy.reset([0], ["one"], [0])
    assert policy.act([0], calvin_row()).shape == (1, 1, 7)
    policy.close()


def test_a_server_that_declares_other_actions_is_refused(start):
    url = start(actions={"position": "raw", "gripper": "binary_close_positive"})
    make_policy(context(url, LIBERO)).close()
    with pytest.raises(ConventionError, match="gripper of its actions as 'binary_close_positive'"):
        make_policy(context(url))
    make_policy(context(url, specs="ignore")).close()


def test_what_cannot_be_given_is_refused(start):
    with pytest.raises(ConventionError, match="absolute poses"):
        make_policy(context(start({"absolute_action": True}), LIBERO))


def test_a_request_that_the_protocol_decides_is_told(start):
    policy = make_policy(context(start({"absolute_action": True, "ep_len": 720, "success_mode": "any"})))
    assert policy.spec.settings["not_done"] == "ep_len=720, success_mode=any"
    assert policy.spec.settings["actions"] == "absolute"
    assert policy.spec.arm == {"method": "Arithmetic"}


def test_a_bare_chunk_is_refused_on_libero(start):
    policy = make_policy(context(start(chunk=4), LIBERO))
    policy.begin([0], [UNIT])
    policy.reset([0], ["go"], [0])
    row = {"rgb_agentview": libero_row()["rgb_agentview"]}
    assert policy.act([0], row).shape == (1, 1, 7)  # handed out one by one
    with pytest.raises(InvalidActionError, match="chunk_size"):
        policy._translator.translate(0, np.zeros((4, 7)), row)
    policy.close()
