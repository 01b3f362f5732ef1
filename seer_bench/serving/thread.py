"""The thread that a policy lives in, asked from an event loop with as little in between as can be."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_CLOSE_S = 5.0
"""Seconds that `close` waits for the call that the policy is in."""


class PolicyThread:
    """Calls functions one after another, in the order in which they were asked for.

    Args:
        prepare: called first, in the thread.
    """

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(prepare,), name="policy", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """What `function(*arguments)` will return or raise."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            try:
                result, error = function(*arguments), None
            except Exception as raised:
                result, error = None, raised
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(_settle, answer, result, error)

        self._orders.put(work)
        return answer

    def close(self) -> bool:
        """End after what was asked for; False where that takes too long, and the thread is left behind."""
        self._orders.put(None)
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _run(self, prepare: Callable[[], None]) -> None:
        """Work until closed."""
        prepare()
        while (work := self._orders.get()) is not None:
            work()


def _settle(answer: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    """Give an answer, unless whoever asked has gone."""
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
