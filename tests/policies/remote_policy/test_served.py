"""The client against our own server."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from remote_policy import make_policy
from seer_bench import (
    CheckpointError,
    ConventionError,
    Interface,
    PolicyContext,
    PolicyError,
    SimulationError,
    UsageError,
    check_policy,
)
from tests.fakes.serving import Historian, Wire, observation, served, serving, unit
from tests.fakes.tally_plugins import ACTION, FIELDS, protocol


def start(policy, *slots, seed=0):
    policy.begin(slots, [unit(slot) for slot in slots])
    policy.reset(slots, [f"reach {slot}" for slot in slots], [seed] * len(slots))


def test_it_plays_as_the_policy_itself_would(connect):
    here, there = Historian(batch=2), Historian(batch=2)
    with serving(there) as port:
        remote = connect(port)
        assert (remote.spec.observations, remote.spec.action) == (here.spec.observations, here.spec.action)
        assert remote.spec.batch == 2
        for policy in (here, remote):
            start(policy, 3, 1, seed=7)
        for step in range(3):
            given = observation(step, rows=2) | {"picture": np.full((2, 4, 6, 3), step, np.uint8)}
            ours, theirs = here.act([3, 1], given), remote.act([3, 1], given)
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs)
        assert set(there.told.values()) == set(here.told.values())
        assert {len(call) for call in there.calls} == {2}


def test_it_keeps_the_contract_of_policies():
    with serving(Historian(batch=2)) as port:
        options = {"url": f"ws://127.0.0.1:{port}"}
        check_policy(make_policy, PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), options=options))


def test_the_identity_is_what_is_served_and_not_where(connect):
    def settings(**facts):
        with serving(Historian(), **facts) as port:
            remote = connect(port)
            remote.close()
            return remote.spec.settings

    first = settings()
    assert first["weights"] == "some"
    assert settings(instance="another") == first
    for change in (
        {"checkpoint": "ab" * 32},
        {"policy": "p"},
        {"options": {"k": "1"}},
        {"threads": 2},
        {"code": "x 2"},
    ):
        assert settings(**change) != first


def test_a_cut_connection_costs_nothing(connect):
    policy = Historian()
    with serving(policy) as port, Wire(port) as wire:
        remote = connect(wire.port)
        start(remote, 0)
        for step in range(1, 6):
            wire.cut()
            assert remote.act([0], observation(1.0))[0, 0].tolist() == [step, step]
        assert len(policy.calls) == 5


def test_a_step_whose_answer_was_lost_is_not_made_twice(connect):
    policy = Historian()
    with serving(policy) as port, Wire(port) as wire:
        remote = connect(wire.port)
        start(remote, 0)
        for step in range(1, 6):
            wire.cut_answers = 1
            assert remote.act([0], observation(1.0))[0, 0].tolist() == [step, step]
        assert wire.connections > 5
        assert len(policy.calls) == 5


def test_every_step_is_made_once_over_a_wire_that_breaks_anywhere(connect):
    random = np.random.default_rng(3)
    policy = Historian(batch=2)
    with serving(policy) as port, Wire(port) as wire:
        remote = connect(wire.port)
        wire.break_after = lambda: int(random.integers(1, 4000))
        wire.cut()
        for subtask in range(5):
            start(remote, 0, 1, seed=subtask)
            for step in range(1, 11):
                actions = remote.act([0, 1], observation(1.0, rows=2))
                assert actions[:, 0].tolist() == [[step, step + subtask]] * 2
        assert wire.connections > 10
        assert len(policy.calls) == 50


def test_a_step_that_is_still_being_made_is_waited_for(connect):
    policy = Historian()
    with serving(policy) as port, Wire(port) as wire:
        remote = connect(wire.port)
        start(remote, 0)
        policy.go_on.clear()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(remote.act([0], observation(1.0))))
        asking.start()
        wait_for(lambda: policy.calls)
        for _ in range(3):
            before = wire.connections
            wire.cut()
            wait_for(lambda before=before: wire.connections > before)
        policy.go_on.set()
        asking.join(20)
        assert answers[0][0, 0].tolist() == [1, 1]
        assert len(policy.calls) == 1


def test_after_a_restart_a_subtask_has_to_begin_again(connect):
    with serving(Historian()) as port:
        remote = connect(port)
        start(remote, 0, 1)
        for slot in (0, 1):
            remote.act([slot], observation(1.0))
    again = Historian()
    with serving(again, port=port, instance="two"):
        with pytest.raises(SimulationError, match="nothing of what went before in slot 0"):
            remote.act([0], observation(1.0))
        start(remote, 0)
        assert remote.act([0], observation(1.0))[0, 0].tolist() == [1, 1]
        with pytest.raises(SimulationError, match="slot 1"):
            remote.act([1], observation(1.0))
        with pytest.raises(SimulationError, match="slot 1"):
            remote.act([0, 1], observation(1.0, rows=2))
        assert remote.act([0], observation(1.0))[0, 0].tolist() == [2, 2]


def test_another_policy_at_the_same_place_is_not_played(connect):
    with serving(Historian()) as port:
        remote = connect(port)
        start(remote, 0)
    with serving(Historian(), port=port, checkpoint="ab" * 32), pytest.raises(SimulationError, match="another policy"):
        remote.act([0], observation(1.0))


def test_a_server_that_does_not_answer_in_time_leaves_no_doubtful_history(connect):
    policy = Historian()
    with serving(policy) as port:
        remote = connect(port, timeout=0.3)
        start(remote, 0)
        policy.go_on.clear()
        with pytest.raises(SimulationError, match="timeout="):
            remote.act([0], observation(1.0))
        policy.go_on.set()
        with pytest.raises(SimulationError, match="slot 0 is lost"):
            remote.act([0], observation(1.0))
        start(remote, 0)
        assert remote.act([0], observation(5.0))[0, 0].tolist() == [5, 1]


def test_a_fault_of_the_policy_is_the_policys(connect):
    with serving(Historian()) as port:
        remote = connect(port)
        start(remote, 0)
        with pytest.raises(PolicyError, match="below -100"):
            remote.act([0], observation(-101.0))
        assert remote.act([0], observation(1.0)).shape == (1, 1, 2)


def test_what_is_too_large_is_said_once(connect):
    with serving(Historian(), max_bytes=1000) as port:
        remote = connect(port)
        start(remote, *range(40))
        with pytest.raises(SimulationError, match="1009"):
            remote.act(range(40), observation(1.0, rows=40))


def test_a_token_is_asked_for(connect, monkeypatch):
    with serving(Historian(), token="open sesame") as port:  # noqa: S106 - of the tests
        with pytest.raises(UsageError, match=r"401.*SEER_BENCH_REMOTE_TOKEN"):
            connect(port)
        monkeypatch.setenv("SEER_BENCH_REMOTE_TOKEN", "open sesame!")
        with pytest.raises(UsageError, match="401"):
            connect(port)
        monkeypatch.setenv("SEER_BENCH_REMOTE_TOKEN", "open sesame")
        start(connect(port), 0)


def test_nobody_there_is_said_after_the_wait(connect):
    with Wire(1) as wire:
        pass
    with pytest.raises(SimulationError, match=r"cannot connect.*seer-bench serve"):
        connect(wire.port, wait=0.3)


def test_a_name_that_can_be_no_machines_is_said():
    with pytest.raises(SimulationError, match="cannot connect"):
        make_policy(
            PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), options={"url": "ws://a..b:1", "wait": "0.1"})
        )


@pytest.mark.parametrize("url", ["http://gpu:8000", "ws://", "ws://gpu:port", "gpu:99999"])
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(UsageError, match="ws://HOST:PORT"):
        make_policy(PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), options={"url": url}))


def test_closing_frees_the_slots(connect):
    policy = Historian()
    with serving(policy) as port:
        for _ in range(3):
            remote = connect(port)
            start(remote, 0, 1)
            remote.act([0, 1], observation(1.0, rows=2))
            remote.close()
    assert {slot for call in policy.calls for slot in call} == {0, 1}
    assert policy.closed


def test_what_cannot_be_used_is_refused(connect, tmp_path):
    with serving(Historian(), benchmark="calvin") as port, pytest.raises(ConventionError, match="--benchmark tally"):
        connect(port)
    with serving(Historian()) as port, pytest.raises(UsageError, match="chunk="):
        connect(port, chunk=2)
    with pytest.raises(CheckpointError, match="--ckpt"):
        make_policy(PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), checkpoint=tmp_path))


def test_the_metadata_survive_the_wire():
    from seer_bench.serving.codec import pack, unpack
    from seer_bench.serving.metadata import metadata_of, read_metadata

    facts = served(Historian(batch=3), options={"a": "b"}, checkpoint="cd" * 32)
    assert read_metadata(unpack(pack(metadata_of(facts)))) == facts


def wait_for(condition):
    """Wait up to twenty seconds, which only a busy machine needs."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
