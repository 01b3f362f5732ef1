"""Messages of WebSocket, which may come in several frames."""

from __future__ import annotations

from websockets.frames import Frame, Opcode


class Fragments:
    """Puts messages together from frames."""

    def __init__(self) -> None:
        self._begun: bytearray | None = None
        self._text = False

    @property
    def half(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._begun is not None

    def take(self, frame: Frame) -> bytes | str | None:
        """The message that this frame ends, if it does."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
            if frame.fin:
                return self._whole(bytes(frame.data))
            self._begun = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._begun is not None:
            self._begun += frame.data  # not a list of parts: those may be many and empty
            if frame.fin:
                begun, self._begun = self._begun, None
                return self._whole(bytes(begun))
        return None

    def _whole(self, data: bytes) -> bytes | str:
        """The message of its bytes."""
        return data.decode(errors="replace") if self._text else data
