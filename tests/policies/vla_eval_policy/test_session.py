"""What goes wrong between two machines, with a server that does it on purpose."""

from __future__ import annotations

import socket
import threading

import msgpack
import numpy as np
import pytest

from seer_bench import SimulationError
from tests.fakes.programs import free_port
from vla_eval_policy.session import Session
from vla_eval_policy.wire import Message, WireError, pack, unpack

from .stand_in import HELLO, stand_in


def session(url: str, **changes: object) -> Session:
    return Session(url, "calvin", **{"timeout": 5.0, "wait": 5.0, **changes})


def zeros(message: Message) -> bytes:
    return pack(Message("action", {"actions": np.zeros(7)}, message.seq))


def test_an_episode():
    with stand_in(zeros) as (url, received):
        client = session(url)
        for name in ("a", "b"):
            client.start({"name": name})
            assert client.answer(client.ask({"x": np.arange(3)}))["actions"].tolist() == [0.0] * 7
        client.close()
    assert [message.kind for message in received] == [
        "hello", "episode_start", "observation", "episode_end", "episode_start", "observation",
    ]  # fmt: skip
    assert [message.seq for message in received] == [1, 2, 3, 4, 5, 6]
    assert received[1].payload == {"task": {"name": "a"}}


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (lambda m: b"\xc1 garbage", "no MessagePack"),
        (lambda m: "words", "text frame"),
        (lambda m: msgpack.packb([1, 2]), "list instead of a map"),
        (lambda m: msgpack.packb({"type": "action"}), "without type, payload and seq; it holds: type"),
        (lambda m: pack(Message("action", {}, m.seq - 1)), "action 2 instead of action 3"),
        (lambda m: pack(Message("hello", {}, m.seq)), "hello 3 instead of action 3"),
        (lambda m: pack(Message("error", {"error": "no memory"}, m.seq)), "reports: no memory"),
        (lambda m: b"0" * (2**26 + 1), "closed with code 1009"),
        (lambda m: None, "connection broke"),
    ],
)
def test_a_step_that_fails_is_no_fault_of_the_policys_and_not_sent_twice(reply, text):
    with stand_in(reply) as (url, received):
        client = session(url)
        client.start({})
        with pytest.raises(SimulationError, match=text):
            client.answer(client.ask({}))
        with pytest.raises(SimulationError, match="lost within the episode"):
            client.ask({})
        client.close()
    assert [message.kind for message in received] == ["hello", "episode_start", "observation"]


def test_a_server_that_is_too_slow():
    waiting = threading.Event()
    with stand_in(lambda message: zeros(message) if waiting.wait(5) else None) as (url, _):
        client = session(url, timeout=0.2)
        client.start({})
        with pytest.raises(SimulationError, match=r"did not answer in time.*--policy-arg timeout"):
            client.answer(client.ask({}))
        waiting.set()


def test_a_server_of_another_protocol_version():
    with (
        stand_in(zeros, {**HELLO, "protocol_version": 2}) as (url, _),
        pytest.raises(SimulationError, match="speaks version 2"),
    ):
        session(url).greet()


def test_no_server():
    with pytest.raises(SimulationError, match=r"cannot connect.*Tried for 0\.3 s.*curl http://127"):
        session(f"ws://127.0.0.1:{free_port()}", wait=0.3).start({})


def test_a_web_server():
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            with connection:
                connection.recv(1 << 12)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SimulationError, match=r"no vla-eval model server.*404"):
            session(f"ws://127.0.0.1:{web.getsockname()[1]}").greet()
        thread.join()


def test_a_server_that_comes_back():
    with stand_in(zeros) as (url, _):
        client = session(url, server=HELLO)
        client.start({})
    with stand_in(zeros) as (url, _):
        client._url = url
        with pytest.raises(SimulationError):  # within the episode
            client.answer(client.ask({}))
        client.start({})
        assert client.answer(client.ask({}))["actions"].shape == (7,)
    with stand_in(zeros) as (url, _):
        client._url = url
        client.start({})  # between two episodes nothing is lost
        assert client.answer(client.ask({}))["actions"].shape == (7,)
        client.close()


def test_another_server_does_not_take_its_place():
    with stand_in(zeros, {**HELLO, "model_server": "Other"}) as (url, _):
        client = session(url, server=HELLO)
        with pytest.raises(SimulationError, match="another model server answers there now \\(Other"):
            client.start({})


def test_objects_are_refused():
    data = msgpack.packb(
        {"type": "action", "seq": 1, "payload": {"a": {"__ndarray__": True, "data": b"", "dtype": "|O", "shape": [0]}}}
    )
    with pytest.raises(WireError, match="dtype object"):
        unpack(data)
    with pytest.raises(TypeError, match="cannot be sent"):
        pack(Message("observation", {"a": np.array([None])}, 1))
