"""The WebSocket server behind `seer-bench serve`: openpi's protocol, and calls over many slots for seer-bench's client.

A call of our client carries its number. The answer to the newest one is kept, so that a client that lost its connection
asks again and the policy is called once. Its slots are kept when a connection breaks, and forgotten after an hour
without a call. For any other client a slot lasts as long as its connection.
"""

from __future__ import annotations

import asyncio
import hmac
import http
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from seer_bench.engine.faults import describe
from seer_bench.errors import PolicyError
from seer_bench.serving.codec import FrameError, pack, unpack
from seer_bench.serving.host import ForgottenError, Played, PolicyHost
from seer_bench.serving.messages import Call, PlainEpisode, failure, read_call
from seer_bench.serving.metadata import KEY
from seer_bench.serving.thread import PolicyThread

MEGABYTE = 1 << 20
_KEPT_S = 3600.0
"""Seconds that a client's slots outlive its last call."""
_MOST_CLIENTS = 256
"""Connections, and clients that are remembered."""
_UNSUPPORTED = 1003
"""Close code of WebSocket: data that cannot be read."""

_log = logging.getLogger(__name__)


@dataclass
class _Client:
    """What is remembered of one of our clients."""

    number: int
    """Of its newest call."""
    answer: asyncio.Future[bytes]
    seen: float


class PolicyServer:
    """Answers over WebSocket; the policy runs in a thread of its own.

    Args:
        host: of the policy.
        metadata: the first frame of every connection.
        token: that clients must show as `Authorization: Api-Key TOKEN`; None lets everybody in.
        max_bytes: of a frame that is taken.
    """

    def __init__(
        self, host: PolicyHost, metadata: Mapping[str, Any], *, token: str | None, max_bytes: int = 64 * MEGABYTE
    ) -> None:
        self._host, self._token, self._max_bytes = host, token, max_bytes
        self._metadata = pack(dict(metadata))
        self._thread = PolicyThread(host.prepare)
        self._clients: dict[str, _Client] = {}
        self._connections = 0

    async def run(self, address: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until cancelled; `ready` is told the port once connections are taken.

        Raises:
            OSError: the address cannot be listened on.
        """
        try:
            async with serve(
                self._converse,
                address,
                port,
                compression=None,
                max_size=self._max_bytes,
                origins=[None],  # a browser names one: no web page may talk to a server on the reader's own machine
                process_request=self._admit,
                ping_timeout=60,
                close_timeout=1,
            ) as server:
                ready(_port_of(server))
                await server.serve_forever()
        finally:
            if self._thread.close():
                self._host.close()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer health checks, and turn away who shows no token."""
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        shown = request.headers.get("Authorization", "")
        if self._token is not None and not hmac.compare_digest(shown.encode(), f"Api-Key {self._token}".encode()):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "This server asks for a token.\n")
        if self._connections >= _MOST_CLIENTS:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.\n")
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        """One connection: metadata, then an answer for each frame."""
        self._connections += 1
        plain = PlainEpisode(f"connection-{uuid.uuid4()}")
        try:
            await connection.send(self._metadata)
            async for frame in connection:
                try:
                    await connection.send(await self._answer(frame, plain))
                except FrameError as error:  # nothing that follows can be trusted
                    await connection.send(str(error))
                    await connection.close(_UNSUPPORTED, "unreadable frame")
        except ConnectionClosed as closed:
            _log.info("connection closed: %s", closed)
        finally:
            self._connections -= 1
            await self._thread.call(self._host.release, plain.client)

    async def _answer(self, frame: str | bytes, plain: PlainEpisode) -> bytes | str:
        """What is sent back for a frame; a text where a client of openpi's asked and the policy failed."""
        if isinstance(frame, str):
            raise FrameError("observations must come as binary frames of MessagePack, not as text.")
        message = unpack(frame)
        if not isinstance(message, dict):
            raise FrameError(f"an observation must be a map, not {type(message).__name__}.")
        if KEY in message:
            return await self._call(read_call(message))
        row, observation = plain.read(message)
        try:
            waiting = asyncio.wrap_future(self._host.submit(row, observation))
            await self._thread.call(self._host.play_waiting)
            return pack(_answer_to(await waiting, 0))
        except Exception as error:
            plain.failed()
            return describe(error)

    async def _call(self, call: Call) -> bytes:
        """The answer to a call of ours, which is made once however often it is asked for."""
        known = self._clients.get(call.client)
        if known is None:
            await self._make_room()
        if known is None or call.number > known.number:
            made = self._thread.call(self._play, call)
            known = self._clients[call.client] = _Client(call.number, made, time.monotonic())
        elif call.number < known.number:
            raise FrameError(f"call {call.number} comes after call {known.number}.")
        answer = await known.answer
        if call.leave:
            self._clients.pop(call.client, None)
        return answer

    def _play(self, call: Call) -> bytes:
        """Make a call, in the policy's thread; failures are answers too."""
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

    async def _make_room(self) -> None:
        """Forget clients that have not called for long; raises FrameError where there are too many others."""
        now = time.monotonic()
        for name, client in list(self._clients.items()):
            if now - client.seen > _KEPT_S and client.answer.done():
                del self._clients[name]
                await self._thread.call(self._host.release, name)
        if len(self._clients) >= _MOST_CLIENTS:
            raise FrameError(f"this server remembers {_MOST_CLIENTS} clients already; try again later.")


def _answer_to(played: Played, row: int | None = None) -> dict[str, Any]:
    """Actions of all rows or of one, and the time that the policy took, as openpi's server gives them."""
    actions = played.actions if row is None else played.actions[row]
    return {"actions": actions, "server_timing": {"infer_ms": 1000 * played.seconds}}


def _port_of(server: Server) -> int:
    """The port that is listened on."""
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
