"""Connections of those who say nothing: they are cut off, so that they keep nobody else out."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_S = 10.0
"""Time for the head of a request, and again for its body."""
MOST_OF_ONE, MOST = 64, 500
"""Connections at once: of one address, of all."""


class Line(H11Protocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        """Take it, unless there are too many."""
        super().connection_made(transport)
        addresses = [other.client[0] for other in self.connections if isinstance(other, Line) and other.client]
        own = addresses.count(self.client[0]) if self.client else 0
        if own > MOST_OF_ONE or len(self.connections) > MOST:
            transport.abort()
            return
        asyncio.get_running_loop().call_later(PATIENCE_S, self._look, None)

    def _look(self, before: object) -> None:
        """Cut the line if no whole head of a request has come since the last look."""
        if self.transport.is_closing():
            return
        if self.cycle is before and (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()
        else:
            asyncio.get_running_loop().call_later(PATIENCE_S, self._look, self.cycle)
