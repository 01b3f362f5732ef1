"""Messages of WebSocket, which may come in several frames."""

from __future__ import annotations

from websockets.frames import Frame, Opcode


class Fragments:
    """Puts messages together from frames."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._text = False

    def take(self, frame: Frame) -> bytes | str | None:
        """The message that this frame ends, if it does."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._parts, self._text = [bytes(frame.data)], frame.opcode is Opcode.TEXT
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return None
        if not frame.fin:
            return None
        parts, self._parts = self._parts, []
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        return whole.decode(errors="replace") if self._text else whole
