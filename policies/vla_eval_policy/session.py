"""One connection to a vla-eval model server, which keeps a session for it: its history and its chunk of actions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from seer_bench import MissingExtraError, SimulationError

try:
    from seer_bench.serving.connection import Connection, ConnectionLostError, NoAnswerError, RefusedError

    from .wire import PROTOCOL_VERSION, Message, WireError, pack, unpack
except ModuleNotFoundError as missing:
    raise MissingExtraError("the policy 'vla_eval'", missing.name or "websockets", "remote") from missing

MAX_BYTES = 64 * 2**20
"""Largest message that is taken; an action is some hundred bytes."""
FIRST_PAUSE = 0.25
"""Seconds between the first two attempts to connect; doubled each time, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 2.0


class Session:
    """A connection of its own, opened on demand and never half-used.

    Whatever goes wrong closes it and is an infrastructure error: the server's memory of the episode is lost with the
    connection, so that a step is never sent twice. The next `start` connects again.

    Args:
        url: of the server, ws:// or wss://.
        benchmark: told to the server in the greeting.
        timeout: seconds to wait for an answer.
        wait: seconds for which connecting is tried.
        server: the greeting that the server must answer with; None takes any.
    """

    def __init__(
        self, url: str, benchmark: str, *, timeout: float, wait: float, server: Mapping[str, Any] | None = None
    ) -> None:
        self._url, self._benchmark = url, benchmark
        self._timeout, self._wait = timeout, wait
        self._server = server
        self._connection: Connection | None = None
        self._seq = 0
        self._in_episode = False

    def greet(self) -> Mapping[str, Any]:
        """Connect anew; what the server says of itself.

        Raises:
            SimulationError: it cannot be reached or does not answer, is no vla-eval server or one of another version
                of the protocol, or another one than `server`.
        """
        self.close()
        self._connection = self._connect()
        greeting = {"harness_version": "seer-bench", "protocol_version": PROTOCOL_VERSION, "benchmark": self._benchmark}
        try:
            said = self._receive(self._send("hello", greeting), "hello")
        except WireError as error:
            raise SimulationError(f"{self._url} is no vla-eval model server: {error}") from error
        if (version := said.get("protocol_version")) != PROTOCOL_VERSION:
            self.close()
            raise SimulationError(
                f"{self._url} speaks version {version} of vla-eval's protocol; this policy speaks {PROTOCOL_VERSION}. "
                "Start the server from vla-eval 0.8."
            )
        if self._server is not None and said != self._server:
            self.close()
            raise SimulationError(
                f"{self._url}: another model server answers there now ({said.get('model_server')}, or other "
                "parameters) than when the run began. Start the first one again."
            )
        return said

    def start(self, task: Mapping[str, Any]) -> None:
        """Begin an episode; raises SimulationError."""
        if self._connection is not None:
            self._connection.tend()  # tells whether it is open still
        if self._connection is None or not self._connection.open:
            self.greet()
        if self._in_episode:
            self._send("episode_end", {})
        self._send("episode_start", {"task": dict(task)})
        self._in_episode = True

    def ask(self, observation: Mapping[str, Any]) -> int:
        """Send an observation; the number to call `answer` with. Raises SimulationError."""
        return self._send("observation", observation)

    def answer(self, seq: int) -> Mapping[str, Any]:
        """The action for an observation; raises SimulationError, also for what the server reports as an error."""
        return self._receive(seq, "action")

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._in_episode = None, False

    def _connect(self) -> Connection:
        """Try until `wait` is over."""
        deadline, pause = time.monotonic() + self._wait, FIRST_PAUSE
        while True:
            left = max(deadline - time.monotonic(), FIRST_PAUSE)
            try:
                return Connection(self._url, token=None, timeout=left, max_bytes=MAX_BYTES)
            except RefusedError as error:
                raise SimulationError(f"no vla-eval model server: {error}") from error
            except (ConnectionLostError, NoAnswerError) as error:
                if time.monotonic() + pause > deadline:
                    raise SimulationError(
                        f"{error} Tried for {self._wait:g} s. Start a vla-eval model server, or give its address: "
                        "--policy-arg url=ws://HOST:PORT. Look whether it is up with: "
                        f"curl http://{urlsplit(self._url).netloc}/health"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send(self, kind: str, payload: Mapping[str, Any]) -> int:
        """Send a message; its number."""
        self._seq += 1
        data = pack(Message(kind, payload, self._seq))
        try:
            self._connected().send(data, self._timeout)
        except SimulationError:
            self.close()
            raise
        return self._seq

    def _receive(self, seq: int, kind: str) -> Mapping[str, Any]:
        """The payload that answers the message `seq`; whatever else comes closes the connection."""
        try:
            message = unpack(self._connected().receive(self._timeout))
            if message.kind == "error":
                raise SimulationError(f"{self._url} reports: {message.payload.get('error', message.payload)}")
            if (message.kind, message.seq) != (kind, seq):
                raise WireError(f"{self._url} sent {message.kind} {message.seq} instead of {kind} {seq}.")
        except NoAnswerError as error:
            self.close()
            raise SimulationError(f"{error} For a slower model: --policy-arg timeout=SECONDS") from error
        except SimulationError:
            self.close()
            raise
        return message.payload

    def _connected(self) -> Connection:
        """The connection; raises SimulationError where it was dropped."""
        if self._connection is None:
            raise SimulationError(f"the connection to {self._url} was lost within the episode.")
        return self._connection
