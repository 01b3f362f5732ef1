"""The server as programs see it that are not ours: an openpi client's frames, a browser's, and noise."""

from __future__ import annotations

import time
import urllib.request
from contextlib import ExitStack, contextmanager

import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from seer_bench import UsageError
from seer_bench.serving import server
from seer_bench.serving.codec import pack, unpack
from seer_bench.serving.host import PolicyHost
from seer_bench.serving.metadata import KEY
from tests.fakes.serving import Historian, serving


def one(total, prompt="reach 1", **more):
    return pack({"total": np.array([float(total)]), "picture": np.zeros((4, 6, 3), np.uint8), "prompt": prompt, **more})


def ask(socket, *arguments, **more):
    socket.send(one(*arguments, **more))
    answer = socket.recv(5)
    assert isinstance(answer, bytes), answer
    return unpack(answer)["actions"][0].tolist()


def test_an_observation_a_frame():
    with serving(Historian()) as port, connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
        about = unpack(socket.recv(5))[KEY]
        assert (about["policy"], about["chunk"]) == ("historian", 1)
        socket.send(one(2))
        answer = unpack(socket.recv(5))
        assert answer["actions"].shape == (1, 2)
        assert answer["server_timing"]["infer_ms"] > 0


def test_when_an_episode_begins():
    with serving(Historian()) as port, connect(f"ws://127.0.0.1:{port}") as socket:
        socket.recv(5)
        assert ask(socket, 1) == [1, 1]
        assert ask(socket, 1) == [2, 2]
        assert ask(socket, 1, reset=True) == [1, 1]
        assert ask(socket, 1, "reach 2") == [1, 1]
        assert ask(socket, 1, "reach 2", episode_id="b") == [1, 1]
        assert ask(socket, 1, "reach 2", episode_id="b") == [2, 2]
        assert ask(socket, 1, "reach 2", episode_id="b", reset=True, seed=5) == [1, 6]


@contextmanager
def clients(port, count):
    """Connections that have read the metadata."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(f"ws://127.0.0.1:{port}")) for _ in range(count)]
        for socket in sockets:
            socket.recv(5)
        yield sockets


def hold_up(policy, socket, *others):
    """Let `others` wait, in this order, until the policy has answered `socket`."""
    policy.go_on.clear()
    socket.send(one(1))
    for other, frame in others:
        time.sleep(0.1)
        other.send(frame)
    time.sleep(0.2)
    policy.go_on.set()


def test_connections_share_batches_and_nothing_else():
    policy = Historian(batch=4)
    with serving(policy) as port, clients(port, 3) as sockets:
        hold_up(policy, sockets[0], *((socket, one(i + 2)) for i, socket in enumerate(sockets[1:])))
        assert [unpack(socket.recv(5))["actions"][0].tolist() for socket in sockets] == [[1, 1], [2, 1], [3, 1]]
        assert len(policy.calls) == 2  # the first alone, then the two that had waited
        assert [ask(socket, i + 1) for i, socket in enumerate(sockets)] == [[2, 2], [4, 2], [6, 2]]
    assert {len(call) for call in policy.calls} == {4}


def test_one_bad_observation_fails_alone():
    policy = Historian(batch=2)
    with serving(policy) as port, clients(port, 3) as (first, bad, good):
        hold_up(policy, first, (bad, one(-500)), (good, one(2)))
        assert "below -100" in bad.recv(5)
        assert unpack(good.recv(5))["actions"][0].tolist() == [2, 1]
        assert ask(bad, 3) == [3, 1]


def test_nobody_is_shown_twice_what_another_made_the_policy_fail_over():
    policy = Historian(batch=2)
    with serving(policy) as port, clients(port, 3) as (first, good, bad):
        assert [ask(good, 2), ask(bad, 2)] == [[2, 1], [2, 1]]
        hold_up(policy, first, (good, one(2)), (bad, one(-500)))
        assert "this among them" in good.recv(5)
        assert "below -100" in bad.recv(5)
        assert [ask(good, 3), ask(bad, 3)] == [[3, 1], [3, 1]]


def test_who_sends_what_does_not_fit_fails_alone():
    policy = Historian(batch=2)
    with serving(policy) as port, clients(port, 3) as (first, good, bad):
        assert ask(good, 2) == [2, 1]
        hold_up(policy, first, (good, one(2)), (bad, pack({"total": [1.0]})))
        assert unpack(good.recv(5))["actions"][0].tolist() == [4, 2]
        assert "'total': it is list" in bad.recv(5)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"prompt": b"reach"}, "'prompt' is bytes; it must be text"),
        ({"prompt": ["reach"]}, "'prompt' is list"),
        ({"reset": np.zeros(2, bool)}, "'reset' is ndarray"),
        ({"seed": 1.5}, "'seed' is float"),
        ({"seed": -1}, "from 0 to 2^32 - 1"),
        ({"episode_id": {"a": 1}}, "'episode_id' is dict"),
    ],
)
def test_keys_of_another_type_are_named_and_the_connection_stays(more, said):
    with serving(Historian()) as port, clients(port, 1) as (client,):
        for _ in range(2):  # the second is looked at when the first has been answered
            client.send(one(1))
            client.send(one(1, **more))
            client.recv(5)
            assert said in client.recv(5)
        assert ask(client, 1) == [3, 3]


def test_seeds_and_resets_may_be_scalars_of_numpy():
    with serving(Historian()) as port, clients(port, 1) as (client,):
        assert ask(client, 1, seed=np.int64(5)) == [1, 6]
        assert ask(client, 1, reset=np.array(True), seed=np.array(7), prompt="reach") == [1, 8]


TOKEN = "open sesame"  # noqa: S105 - of the tests
GARBAGE = [
    "text",
    b"",
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    pack([1, 2]),
    pack(None),
    msgpack.packb({KEY: None}),
    msgpack.packb({KEY: {"client": 1}}),
    msgpack.packb({KEY: {"client": "a", "call": 1, "rows": [[0]]}}),
    msgpack.packb({KEY: {"client": "a", "call": 1, "rows": [[0, None, None]], "more": 1}}),
    msgpack.packb({"total": {b"__ndarray__": True, b"data": b"1", b"dtype": "O", b"shape": [1]}}),
]


@pytest.mark.parametrize("frame", GARBAGE)
def test_garbage_is_refused_and_hurts_nobody_else(frame):
    with serving(Historian()) as port, clients(port, 2) as (good, bad):
        assert ask(good, 1) == [1, 1]
        bad.send(frame)
        assert isinstance(bad.recv(5), str)
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(5)
        assert closed.value.rcvd.code == 1003
        assert ask(good, 1) == [2, 2]


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        ({}, "'total': it is missing"),
        ({"total": np.zeros(2), "picture": np.zeros((4, 6, 3), np.uint8)}, r"float64 of shape \(1,\)"),
        ({"total": np.zeros(1), "picture": np.zeros((4, 6, 3), np.float32)}, "reads uint8"),
        ({"total": np.zeros(1), "picture": np.zeros((3, 4, 6), np.uint8)}, "shape"),
    ],
)
def test_observations_that_do_not_fit_are_named(observation, said):
    with serving(Historian()) as port, connect(f"ws://127.0.0.1:{port}") as socket:
        socket.recv(5)
        socket.send(pack(observation))
        answer = socket.recv(5)
        assert isinstance(answer, str)
        with pytest.raises(AssertionError, match=said):
            raise AssertionError(answer)
        assert ask(socket, 1) == [1, 1]


def test_rows_of_calls_are_checked():
    with serving(Historian()) as port, connect(f"ws://127.0.0.1:{port}") as socket:
        socket.recv(5)
        for number, rows in enumerate(([], [[0, None, ["a", 0]]] * 2, [[0, None, None]])):
            socket.send(pack({KEY: {"client": "a", "call": number, "rows": rows}}))
            head = unpack(socket.recv(5))[KEY]
            assert (head["call"], head["error"] in ("server", "forgotten")) == (number, True)


def call(client, number, *slots):
    rows = [[slot, None, ["a", 0]] for slot in slots]
    fields = {"total": np.ones((len(slots), 1)), "picture": np.zeros((len(slots), 4, 6, 3), np.uint8)}
    return pack({KEY: {"client": client, "call": number, "rows": rows}, **fields})


def test_no_client_takes_all_slots():
    with serving(Historian()) as port, clients(port, 2) as (greedy, modest):
        greedy.send(call("a", 1, *range(1500)))
        assert "1024 for one client" in unpack(greedy.recv(10))[KEY]["message"]
        modest.send(call("b", 1, 0))
        assert unpack(modest.recv(5))["actions"].shape == (1, 1, 2)


def test_clients_that_have_gone_make_room_for_others(monkeypatch):
    monkeypatch.setattr(server, "_MOST_CLIENTS", 4)
    policy = Historian()
    with serving(policy) as port, clients(port, 1) as (stays,):
        stays.send(call("stays", 1, 0))
        stays.recv(5)
        for number in range(6):
            with clients(port, 1) as (goes,):
                goes.send(call(f"goes {number}", 1, 0))
                assert isinstance(goes.recv(5), bytes)
        fields = {"total": np.ones((1, 1)), "picture": np.zeros((1, 4, 6, 3), np.uint8)}
        stays.send(pack({KEY: {"client": "stays", "call": 2, "rows": [[0, None, None]]}, **fields}))
        assert unpack(stays.recv(5))["actions"][0, 0].tolist() == [2, 2]
    assert len(set(policy.calls)) <= 5


def test_a_connection_is_one_clients_whose_name_is_short():
    with serving(Historian()) as port, clients(port, 2) as (two, long):
        two.send(call("a", 1, 0))
        assert isinstance(two.recv(5), bytes)
        two.send(call("b", 1, 0))
        assert "another client" in two.recv(5)
        long.send(call("a" * 101, 1, 0))
        assert "length <= 100" in long.recv(5)


def test_health_and_the_door():
    with serving(Historian(), token=TOKEN) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert (answer.status, answer.read()) == (200, b"OK\n")
        for headers in ({}, {"Authorization": "Api-Key open sesam"}, {"Authorization": "Api-Key ö"}):
            with pytest.raises(InvalidStatus, match="401"):
                connect(f"ws://127.0.0.1:{port}", additional_headers=headers)
        with connect(f"ws://127.0.0.1:{port}", additional_headers={"Authorization": f"Api-Key {TOKEN}"}) as socket:
            assert KEY in unpack(socket.recv(5))


def test_no_web_page_gets_in():
    with serving(Historian()) as port, pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{port}", origin="http://localhost")


def test_a_privileged_policy_is_not_served():
    from dataclasses import replace

    policy = Historian()
    policy.spec = replace(policy.spec, privileged=True)
    with pytest.raises(UsageError, match="simulator's state"):
        PolicyHost(policy)
