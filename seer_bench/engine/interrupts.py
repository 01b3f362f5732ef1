"""Ctrl-C and SIGTERM as a word to be asked for, instead of an exception at any line."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Interrupts:
    """While it is entered, an interrupt is only noted: nothing is torn while records are written or workers end.

    Signals that the process ignores, or that would end it without a word, are left as they are; so is everything where
    it is not entered by the main thread, which alone may handle signals.
    """

    def __init__(self) -> None:
        self.came = False
        """Whether there was an interrupt."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(before := signal.getsignal(number)):
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, *_: object) -> None:
        """An interrupt came."""
        self.came = True
