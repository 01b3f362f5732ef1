"""A client's connection to the server, read and written without ever waiting for it.

The protocol is that of the library `websockets`, without its input and output.
"""

from __future__ import annotations

import math
import selectors
import socket
import time
import uuid
from collections import deque

from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from seer_bench.serving.fragments import Fragments
from seer_bench.serving.messages import PlainEpisode

_PIECE = 1 << 18
"""Bytes that are read at once."""
_HANDSHAKE_S = 10.0
_MESSAGE_S = 60.0
"""Seconds that a message may take to come in, or an answer to go out."""
_CLOSE_S = 5.0
"""Seconds that a client has to answer a farewell."""


class Peer:
    """A client that is connected.

    Args:
        connection: just accepted.
        max_bytes: of a message that is taken.
    """

    def __init__(self, connection: socket.socket, max_bytes: int) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a machine that is gone is noticed
        self.socket = connection
        # A browser names an origin: no web page may talk to a server on the reader's own machine.
        self.protocol = ServerProtocol(origins=[None], max_size=max_bytes)
        self.client: str | None = None
        """Of ours, that speaks here."""
        self.plain = PlainEpisode(f"connection-{uuid.uuid4()}")
        self.request: Request | None = None
        """That has not been answered yet."""
        self.messages: deque[bytes | str] = deque()
        """That have not been looked at yet."""
        self.asked = False
        """Whether an answer is being made."""
        self.watched = 0
        """What a selector watches for."""
        self._fragments = Fragments()
        self._unsent: deque[bytes] = deque()
        self._broken = False
        self._until = time.monotonic() + _HANDSHAKE_S

    @property
    def open(self) -> bool:
        """Whether it can be talked to."""
        return self.protocol.state is State.OPEN and not self._broken

    @property
    def ready(self) -> bool:
        """Whether the next message may be looked at: one at a time, and only for those who take their answers."""
        return bool(self.messages) and not self.asked and not self._unsent and self.open

    @property
    def wants(self) -> int:
        """What a selector is to watch for; 0 where the connection is over."""
        if self._broken or self.protocol.state is State.CLOSED:
            return 0
        if self._unsent:
            return selectors.EVENT_WRITE if self.open else selectors.EVENT_READ | selectors.EVENT_WRITE
        return 0 if self.messages and self.open else selectors.EVENT_READ

    @property
    def over(self) -> bool:
        """Whether nothing more comes or goes."""
        return self._broken or self.protocol.state is State.CLOSED or time.monotonic() > self._until

    def read(self) -> None:
        """Take what has come."""
        try:
            piece = self.socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._broken = True
            return
        if piece:
            self.protocol.receive_data(piece)
        else:
            self.protocol.receive_eof()
        events = self.protocol.events_received()
        for event in events:
            if isinstance(event, Request):
                self.request = event
            elif isinstance(event, Frame) and (message := self._fragments.take(event)) is not None:
                self.messages.append(message)
        self._flush(half=not events or self._fragments.half)

    def send(self, message: bytes | str) -> None:
        """Send a message, unless the connection is closing."""
        if not self.open:
            return
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self.flush()

    def leave(self, code: int, reason: str) -> None:
        """Say goodbye with a close code of WebSocket's."""
        if self.open:
            self.protocol.send_close(code, reason)
            self._until = time.monotonic() + _CLOSE_S
            self.flush()

    def flush(self) -> None:
        """Go on with what could not be sent at once."""
        self._flush()

    def _flush(self, *, half: bool = False) -> None:
        """Send what is to be sent, as far as that can be done at once; `half` of a message has come in."""
        self._unsent.extend(self.protocol.data_to_send())
        try:
            while self._unsent:
                data = self._unsent[0]
                if data:
                    sent = self.socket.send(data)
                else:
                    sent = 0
                    self.socket.shutdown(socket.SHUT_WR)
                if sent < len(data):
                    self._unsent[0] = data[sent:]
                else:
                    self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._broken = True
        self._set_limit(half=half or bool(self._unsent))

    def _set_limit(self, *, half: bool) -> None:
        """Until when something must have happened; an open connection with nothing under way may stay idle."""
        state = self.protocol.state
        if state is State.OPEN and not half:
            self._until = math.inf
        elif state is not State.CONNECTING and self._until == math.inf:
            self._until = time.monotonic() + (_MESSAGE_S if state is State.OPEN else _CLOSE_S)
