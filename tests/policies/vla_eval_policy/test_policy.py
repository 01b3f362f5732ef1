"""The policy over servers that answer in this process."""

from __future__ import annotations

import numpy as np
import pytest

from seer_bench import ConventionError, InvalidActionError, SimulationError, Unit
from vla_eval_policy.policy import make_policy
from vla_eval_policy.wire import Message, pack

from .conftest import context
from .stand_in import HELLO, arithmetic, stand_in

UNITS = [Unit(f"calvin-embedded/v1:chain={index:04d}", index) for index in range(3)]


def rows(*seeds: int) -> dict[str, np.ndarray]:
    drawn = [np.random.default_rng(seed) for seed in seeds]
    return {
        "rgb_static": np.stack([rng.integers(0, 256, (200, 200, 3), dtype=np.uint8) for rng in drawn]),
        "robot_obs": np.stack([rng.normal(size=15) for rng in drawn]),
    }


def begun(url: str, **options: str):
    policy = make_policy(context(url, **options))
    policy.begin([0, 1, 2], UNITS)
    policy.reset([0, 1, 2], ["one", "three", "fail"], [0, 0, 0])
    return policy


def test_slots_have_sessions_of_their_own():
    with stand_in() as (url, received):
        policy = begun(url)
        together = policy.act([1, 0], rows(1, 0))
        alone = begun(url)
        np.testing.assert_array_equal(together[1], alone.act([0], rows(0))[0])
        np.testing.assert_array_equal(together[0], alone.act([1], rows(1))[0])
        policy.close()
        alone.close()
    told = [message.payload["task"]["seq_idx"] for message in received if message.kind == "episode_start"]
    assert sorted(told) == [0, 0, 1, 1, 2, 2]


def test_an_answer_left_unread_is_not_taken_for_the_next_ones():
    def answer(message: Message) -> bytes:
        if message.payload["task_description"] == "fail":
            return pack(Message("error", {"error": "observation_failed: CUDA out of memory"}, message.seq))
        return arithmetic(message)

    with stand_in(answer) as (url, _):
        policy = begun(url, batch="3")
        expected = policy.act([0, 1], rows(0, 1))
        with pytest.raises(SimulationError, match="reports: observation_failed: CUDA out of memory"):
            policy.act([2, 0, 1], rows(2, 5, 6))
        policy.begin([0, 1], UNITS[:2])
        policy.reset([0, 1], ["one", "three"], [0, 0])
        np.testing.assert_array_equal(policy.act([0, 1], rows(0, 1)), expected)
        policy.close()


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"actions": np.array([0, 0, 0, 0, 0, 0, np.nan])}, "not finite"),
        ({"actions": np.zeros(6)}, "7 are needed"),
        ({"actions": ["up"] * 7}, "no numbers 'actions'"),
        ({"actions": [[1.0], [1.0, 2.0]]}, "no numbers 'actions'"),
        ({"words": 1}, "it holds: words"),
    ],
)
def test_actions_that_are_none_are_the_policys_fault(payload, text):
    with stand_in(lambda message: pack(Message("action", payload, message.seq))) as (url, _):
        policy = begun(url)
        with pytest.raises(InvalidActionError, match=text):
            policy.act([0], rows(0))
        policy.close()


def test_what_a_server_asks_for():
    asked = {"send_state": True, "ep_len": 720, "success_mode": "any", "quat_no_antipodal": True}
    with stand_in(hello={**HELLO, "observation_params": asked}) as (url, received):
        policy = begun(url)
        policy.act([0], rows(0))
        policy.close()
    assert policy.spec.settings["not_done"] == "ep_len=720, quat_no_antipodal=True, success_mode=any"
    (observation,) = [message for message in received if message.kind == "observation"]
    assert observation.payload["states"].shape == (8,)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"observation_params": {"send_state": "yes"}}, "send_state='yes'"),
        ({"observation_params": ["send_state"]}, "expected a map"),
        ({"action_spec": {"position": {"format": "absolute_xyz"}}}, "--policy-arg specs=ignore"),
    ],
)
def test_a_greeting_that_cannot_be_served(said, text):
    with stand_in(hello={**HELLO, **said}) as (url, _), pytest.raises(ConventionError, match=text):
        make_policy(context(url))
