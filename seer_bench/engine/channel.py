"""Messages between the main process and a worker."""

from __future__ import annotations

import pickle
import socket
from typing import Any

_AT_ONCE = 1 << 16
"""Bytes that one read asks for."""
_LENGTH = 4
"""Bytes in front of a message that say how long it is."""


class Channel:
    """One end of a line between two processes of ours; it may be passed to a process that is being spawned.

    The two ends take turns: whoever has sent a message waits for one. The other end may be killed or stopped at any
    moment, so that `read` takes what has come and never waits for the rest of a message.

    Args:
        end: a connected stream socket; with a timeout, `send` raises TimeoutError instead of waiting longer for an
            end that does not read.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._came = bytearray()

    def fileno(self) -> int:
        """For `select`."""
        return self._end.fileno()

    def send(self, message: object) -> None:
        """Send a message; raises OSError where the other end is gone, or does not read for too long."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._end.sendall(len(data).to_bytes(_LENGTH, "little") + data)

    def read(self) -> Any | None:
        """Read once; the message if it is whole now, else None. It waits only where nothing at all has come.

        Raises:
            EOFError, OSError: the other end is gone.
        """
        data = self._end.recv(_AT_ONCE)
        if not data:
            raise EOFError
        self._came += data
        if len(self._came) < _LENGTH + int.from_bytes(self._came[:_LENGTH], "little"):
            return None
        message, self._came = bytes(self._came[_LENGTH:]), bytearray()
        return pickle.loads(message)  # noqa: S301 - from a process that this program has started

    def receive(self) -> Any:
        """Wait for a whole message; raises as `read` does."""
        while (message := self.read()) is None:
            pass
        return message

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def channel_pair(patience: float) -> tuple[Channel, Channel]:
    """Both ends of a line: ours, which sends for at most `patience` seconds, and the one for a worker."""
    ours, theirs = socket.socketpair()
    ours.settimeout(patience)
    return Channel(ours), Channel(theirs)
