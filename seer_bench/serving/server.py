"""The WebSocket server behind `seer-bench serve`: openpi's protocol, and calls over many slots for seer-bench's client.

A call of our client carries its number. The answer to the newest one is kept, so that a client that lost its connection
asks again and the policy is called once. Its slots are kept when a connection breaks, and forgotten after an hour
without a call. For any other client a slot lasts as long as its connection.

The thread that calls the policy also reads and writes all connections, so that no other one has to be woken within a
step. While the policy computes for long, a second thread stands in for it at the connections.
"""

from __future__ import annotations

import hmac
import http
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from websockets.http11 import Request, Response

from seer_bench.engine.faults import describe
from seer_bench.errors import ConventionError, PolicyError
from seer_bench.serving.codec import FrameError, pack, unpack
from seer_bench.serving.host import ForgottenError, Played, PolicyHost, Single
from seer_bench.serving.messages import Call, failure, read_call
from seer_bench.serving.metadata import KEY
from seer_bench.serving.peer import Peer

MEGABYTE = 1 << 20
_MOST_CLIENTS = 256
"""Connections, and clients that are remembered."""
_MOST_SOCKETS = 512
"""Connections, and those that have not said yet what they want."""
_SWEEP_S = 1.0
"""Seconds between two looks for connections that take too long."""
_STAND_IN_S = 0.2
"""Seconds that a health check or a ping may wait while the policy computes."""
_GOING_AWAY, _UNSUPPORTED, _INTERNAL = 1001, 1003, 1011
"""Close codes of WebSocket."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Call:
    """The newest call of one of our clients."""

    call: Call
    """Without rows and observations once it was made."""
    peers: list[Peer]
    """That wait for the answer: the client may have connected anew."""
    answer: bytes | None = None
    seen: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Single:
    """An observation of anybody else."""

    peer: Peer
    single: Single


@dataclass(frozen=True)
class _Farewell:
    """A client whose slots are free."""

    client: str


_Order = _Call | _Single | _Farewell


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=_MOST_CLIENTS)


class PolicyServer:
    """Answers over WebSocket.

    Args:
        host: of the policy.
        metadata: the first frame of every connection.
        token: that clients must show as `Authorization: Api-Key TOKEN`; None lets everybody in.
        max_bytes: of a frame that is taken.
    """

    def __init__(
        self, host: PolicyHost, metadata: Mapping[str, Any], *, token: str | None, max_bytes: int = 64 * MEGABYTE
    ) -> None:
        self.calls = 0
        """That were made of the policy."""
        self._host, self._token, self._max_bytes = host, token, max_bytes
        self._metadata = pack(dict(metadata))
        self._lock = threading.Lock()
        """Held by whoever is at the connections; guards all that follows."""
        self._selector = selectors.DefaultSelector()
        self._peers: set[Peer] = set()
        self._clients: dict[str, _Call] = {}
        self._orders: deque[_Order] = deque()
        """What the policy is to do, in the order in which it was asked for."""
        self._swept = time.monotonic()
        self._bell, self._rung = socket.socketpair()
        self._ended = threading.Event()

    def run(self, listener: socket.socket) -> None:
        """Serve, calling the policy in this thread, until `stop` is called or an exception such as Ctrl-C passes.

        Args:
            listener: of `listen`; it is closed at the end, as the policy is.
        """
        stand_in = threading.Thread(target=self._stand_in, name="stand-in", daemon=True)
        try:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, listener)
            self._selector.register(self._rung, selectors.EVENT_READ)
            self._host.prepare()
            stand_in.start()
            self._serve()
        finally:
            self._ended.set()
            if stand_in.is_alive():
                stand_in.join()
            listener.close()
            self._say_goodbye()
            for end in (self._selector, self._bell, self._rung, self._host):
                end.close()

    def stop(self) -> None:
        """End `run` after the call that the policy is in; from any thread."""
        self._ended.set()
        with suppress(OSError):  # it has ended
            self._bell.send(b".")

    def _serve(self) -> None:
        """Take what comes, call the policy, answer."""
        done: list[tuple[_Order, bytes | Exception]] = []
        while not self._ended.is_set():
            with self._lock:
                for order, answer in done:
                    self._deliver(order, answer)
                self._attend(0.0 if self._orders else _SWEEP_S)
                orders = self._next_orders()
            done = self._make(orders)

    def _stand_in(self) -> None:
        """Be at the connections while the policy computes: health checks and pings are answered, calls are put off."""
        while not self._ended.wait(_STAND_IN_S):
            if self._lock.acquire(blocking=False):
                try:
                    self._attend(0.0)
                finally:
                    self._lock.release()

    def _say_goodbye(self) -> None:
        """Close all connections."""
        with self._lock:
            for peer in self._peers:
                peer.read()  # what is not read would break the connection before the farewell arrives
                peer.leave(_GOING_AWAY, "the server ends")
                peer.socket.close()

    # At the connections.

    def _attend(self, seconds: float) -> None:
        """Wait at most so long, and take what has come."""
        for key, events in self._selector.select(seconds):
            if isinstance(key.data, Peer):
                self._hear(key.data, events)
            elif key.data is not None:
                self._accept(key.data)
            else:
                self._rung.recv(1 << 10)
        if time.monotonic() - self._swept > _SWEEP_S:
            self._swept = time.monotonic()
            for peer in [peer for peer in self._peers if peer.over]:
                self._part(peer)

    def _accept(self, listener: socket.socket) -> None:
        """Take a connection."""
        try:
            connection, _ = listener.accept()
            if len(self._peers) >= _MOST_SOCKETS:
                connection.close()
                return
            peer = Peer(connection, self._max_bytes)
        except OSError:  # it has gone again
            return
        self._peers.add(peer)
        self._watch(peer)

    def _hear(self, peer: Peer, events: int) -> None:
        """Take what a client sends."""
        if events & selectors.EVENT_WRITE:
            peer.flush()
        if events & selectors.EVENT_READ:
            peer.read()
        self._advance(peer)

    def _advance(self, peer: Peer) -> None:
        """Look at what a client asks next, unless it is being answered; whatever that does must not hurt others."""
        try:
            if peer.request is not None:
                self._admit(peer, peer.request)
            while peer.ready:
                self._take(peer, peer.messages.popleft())
        except Exception:
            _log.exception("a connection failed")
            peer.leave(_INTERNAL, "the server failed")
        self._watch(peer)

    def _take(self, peer: Peer, message: bytes | str) -> None:
        """Make an order of a message, or say why not."""
        try:
            self._read(peer, message)
        except ConventionError as error:
            peer.send(str(error))
        except FrameError as error:  # nothing that follows can be trusted
            peer.send(str(error))
            peer.leave(_UNSUPPORTED, "unreadable frame")

    def _watch(self, peer: Peer) -> None:
        """Watch for what a client may do next, or leave it."""
        if peer not in self._peers:
            return
        if peer.over:
            self._part(peer)
        elif (wants := peer.wants) != peer.watched:
            if not peer.watched:
                self._selector.register(peer.socket, wants, peer)
            elif not wants:
                self._selector.unregister(peer.socket)
            else:
                self._selector.modify(peer.socket, wants, peer)
            peer.watched = wants

    def _part(self, peer: Peer) -> None:
        """Forget a connection. What our clients asked is still made: they may connect anew."""
        if peer.watched:
            self._selector.unregister(peer.socket)
        peer.socket.close()
        self._peers.discard(peer)
        self._orders = deque(order for order in self._orders if not (isinstance(order, _Single) and order.peer is peer))
        self._orders.append(_Farewell(peer.plain.client))

    def _admit(self, peer: Peer, request: Request) -> None:
        """Answer a handshake or a health check."""
        peer.request = None
        peer.protocol.send_response(self._response(peer, request))
        peer.flush()
        peer.send(self._metadata)

    def _response(self, peer: Peer, request: Request) -> Response:
        """Who may come in."""
        if request.path == "/healthz":
            return peer.protocol.reject(http.HTTPStatus.OK, "OK\n")
        shown = "".join(request.headers.get_all("Authorization")).encode(errors="surrogateescape")
        if self._token is not None and not hmac.compare_digest(shown, f"Api-Key {self._token}".encode()):
            return peer.protocol.reject(http.HTTPStatus.UNAUTHORIZED, "This server asks for a token.\n")
        if sum(other.open for other in self._peers) >= _MOST_CLIENTS:
            return peer.protocol.reject(http.HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.\n")
        return peer.protocol.accept(request)

    def _read(self, peer: Peer, frame: bytes | str) -> None:
        """Make an order of a message; raises FrameError or ConventionError."""
        if isinstance(frame, str):
            raise FrameError("observations must come as binary frames of MessagePack, not as text.")
        message = unpack(frame)
        if not isinstance(message, dict):
            raise FrameError(f"an observation must be a map, not {type(message).__name__}.")
        if KEY in message:
            self._ask(peer, read_call(message))
        else:
            self._orders.append(_Single(peer, Single(*peer.plain.read(message))))
            peer.asked = True

    def _ask(self, peer: Peer, call: Call) -> None:
        """Order a call of ours, which is made once however often it is asked for."""
        if peer.client not in (None, call.client):
            raise FrameError("another client speaks here than before; each needs a connection of its own.")
        peer.client = call.client
        known = self._clients.get(call.client)
        if known is None:
            self._make_room()
        elif call.number < known.call.number:
            raise FrameError(f"call {call.number} comes after call {known.call.number}.")
        if known is None or call.number > known.call.number:
            known = self._clients[call.client] = _Call(call, [])
            self._orders.append(known)
        if known.answer is None:
            known.peers.append(peer)
            peer.asked = True
        else:
            peer.send(known.answer)

    def _make_room(self) -> None:
        """Where too many clients are remembered, forget the one of those that have gone that called longest ago."""
        if len(self._clients) < _MOST_CLIENTS:
            return
        connected = {peer.client for peer in self._peers}
        gone = [name for name, newest in self._clients.items() if name not in connected and newest.answer is not None]
        if not gone:
            raise FrameError(f"this server remembers {_MOST_CLIENTS} clients already; try again later.")
        name = min(gone, key=lambda name: self._clients[name].seen)
        del self._clients[name]
        self._orders.append(_Farewell(name))

    def _deliver(self, order: _Order, answer: bytes | Exception) -> None:
        """Send an answer to those who wait for it."""
        peers: Sequence[Peer] = ()
        if isinstance(order, _Single):
            peers = [order.peer]
            if isinstance(answer, Exception):
                order.peer.plain.failed()
        elif isinstance(order, _Call) and isinstance(answer, bytes):
            peers, order.peers, order.answer = order.peers, [], answer
            if order.call.leave and self._clients.get(order.call.client) is order:
                del self._clients[order.call.client]
        for peer in peers:
            peer.asked = False
            peer.send(describe(answer) if isinstance(answer, Exception) else answer)
            self._advance(peer)

    # At the policy.

    def _next_orders(self) -> list[_Order]:
        """What is to be done next: one thing, or single observations that fit into one call."""
        if not self._orders:
            return []
        first = self._orders.popleft()
        if not isinstance(first, _Single):
            return [first]
        others = [order for order in self._orders if isinstance(order, _Single)][: self._host.batch - 1]
        for order in others:
            self._orders.remove(order)
        return [first, *others]

    def _make(self, orders: Sequence[_Order]) -> list[tuple[_Order, bytes | Exception]]:
        """Carry out orders, and give the answers to them."""
        singles = [order for order in orders if isinstance(order, _Single)]
        self.calls += any(not isinstance(order, _Farewell) for order in orders)
        if singles:
            answers = self._host.play_singles([order.single for order in singles])
            return [
                (order, answer if isinstance(answer, Exception) else pack(_answer_to(answer, 0)))
                for order, answer in zip(singles, answers, strict=True)
            ]
        done: list[tuple[_Order, bytes | Exception]] = []
        for order in orders:
            if isinstance(order, _Call):
                done.append((order, self._call(order.call)))
                order.call = replace(order.call, rows=(), observations={})  # neither pictures nor texts are kept
            elif isinstance(order, _Farewell):
                self._host.release(order.client)
        return done

    def _call(self, call: Call) -> bytes:
        """Make a call; failures are answers too."""
        if call.leave:
            self._host.release(call.client)
            return pack({KEY: {"call": call.number}})
        try:
            return pack({KEY: {"call": call.number}, **_answer_to(self._host.play(call.rows, call.observations))})
        except ForgottenError as error:
            return failure(call.number, "forgotten", str(error))
        except PolicyError as error:
            return failure(call.number, "policy", str(error))
        except Exception as error:
            _log.exception("call %d failed", call.number)
            return failure(call.number, "server", describe(error))


def _answer_to(played: Played, row: int | None = None) -> dict[str, Any]:
    """Actions of all rows or of one, and the time that the policy took, as openpi's server gives them."""
    actions = played.actions if row is None else played.actions[row]
    return {"actions": actions, "server_timing": {"infer_ms": 1000 * played.seconds}}
