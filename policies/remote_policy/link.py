"""The way to a server: connecting, and connecting again."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from seer_bench import SimulationError, UsageError
from seer_bench.serving.codec import unpack
from seer_bench.serving.connection import Connection, ConnectionLostError, NoAnswerError, RefusedError
from seer_bench.serving.metadata import PlainServer, ServedPolicy, read_metadata

from .options import RemoteOptions

_MAX_BYTES = 64 << 20
"""Of one frame that a server sends."""
_HOPELESS = {1002, 1003, 1007, 1008, 1009, 1010}
"""Close codes that say: what was sent will never be taken."""
_PAUSE_S = 0.2
_TEND_S = 5.0
"""Seconds between two looks for pings on an idle connection."""
_FAREWELL_S = 2.0


class Link:
    """A connection that is replaced where it breaks, and the metadata that every one of them has to show.

    Raises:
        SimulationError: nobody answers within `options.wait` seconds, or what answers is no such server.
        UsageError: the server refuses, e.g. for want of a token.
    """

    def __init__(self, options: RemoteOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._connection: Connection | None = None
        self.server: ServedPolicy | PlainServer | None = None
        self.connections = 0
        """How many there have been."""
        try:
            self._connected()
        except RefusedError as error:
            raise UsageError(f"{error} Is url= right, and SEER_BENCH_REMOTE_TOKEN?") from error
        threading.Thread(target=self._tend, name="remote-pings", daemon=True).start()

    def ask(self, frame: bytes, *, again: bool) -> str | bytes:
        """Send a frame and wait for the answer.

        Args:
            frame: what is asked.
            again: the server knows a repeated question; send it over a new connection where one broke. Otherwise a
                new connection is made only for what has not been sent at all.

        Raises:
            ConnectionLostError: the connection broke, and the question may have arrived.
            NoAnswerError: there is no answer in time; one that comes later is not read.
            SimulationError: nobody answers any more, or another policy does.
        """
        with self._lock:
            until, pause = time.monotonic() + self._options.timeout, 0.0
            if self._connection is not None and not again:
                self._connection.tend()  # tells whether it is open still
                if self._connection.waiting:
                    self._drop()  # what came unasked would be taken for the answer
            while True:
                connection = self._connected()
                try:
                    left = max(until - time.monotonic(), 0.001)
                    connection.send(frame, left)
                    return connection.receive(max(until - time.monotonic(), 0.001))
                except NoAnswerError as error:
                    self._drop()
                    raise NoAnswerError(
                        f"{error} Waited {self._options.timeout:.0f} s; see the option timeout=."
                    ) from error
                except ConnectionLostError as error:
                    self._drop()
                    if not again or error.code in _HOPELESS or time.monotonic() > until:
                        raise
                time.sleep(pause)
                pause = _PAUSE_S  # a server may hang up on every question

    def hang_up(self) -> None:
        """Leave the connection; the next question takes a new one."""
        with self._lock:
            self._drop()

    def close(self, farewell: bytes | None = None) -> None:
        """Hang up for good; the last word is said only to a server that is still there."""
        self._closed.set()
        with self._lock:
            try:
                if farewell is not None and self._connection is not None:
                    self._connection.send(farewell, _FAREWELL_S)
                    self._connection.receive(_FAREWELL_S)
            except SimulationError:
                pass  # it will forget by itself
            finally:
                self._drop()

    def _drop(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        """An open connection, tried for as long as the options say."""
        if self._connection is not None and self._connection.open:
            return self._connection
        self._drop()
        until = time.monotonic() + self._options.wait
        while True:
            try:
                self._connection = self._connect(max(until - time.monotonic(), _PAUSE_S))
                self.connections += 1
                return self._connection
            except (ConnectionLostError, NoAnswerError) as error:
                if time.monotonic() + _PAUSE_S > until:
                    raise SimulationError(
                        f"{error} Tried for {self._options.wait:.0f} s. Start the server, e.g. with: seer-bench serve"
                    ) from error
            time.sleep(_PAUSE_S)

    def _connect(self, seconds: float) -> Connection:
        """One attempt, up to the metadata."""
        options = self._options
        connection = Connection(options.url, token=options.token, timeout=seconds, max_bytes=_MAX_BYTES)
        try:
            first = connection.receive(seconds)
            if isinstance(first, str):
                raise SimulationError(f"{options.url}: the server begins with a text, not with metadata: {first[:500]}")
            server = read_metadata(unpack(first))
            if self.server is not None and _identity(server) != _identity(self.server):
                raise SimulationError(f"{options.url}: another policy answers there now than when the run began.")
        except BaseException:
            connection.close()
            raise
        self.server = server
        return connection

    def _tend(self) -> None:
        """Answer pings while nobody asks."""
        while not self._closed.wait(_TEND_S):
            if self._lock.acquire(blocking=False):
                try:
                    if self._connection is not None:
                        self._connection.tend()
                finally:
                    self._lock.release()


def _identity(server: ServedPolicy | PlainServer) -> ServedPolicy | PlainServer:
    """What must not change while a run lasts."""
    return replace(server, instance="") if isinstance(server, ServedPolicy) else server
