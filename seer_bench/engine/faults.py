"""Whose fault an exception is, and how it is worded."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable
from typing import TypeVar

from seer_bench.errors import PolicyError, SimulationError

T = TypeVar("T")

_LONGEST = 10_000
"""Characters of a text that are kept: an error may hold a whole array, and every record is one line."""


class Leave(BaseException):
    """Leaves `play` at once, and is no fault of the policy through whose call it passes."""


def ask(question: Callable[[], T]) -> T:
    """Call the policy; whatever it raises is its own fault, except what it says is not, and running out of memory."""
    try:
        return question()
    except (PolicyError, SimulationError, MemoryError, Leave):
        raise
    except BaseException as error:  # e.g. SystemExit, or a task of asyncio that was cancelled
        if isinstance(error, KeyboardInterrupt) and _ctrl_c_raises():
            raise
        text = describe(error)
        if type(error).__name__ == "OutOfMemoryError":  # of torch, which the harness does not import
            raise MemoryError(text) from error
        raise PolicyError(text) from error


def _ctrl_c_raises() -> bool:
    """Whether Ctrl-C is an exception here: not in a worker, nor in a thread of the main process."""
    here_it_would = threading.current_thread() is threading.main_thread()
    return here_it_would and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def describe(error: BaseException) -> str:
    """Class and text of an error, even of one whose text cannot be made."""
    try:
        return shorten(f"{type(error).__name__}: {error}")
    except Exception:
        return f"{type(error).__name__}, whose text cannot be made"


def trace_of(error: BaseException) -> str:
    """Where an error came from."""
    return shorten("".join(traceback.format_exception(error)))


def shorten(text: str) -> str:
    """The text, or both ends of a long one."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters left out ...] {text[-half:]}"
