"""The client against servers that are not ours."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol
from websockets.sync.server import serve

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from remote_policy import make_policy
from seer_bench import (
    ConventionError,
    ImageSpec,
    PolicyContext,
    PolicyError,
    SimulationError,
    UnknownNameError,
    UsageError,
)
from seer_bench.serving.codec import pack, unpack
from seer_bench.serving.metadata import KEY, read_metadata
from tests.fakes.serving import observation, unit

EPISODES = {KEY: {"version": 1, "sessions": False, "episodes": True}}


@contextmanager
def plain_server(answer, metadata=None):
    """A server of openpi's protocol that answers each observation with what `answer` makes of it; gives its port."""

    def converse(connection):
        connection.send(pack(metadata or {}))
        try:
            while True:
                connection.send(answer(unpack(connection.recv())))
        except ConnectionClosed:
            pass

    with serve(converse, "127.0.0.1", 0, compression=None, close_timeout=0.1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(5)


def answer_with(actions):
    return lambda _: pack({"actions": np.asarray(actions)})


def test_joined_vectors_are_sent_as_one(connect):
    seen = []
    with plain_server(lambda tree: seen.append(tree) or pack({"actions": np.zeros((1, 2))})) as port:
        remote = connect(port, keys="state:total+total,image:picture", resize=8)
        assert list(remote.spec.observations) == ["total", "picture"]
        remote.reset([0], ["reach 1"], [0])
        remote.act([0], observation(3.0))
    assert sorted(seen[0]) == ["image", "prompt", "state"]
    assert (seen[0]["state"].tolist(), seen[0]["state"].dtype, seen[0]["image"].shape) == (
        [3, 3],
        np.float64,
        (8, 8, 3),
    )


@pytest.mark.parametrize(
    ("keys", "error", "said"),
    [
        ("state:totl", UnknownNameError, "Did you mean 'total'"),
        ("state:total+wrist", UnknownNameError, r"state:total\+wrist.*'wrist'"),
        ("state:total+picture", ConventionError, "'picture' is a picture"),
    ],
)
def test_fields_that_cannot_be_sent_are_refused_before_the_first_step(connect, keys, error, said):
    with plain_server(answer_with([[0.0, 0]])) as port, pytest.raises(error, match=said):
        connect(port, keys=keys)


def test_the_preset_for_openpis_libero_fits_its_protocol():
    libero = LiberoBenchmark()
    protocol = libero.protocols()["libero-long/openpi-v1"]
    with plain_server(answer_with(np.zeros((10, 7)))) as port:
        options = {"url": f"ws://127.0.0.1:{port}", "preset": "openpi-libero"}
        remote = make_policy(PolicyContext(libero.interface(protocol), protocol, options=options))
        remote.close()
    state = [spec.size for name, spec in remote.spec.observations.items() if not name.startswith("rgb")]
    assert (remote.spec.chunk, state) == (5, [3, 3, 2])
    assert remote.spec.observations["rgb_agentview"].orientation == "rot180"


@pytest.mark.parametrize("actions", [[[0.0]], [0.0, 1.0, 2.0], [[[0.0, 1.0]]], np.zeros((0, 2))])
def test_misshapen_actions_are_the_policys_fault(connect, actions):
    with plain_server(answer_with(actions)) as port:
        remote = connect(port)
        remote.reset([0], ["reach 1"], [0])
        with pytest.raises(PolicyError, match="shape"):
            remote.act([0], observation(1.0))


@pytest.mark.parametrize("answer", ["Traceback: out of memory", pack({"action": 1}), pack([1]), b"\xc1", b""])
def test_whatever_else_it_answers_is_nobodys_fault(connect, answer):
    with plain_server(lambda _: answer) as port:
        remote = connect(port)
        remote.reset([0], ["reach 1"], [0])
        with pytest.raises(SimulationError):
            remote.act([0], observation(1.0))


def test_the_server_of_the_docs_plays_calvin():
    page = (Path(__file__).parents[3] / "docs" / "remote.md").read_text()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = page.split("```python\n")[1].split("```")[0].replace("8000", str(port))
    calvin = CalvinBenchmark()
    protocol = calvin.protocols()["calvin-embedded/v1"]
    interface = calvin.interface(protocol)
    with subprocess.Popen([sys.executable, "-c", program]) as server:
        try:
            remote = make_policy(PolicyContext(interface, protocol, options={"url": f"ws://127.0.0.1:{port}"}))
            remote.reset([0], ["push the button"], [0])
            seen = {
                name: np.zeros((1, spec.height, spec.width, 3), np.uint8)
                if isinstance(spec, ImageSpec)
                else np.zeros((1, spec.size))
                for name, spec in remote.spec.observations.items()
            }
            assert remote.act([0], seen).tolist() == [[[0.0] * 7]]
            remote.close()
        finally:
            server.kill()


def test_a_server_that_says_little_has_declared_nothing():
    said = read_metadata({KEY: {"version": 1}})
    assert (said.policy, said.chunk, said.episodes, said.settings) == (None, None, False, {})


def test_a_server_with_episodes_is_told_of_them(connect):
    seen = []
    with plain_server(lambda tree: seen.append(tree) or pack({"actions": np.zeros((1, 2))}), EPISODES) as port:
        remote = connect(port)
        for name in (0, 1):
            remote.begin([0], [unit(name)])
            for subtask in range(2):
                remote.reset([0], [f"reach {subtask}"], [10 * name + subtask])
                for _ in range(2):
                    remote.act([0], observation(1.0))
    keys = ("prompt", "seed", "subtask", "reset", "step")
    assert [tuple(tree[key] for key in keys) for tree in seen] == [
        (f"reach {subtask}", 10 * name + subtask, subtask, step == 0, step)
        for name in (0, 1)
        for subtask in (0, 1)
        for step in (0, 1)
    ]
    assert [len({tree[key] for tree in seen}) for key in ("unit_id", "episode_id")] == [2, 4]


@contextmanager
def bare_server(converse):
    """A server that speaks WebSocket by hand, one connection after another; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen():
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    with near, suppress(OSError):
                        converse(near)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def shake_hands(near, *headers):
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += near.recv(1 << 12)
    server = ServerProtocol()
    server.receive_data(asked)
    response = server.accept(server.events_received()[0])
    for name, value in headers:
        response.headers[name] = value
    near.sendall(response.serialize() + frame(pack({})))


def frame(data, first=0x82):
    return bytes([first, 126]) + len(data).to_bytes(2, "big") + data


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_one(connect):
    asked = []

    def twice(near):
        shake_hands(near)
        while near.recv(1 << 12)[:1] == b"\x82":
            asked.append(1)
            near.sendall(frame(pack({"actions": np.full(2, len(asked))})) * 2)

    with bare_server(twice) as port:
        remote = connect(port, timeout=5)
        remote.reset([0], ["reach 1"], [0])
        for number in range(1, 4):
            assert remote.act([0], observation(1.0)).tolist() == [[[number] * 2]]
            time.sleep(0.05)
        remote.close()


def test_pings_without_end_are_no_answer(connect):
    def flood(near):
        shake_hands(near)
        near.recv(1 << 12)
        threading.Thread(target=drain, args=(near,), daemon=True).start()
        while True:
            near.sendall(b"\x89\0" * 1000)

    def drain(near):
        with suppress(OSError):
            while near.recv(1 << 16):
                pass

    with bare_server(flood) as port:
        remote = connect(port, timeout=0.3, wait=0.3)
        remote.reset([0], ["reach 1"], [0])
        with pytest.raises(SimulationError, match=r"in time.*timeout="):
            remote.act([0], observation(1.0))


def test_compression_that_nobody_offered_is_refused(connect):
    with (
        bare_server(lambda near: shake_hands(near, ("Sec-WebSocket-Extensions", "permessage-deflate"))) as port,
        pytest.raises(UsageError, match="does not speak WebSocket"),
    ):
        connect(port)


def test_a_proxy_whose_server_is_starting_is_waited_for(connect):
    connections = []

    def starting(near):
        connections.append(1)
        if len(connections) < 3:
            near.recv(1 << 12)
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        shake_hands(near)
        near.recv(1 << 12)
        near.sendall(frame(pack({"actions": np.ones(2)})))

    with bare_server(starting) as port:
        remote = connect(port, timeout=5)
        remote.reset([0], ["reach 1"], [0])
        assert remote.act([0], observation(1.0)).tolist() == [[[1, 1]]]
