"""One writer a run directory."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
from pathlib import Path

from seer_bench.errors import RunLockedError, StoreError
from seer_bench.store._files import cannot_write

LOCK = ".lock"
_LOOK_S = 0.1
"""Far longer than `is_being_written` takes to look."""


class RunLock:
    """An exclusive `flock` on `<run>/.lock`; the kernel frees it when the holder ends, however it ends."""

    def __init__(
        self, run: Path, *, role: str = "", advice: str = "Wait until it ends, or choose another --out."
    ) -> None:
        """Take the lock.

        Args:
            run: the directory; it need not be that of a run.
            role: what the holder is, for whoever comes second, e.g. "the web console".
            advice: what whoever comes second should do.

        Raises:
            RunLockedError: another process holds it; its pid and host are named.
            StoreError: the file system refuses.
        """
        self._fd = -1
        lock = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _let_go(lock()))
        path = run / LOCK
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "role": role}
        try:
            _lock(self._fd, run, advice)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(holder).encode(), 0)
        except OSError as error:
            self.release()
            raise cannot_write(path, error) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in; nothing happens where that was done before."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def is_being_written(run: Path) -> bool:
    """Whether a process writes to the run directory at this moment; nothing is written, and nobody is kept waiting."""
    try:
        fd = os.open(run / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks has no writers either
        return False
    finally:
        os.close(fd)
    return False


def _let_go(lock: RunLock | None) -> None:
    """In a forked child: close its copy of the file, which would keep the lock for as long as the child lives."""
    if lock is not None:
        lock.release()


def _lock(fd: int, run: Path, advice: str) -> None:
    """Lock an open file or say who holds it."""
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)  # it may have been `is_being_written` that looked in this very moment
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunLockedError(f"{run}: {_holder(fd)} is writing to it. {advice}") from error
    except OSError as error:
        raise StoreError(
            f"{run}: its file system gives no locks ({error.strerror}), so two writers could not be told apart. "
            "Choose an --out on another file system."
        ) from error


def _holder(fd: int) -> str:
    """Who wrote the lock file."""
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        process = f"process {holder['pid']} on {holder['host']}"
        return f"{holder['role']} ({process})" if holder.get("role") else process
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
