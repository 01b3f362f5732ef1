"""Writing files that are either whole or absent, whatever happens on the way."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timezone
from pathlib import Path

from seer_bench.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


def utc_now() -> str:
    """The time as ISO 8601 in UTC, to the second: "2031-05-06T07:08:09Z"."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk and rename; `path` never holds half a file.

    Raises:
        StoreError: the operating system refuses, e.g. a full disk; what was at `path` before is still there.
    """
    beside = temporary(path)
    try:
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            sync_directory(path.parent)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def temporary(path: Path) -> Path:
    """The name under which `path` is written before it is whole. Writers hold the run's lock, so one is enough."""
    return path.with_name(f".{path.name}.tmp")


def sync_directory(path: Path) -> None:
    """Make new names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_bytes(path: Path) -> bytes:
    """The contents of a file.

    Raises:
        StoreError: it is missing or the operating system refuses.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error


def cannot_read(path: Path, error: OSError) -> StoreError:
    """What to say when the operating system refuses to read."""
    return StoreError(f"{path}: cannot be read: {error.strerror or error}.")


def cannot_write(path: Path, error: OSError) -> StoreError:
    """What to say when the operating system refuses a write."""
    if error.errno in _FULL:
        advice = (
            "Everything recorded before is intact. Make room and repeat the same command: it continues where it "
            "stopped."
        )
    elif error.errno in _FORBIDDEN:
        advice = "It is not writable for you: change its permissions, or choose another --out."
    else:
        advice = "Choose another --out, or repeat the same command when the reason is gone."
    return StoreError(f"{path}: cannot be written: {error.strerror or error}. {advice}")
