"""One connection to a vla-eval model server, which keeps a session for it: its history and its chunk of actions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from seer_bench import MissingExtraError, PolicyError, SimulationError, UsageError

try:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import ClientConnection, connect

    from .wire import PROTOCOL_VERSION, Message, WireError, pack, unpack
except ModuleNotFoundError as missing:
    raise MissingExtraError("the policy 'vla_eval'", missing.name or "websockets", "remote") from missing

MAX_BYTES = 64 * 2**20
"""Largest message that is taken; an action is some hundred bytes."""
FIRST_PAUSE = 0.25
"""Seconds between the first two attempts to connect; doubled each time."""


class Session:
    """A connection of its own, opened on demand and never half-used.

    Whatever goes wrong closes it: the server's memory of the episode is lost with the connection, so that a step is
    never sent twice. The next `start` connects again.

    Args:
        url: of the server, ws:// or wss://.
        benchmark: told to the server in the greeting.
        timeout: seconds to wait for an answer.
        patience: seconds to go on trying to connect.
    """

    def __init__(self, url: str, benchmark: str, *, timeout: float, patience: float) -> None:
        self._url, self._benchmark = url, benchmark
        self._timeout, self._patience = timeout, patience
        self._socket: ClientConnection | None = None
        self._open = ExitStack()
        self._seq = 0
        self._in_episode = False

    def greet(self) -> Mapping[str, Any]:
        """Connect where needed, and what the server says of itself.

        Raises:
            SimulationError: it cannot be reached or does not answer.
            UsageError: it speaks another version of the protocol, or is no vla-eval server.
        """
        self.close()
        self._socket = self._connect()
        greeting = {"harness_version": "seer-bench", "protocol_version": PROTOCOL_VERSION, "benchmark": self._benchmark}
        try:
            answer = self._receive(self._send("hello", greeting), "hello")
        except PolicyError as error:
            raise UsageError(f"{self._url} is no vla-eval model server: {error}") from error
        if (version := answer.get("protocol_version")) != PROTOCOL_VERSION:
            self.close()
            raise UsageError(
                f"{self._url} speaks version {version} of vla-eval's protocol; this policy speaks {PROTOCOL_VERSION}. "
                "Start the server from vla-eval 0.8."
            )
        return answer

    def start(self, task: Mapping[str, Any]) -> None:
        """Begin an episode; raises SimulationError."""
        if self._socket is None:
            self.greet()
        if self._in_episode:
            self._send("episode_end", {})
        self._send("episode_start", {"task": dict(task)})
        self._in_episode = True

    def ask(self, observation: Mapping[str, Any]) -> int:
        """Send an observation; the number to call `answer` with. Raises SimulationError."""
        return self._send("observation", observation)

    def answer(self, seq: int) -> Mapping[str, Any]:
        """The action for an observation.

        Raises:
            PolicyError: the server's model failed, or the server answered something else.
            SimulationError: it did not answer.
        """
        return self._receive(seq, "action")

    def close(self) -> None:
        """Drop the connection, if there is one."""
        self._socket, self._in_episode = None, False
        self._open.close()

    def _connect(self) -> ClientConnection:
        """Try until `patience` is over."""
        deadline, pause = time.monotonic() + self._patience, FIRST_PAUSE
        while True:
            left = deadline - time.monotonic()
            try:
                connecting = connect(
                    self._url,
                    open_timeout=max(left, 1.0),
                    close_timeout=1.0,
                    compression=None,  # as the harness' own client; pictures hardly shrink
                    max_size=MAX_BYTES,
                    ping_interval=None,  # a model that computes may not answer pings
                    proxy=None,
                )
                return self._open.enter_context(connecting)
            except (OSError, WebSocketException, EOFError) as error:
                if left <= pause:
                    raise SimulationError(
                        f"no vla-eval model server answers at {self._url} ({type(error).__name__}: {error}). Start "
                        "one, or give its address: --policy-arg url=ws://HOST:PORT. Look whether it is up with: "
                        f"curl http://{urlsplit(self._url).netloc}/health"
                    ) from error
            time.sleep(pause)
            pause *= 2

    def _send(self, kind: str, payload: Mapping[str, Any]) -> int:
        """Send a message; its number."""
        if self._socket is None:
            raise SimulationError(f"the connection to {self._url} was lost within the episode.")
        self._seq += 1
        data = pack(Message(kind, payload, self._seq))
        try:
            self._socket.send(data)
        except (OSError, WebSocketException) as error:
            self.close()
            raise SimulationError(f"{self._url} was lost while {kind} was sent ({error}).") from error
        return self._seq

    def _receive(self, seq: int, kind: str) -> Mapping[str, Any]:
        """The payload that answers the message `seq`."""
        if self._socket is None:
            raise SimulationError(f"the connection to {self._url} was lost within the episode.")
        try:
            message = unpack(self._socket.recv(timeout=self._timeout))
        except WireError as error:
            self.close()
            raise PolicyError(f"{self._url} sent {error}.") from error
        except TimeoutError as error:
            self.close()
            raise SimulationError(
                f"{self._url} did not answer within {self._timeout:g} s. For a slower model: "
                "--policy-arg timeout=SECONDS"
            ) from error
        except (OSError, WebSocketException) as error:
            self.close()
            raise SimulationError(f"{self._url} was lost before it answered ({error}).") from error
        if message.kind == "error":
            self.close()
            raise PolicyError(f"{self._url} reports: {message.payload.get('error', message.payload)}")
        if (message.kind, message.seq) != (kind, seq):
            self.close()
            raise PolicyError(f"{self._url} answered with {message.kind} {message.seq}; expected was {kind} {seq}.")
        return message.payload
