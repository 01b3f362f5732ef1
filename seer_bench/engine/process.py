"""What processes of ours are started with, and what the system knows about them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1
_LONGEST_LOOK = 1.0
"""Seconds that one look may count."""


class Looks:
    """Time by regular looks at what is watched: a machine or a process that was stopped must not look like a hang."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def passed(self) -> float:
        """Seconds since the last look, but not many."""
        before, self._last = self._last, time.monotonic()
        return min(self._last - before, _LONGEST_LOOK)


@contextmanager
def computing_threads(count: int) -> Iterator[None]:
    """Processes started within compute with so many threads each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def blocked_interrupts() -> Iterator[None]:
    """Processes started within see no Ctrl-C or SIGTERM before they call `leave_interrupts`."""
    resource_tracker.ensure_running()  # else starting the first process starts it, which unblocks these signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def resident(pid: int | None) -> int:
    """Bytes of resident memory of a process; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def signal_name(number: int) -> str:
    """E.g. "signal 11 (SIGSEGV)"."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def die_with(parent: int) -> None:
    """End when the main process ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call above; elsewhere the closed line ends the worker
        sys.exit(1)


def leave_interrupts() -> None:
    """Do nothing on Ctrl-C and SIGTERM, which reach the whole process group: the main process decides.

    They are handled and not ignored, because programs that are started from here would go on ignoring them.
    """
    for number in _INTERRUPTS:
        signal.signal(number, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)


def _do_nothing(*_: object) -> None:
    """Handle a signal."""
