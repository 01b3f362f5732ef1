"""A connection to a WebSocket server that is read in the thread that asks, which no other thread has to wake.

The protocol is that of the library `websockets`, without its input and output.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from seer_bench.errors import SimulationError, UsageError
from seer_bench.serving.fragments import Fragments

_PIECE = 1 << 18
"""Bytes that are read at once."""
_SEND_BUFFER = 1 << 22
_TEND_S = 0.1
"""Seconds that a look for pings takes at most, however many there are."""
_LATER = (502, 503, 504)
"""What a proxy says while the server behind it starts, and a server that has too many connections."""


class ConnectionLostError(SimulationError):
    """The connection broke or was closed by the server; `code` is the close code of WebSocket, if there was one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class NoAnswerError(SimulationError):
    """The server is connected, and does not answer in time."""


class RefusedError(SimulationError):
    """The server answers, but does not take the connection: another program, or a token that it does not know."""


class Connection:
    """An open connection; not to be shared by threads.

    Args:
        url: "ws://host:port" or "wss://...".
        token: sent as `Authorization: Api-Key TOKEN`; None sends none.
        timeout: seconds for connecting and for the handshake.
        max_bytes: of a frame that is taken.

    Raises:
        ConnectionLostError: nobody listens, or whoever does hangs up.
        NoAnswerError: the handshake takes too long.
        RefusedError: the handshake is refused.
        UsageError: the URL is none of WebSocket's.
    """

    def __init__(self, url: str, *, token: str | None, timeout: float, max_bytes: int) -> None:
        try:
            uri = parse_uri(url)
        except (InvalidURI, ValueError) as error:  # a port that is none
            raise UsageError(f"url={url}: write ws://HOST:PORT or wss://HOST:PORT.") from error
        self._url = url
        self._protocol = ClientProtocol(uri, max_size=max_bytes)
        self._messages: deque[str | bytes] = deque()
        self._fragments = Fragments()
        until = time.monotonic() + timeout
        try:
            self._socket = socket.create_connection((uri.host, uri.port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # no waiting within a step
            if uri.secure:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=uri.host)
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(
                f"{url}: the server's certificate is not accepted: {error.verify_message}. The variable SSL_CERT_FILE "
                "names certificates to trust."
            ) from error
        except (OSError, UnicodeError) as error:  # TLS that fails included, and names that can be no machine's
            raise ConnectionLostError(f"{url}: cannot connect: {error}.") from error
        try:
            self._shake_hands(token, until)
        except BaseException:
            self._socket.close()
            raise

    @property
    def open(self) -> bool:
        """Whether nothing is known to the contrary."""
        return self._protocol.state is State.OPEN

    @property
    def waiting(self) -> bool:
        """Whether a message has come that nobody has received."""
        return bool(self._messages)

    def send(self, frame: bytes, timeout: float) -> None:
        """Send a binary message; raises ConnectionLostError or NoAnswerError."""
        if self._protocol.state is not State.OPEN:
            raise self._lost()
        self._protocol.send_binary(frame)
        self._socket.settimeout(timeout)
        self._flush()

    def receive(self, timeout: float) -> str | bytes:
        """The next message; raises ConnectionLostError or NoAnswerError."""
        until = time.monotonic() + timeout
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                raise self._lost()
            self._read_until(until)
        return self._messages.popleft()

    def tend(self) -> None:
        """Answer pings that have come while nobody asked; without it a server may hang up on an idle client."""
        until = time.monotonic() + _TEND_S
        try:
            while self._protocol.state is State.OPEN and time.monotonic() < until:
                self._read(0.0)
        except (ConnectionLostError, NoAnswerError):
            return  # the next `send` or `receive` says so

    def close(self) -> None:
        """Say goodbye, if that can be done at once, and hang up."""
        try:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._socket.settimeout(1.0)
                self._flush()
        except SimulationError:
            pass  # it is lost already
        finally:
            self._socket.close()

    def _shake_hands(self, token: str | None, until: float) -> None:
        """Ask for the protocol to be changed from HTTP to WebSocket."""
        request = self._protocol.connect()
        if token is not None:
            request.headers["Authorization"] = f"Api-Key {token}"
        self._protocol.send_request(request)
        self._socket.settimeout(max(until - time.monotonic(), 0.001))
        self._flush()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            self._read_until(until)
        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            body = (error.response.body or b"")[:200].decode(errors="replace").strip()
            said = f"{self._url}: the server refuses: HTTP {status} {body}"
            if status in _LATER:
                raise ConnectionLostError(said)
            raise RefusedError(said)
        if isinstance(error, InvalidHandshake) and not isinstance(error.__cause__, EOFError):
            raise RefusedError(f"{self._url}: what answers there does not speak WebSocket: {error}.")
        if error is not None:
            raise ConnectionLostError(f"{self._url}: the server hung up during the handshake: {error}.")

    def _read_until(self, until: float) -> None:
        """Take what comes next before a time, even where something always comes, such as pings."""
        left = until - time.monotonic()
        if left <= 0:
            raise NoAnswerError(f"{self._url}: the server did not answer in time.")
        self._read(left)

    def _read(self, seconds: float) -> None:
        """Take what comes next, and answer what the protocol itself answers."""
        self._socket.settimeout(seconds)
        try:
            piece = self._socket.recv(_PIECE)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError) as error:
            raise NoAnswerError(f"{self._url}: the server did not answer in time.") from error
        except OSError as error:
            raise ConnectionLostError(f"{self._url}: the connection broke: {error}.") from error
        if piece:
            self._protocol.receive_data(piece)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                if (message := self._fragments.take(event)) is not None:
                    self._messages.append(message)
            elif not isinstance(event, Response):
                raise RefusedError(f"{self._url}: the server asks instead of answering.")
        self._flush()

    def _flush(self) -> None:
        """Send what the protocol has to say."""
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._socket.sendall(data)
        except TimeoutError as error:
            raise NoAnswerError(f"{self._url}: the server did not take what was sent in time.") from error
        except OSError as error:
            if self._protocol.state is State.OPEN:
                raise ConnectionLostError(f"{self._url}: the connection broke: {error}.") from error

    def _lost(self) -> ConnectionLostError:
        """How the connection was closed, in words."""
        close = self._protocol.close_rcvd or self._protocol.close_sent
        if close is None:
            return ConnectionLostError(f"{self._url}: the connection broke.")
        reason = f" ({close.reason})" if close.reason else ""
        return ConnectionLostError(
            f"{self._url}: the connection was closed with code {close.code}{reason}.", close.code
        )
