"""The server against clients that do harm, by malice or by accident; a well-behaved one must not notice."""

from __future__ import annotations

import socket
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from seer_bench.serving import peer
from seer_bench.serving.codec import unpack
from tests.fakes.serving import Historian, serving
from tests.seer_bench.serving.test_server import ask, clients, one

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextmanager
def raw(port, *, handshake=True):
    """A bare connection, behind the handshake and the metadata."""
    with socket.create_connection(("127.0.0.1", port), 5) as bare:
        if handshake:
            bare.sendall(HANDSHAKE)
            answer = b""
            while b"seer_bench" not in answer:
                answer += bare.recv(1 << 16)
        yield bare


def is_hung_up(bare):
    """Whether the server ends the connection within five seconds."""
    try:
        while bare.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def masked(payload, opcode=0x82):
    """A frame of less than 126 bytes whose mask changes nothing."""
    return bytes([opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + b"a" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500,
        b"\x00" * 5000,
    ],
)
def test_who_speaks_no_websocket_is_hung_up_on(noise):
    with serving(Historian()) as port, raw(port, handshake=False) as bare:
        bare.sendall(noise)
        bare.shutdown(socket.SHUT_WR)
        assert is_hung_up(bare)
        with connect(f"ws://127.0.0.1:{port}") as good:
            good.recv(5)
            assert ask(good, 1) == [1, 1]


@pytest.mark.parametrize(
    "frame",
    [
        b"\x82\x05hello",  # not masked
        b"\x83\x80\0\0\0\0",  # an opcode that there is not
        b"\xc2\x80\0\0\0\0",  # a reserved bit
        b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # longer than memory
        b"\x80\x80\0\0\0\0",  # goes on with nothing
        masked(b"\x03\xe8", 0x08),  # a farewell
        masked(b"", 0x08),
        masked(b"\xff", 0x08),  # half a close code
    ],
)
def test_frames_that_break_the_protocol_end_the_connection(frame):
    with serving(Historian()) as port, clients(port, 1) as (good,), raw(port) as bare:
        bare.sendall(frame)
        assert is_hung_up(bare)
        assert ask(good, 1) == [1, 1]


def test_half_a_frame_holds_nobody_up_and_not_for_ever(monkeypatch):
    monkeypatch.setattr(peer, "_MESSAGE_S", 0.3)
    monkeypatch.setattr(peer, "_HANDSHAKE_S", 0.3)
    with (
        serving(Historian()) as port,
        clients(port, 1) as (good,),
        raw(port) as half,
        raw(port) as piecemeal,
        raw(port, handshake=False) as mute,
        raw(port, handshake=False) as slow,
    ):
        half.sendall(b"\x82\xfe\x40\x00\0\0\0\0begin")
        piecemeal.sendall(masked(b"begin", 0x02) + masked(b"", 0x00) * 100)
        slow.sendall(HANDSHAKE[:30])
        assert ask(good, 1) == [1, 1]
        assert all(is_hung_up(bare) for bare in (half, piecemeal, mute, slow))
        assert ask(good, 1) == [2, 2]  # an idle connection may stay


def test_a_message_may_come_in_pieces_and_behind_others():
    with serving(Historian()) as port, connect(f"ws://127.0.0.1:{port}") as client:
        client.recv(5)
        frame = one(2)
        client.send([frame[:10], frame[10:11], frame[11:]])
        for total in (3, 4):
            client.send(one(total))
        assert [unpack(client.recv(5))["actions"][0].tolist() for _ in range(3)] == [[2, 1], [5, 2], [9, 3]]


def test_too_large_a_frame_is_refused_with_its_code():
    with serving(Historian(), max_bytes=10_000) as port, connect(f"ws://127.0.0.1:{port}", max_size=None) as client:
        client.recv(5)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - either may notice
            client.send(b"\0" * 3_000_000)
            client.recv(5)
        assert closed.value.rcvd.code == 1009


def test_health_checks_and_pings_are_answered_while_the_policy_computes():
    policy = Historian()
    with serving(policy) as port, clients(port, 2) as (busy, idle):
        policy.go_on.clear()
        busy.send(one(1))
        while not policy.calls:
            time.sleep(0.01)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert answer.read() == b"OK\n"
        assert all(client.ping().wait(5) for client in (busy, idle))
        policy.go_on.set()
        assert unpack(busy.recv(5))["actions"][0].tolist() == [1, 1]


def test_who_leaves_before_the_answer_costs_nobody_anything():
    policy = Historian()
    with serving(policy) as port, clients(port, 1) as (good,):
        for _ in range(3):
            with raw(port) as bare:
                bare.sendall(b"\x82\xfe\x00\xc8" + b"\0" * 4 + b"\x80" * 200)
        for _ in range(3):
            with connect(f"ws://127.0.0.1:{port}") as other:
                other.send(one(5))
        assert ask(good, 1) == [1, 1]


def test_who_never_reads_is_not_answered_for_ever():
    policy = Historian()
    with serving(policy) as port, clients(port, 1) as (good,), raw(port) as bare:
        bare.setblocking(False)
        frame = one(1)
        frame = b"\x82\xfe" + len(frame).to_bytes(2, "big") + b"\0" * 4 + frame
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        with suppress(BlockingIOError):
            while True:  # until nothing more is taken
                bare.send(frame * 100)
        assert ask(good, 1) == [1, 1]


def test_the_end_of_the_server_is_said_and_closes_the_policy():
    policy = Historian()
    with ExitStack() as up:
        port = up.enter_context(serving(policy))
        with connect(f"ws://127.0.0.1:{port}") as client:
            client.recv(5)
            up.close()
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(5)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the server ends")
    assert policy.closed
