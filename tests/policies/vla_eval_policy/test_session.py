"""What goes wrong between two machines, with a server that does it on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from seer_bench import PolicyError, SimulationError, UsageError
from vla_eval_policy.session import Session
from vla_eval_policy.wire import Message, WireError, pack, unpack

from .conftest import free_port

HELLO = {"protocol_version": 1, "model_server": "Fake", "harness_version": "0.8.0"}


@contextmanager
def serving(
    answer: Callable[[Message], bytes | str | None], hello: dict = HELLO
) -> Iterator[tuple[str, list[Message]]]:
    """A server that answers observations with `answer`; its address and what it received."""
    received: list[Message] = []

    def handle(connection: ServerConnection) -> None:
        try:
            for data in connection:
                message = unpack(data)
                received.append(message)
                if message.kind == "hello":
                    connection.send(pack(Message("hello", hello, message.seq)))
                elif message.kind == "observation":
                    reply = answer(message)
                    if reply is None:
                        connection.close_socket()
                        return
                    connection.send(reply)
        except ConnectionClosed:
            pass

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", received
        finally:
            server.shutdown()
            thread.join()


def session(url: str, **changes: float) -> Session:
    return Session(url, "calvin", **{"timeout": 5.0, "patience": 5.0, **changes})


def zeros(message: Message) -> bytes:
    return pack(Message("action", {"actions": np.zeros(7)}, message.seq))


def test_an_episode():
    with serving(zeros) as (url, received):
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
    ("reply", "error", "text"),
    [
        (lambda m: b"\xc1 garbage", PolicyError, "not msgpack"),
        (lambda m: "words", PolicyError, "text frame"),
        (lambda m: msgpack.packb([1, 2]), PolicyError, "list instead of a map"),
        (lambda m: msgpack.packb({"type": "action"}), PolicyError, "without type, payload and seq"),
        (lambda m: pack(Message("action", {}, m.seq - 1)), PolicyError, "expected was action 3"),
        (lambda m: pack(Message("hello", {}, m.seq)), PolicyError, "answered with hello 3"),
        (lambda m: pack(Message("error", {"error": "no memory"}, m.seq)), PolicyError, "reports: no memory"),
        (lambda m: None, SimulationError, "was lost before it answered"),
    ],
)
def test_a_step_that_fails_is_not_sent_twice(reply, error, text):
    with serving(reply) as (url, received):
        client = session(url)
        client.start({})
        with pytest.raises(error, match=text):
            client.answer(client.ask({}))
        with pytest.raises(SimulationError, match="lost within the episode"):
            client.ask({})
        client.close()
    assert [message.kind for message in received] == ["hello", "episode_start", "observation"]


def test_a_server_that_is_too_slow():
    waiting = threading.Event()
    with serving(lambda message: zeros(message) if waiting.wait(5) else None) as (url, _):
        client = session(url, timeout=0.2)
        client.start({})
        with pytest.raises(SimulationError, match=r"did not answer within 0\.2 s.*--policy-arg timeout"):
            client.answer(client.ask({}))
        waiting.set()


def test_a_server_of_another_protocol_version():
    with (
        serving(zeros, {**HELLO, "protocol_version": 2}) as (url, _),
        pytest.raises(UsageError, match="speaks version 2"),
    ):
        session(url).greet()


def test_no_server():
    with pytest.raises(SimulationError, match=r"no vla-eval model server answers.*curl http://127"):
        session(f"ws://127.0.0.1:{free_port()}", patience=0.3).start({})


def test_a_server_that_comes_up_late():
    port = free_port()
    client = session(f"ws://127.0.0.1:{port}")
    with serving(zeros) as (url, _):
        client = session(url)
        client.start({})
    with serving(zeros) as (url, _):
        client._url = url  # the same session, another server: the first one is gone
        with pytest.raises(SimulationError):
            client.answer(client.ask({}))
        client.start({})
        assert client.answer(client.ask({}))["actions"].shape == (7,)
        client.close()


def test_objects_are_refused():
    data = msgpack.packb(
        {"type": "action", "seq": 1, "payload": {"a": {"__ndarray__": True, "data": b"", "dtype": "|O", "shape": [0]}}}
    )
    with pytest.raises(WireError, match="dtype object"):
        unpack(data)
    with pytest.raises(TypeError, match="cannot be sent"):
        pack(Message("observation", {"a": np.array([None])}, 1))
