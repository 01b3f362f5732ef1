"""The log of a campaign: one line a key press, on the disk before anything else happens.

Every line holds the hash of the line before and its own, the first one that of the plan: a line that was altered,
removed or put in between is named. A last line without its newline was never acknowledged to anybody, so it is
dropped. What a chain of hashes cannot show is a log that was cut at the end or written anew as a whole; against that
helps the head, the hash of the last line, which `seer-bench real status` prints and paper keeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from seer_bench.errors import DamagedRecordError, StoreError

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    number: int
    """Line, from 1."""
    at: str
    """Wall clock, ISO 8601 in UTC with milliseconds; shown and never computed with."""
    t: float
    """Seconds on a steady clock since the console was opened; durations are differences of these."""
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """What a log holds."""

    events: tuple[Event, ...]
    head: str
    """Hash of the last line; of the plan where there is none."""
    end: int
    """Bytes up to and including the last newline."""
    torn: int
    """Bytes behind it: a line that was being written when the power went."""


def read_events(path: Path, genesis: str) -> History:
    """Read a log, also while somebody writes to it; a missing one is empty.

    Args:
        path: the log.
        genesis: what the first line follows, the sha256 of the campaign's plan.

    Raises:
        DamagedRecordError: a line was altered, removed or inserted; the first such line is named.
        StoreError: the file cannot be read.
    """
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}.") from error
    *lines, torn = data.split(b"\n")
    events: list[Event] = []
    head = genesis
    for number, line in enumerate(lines, start=1):
        event, head = _parse(line, head, number, f"{path}, line {number}")
        events.append(event)
    return History(tuple(events), head, len(data) - len(torn), len(torn))


class EventLog:
    """The only writer of a log. The caller holds the campaign's lock."""

    def __init__(self, path: Path, genesis: str) -> None:
        """Read what is there and cut off a torn last line; raises as `read_events`."""
        self.history = read_events(path, genesis)
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.ftruncate(self._fd, self.history.end)
            os.fsync(self._fd)
            _sync_folder(path.parent)
        except OSError as error:
            raise _refused(path, error) from error

    def prepare(self, kind: str, t: float, data: Mapping[str, Any]) -> Event:
        """The event that `append` would write; nothing is written."""
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Event(len(self.history.events) + 1, at, round(t, 3), kind, dict(data))

    def append(self, event: Event) -> None:
        """Write an event that `prepare` made; it is on the disk when this returns.

        Raises:
            StoreError: it could not be written, e.g. because the disk is full, or is not JSON. The log is as before.
        """
        try:
            line, head = _line(event, self.history.head)
        except (TypeError, ValueError) as error:
            raise StoreError(f"'{event.kind}' cannot be written as JSON ({error}). Nothing was recorded.") from error
        try:
            self._write(line)
        except OSError as error:
            raise _refused(self._path, error) from error
        before = self.history
        self.history = History((*before.events, event), head, before.end + len(line), 0)

    def close(self) -> None:
        """Give the file back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        """Append whole bytes or none."""
        end = self.history.end
        try:
            if not os.path.samestat(os.fstat(self._fd), self._path.stat()):
                raise OSError(0, "the file was replaced by another one")
            os.ftruncate(self._fd, end)
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], end + written)
            os.fsync(self._fd)
        except BaseException:
            with contextlib.suppress(OSError):  # a rest that stays is cut off before the next write
                os.ftruncate(self._fd, end)
            raise


def _line(event: Event, before: str) -> tuple[bytes, str]:
    """An event as a line with its newline, and its hash."""
    body = {"n": event.number, "at": event.at, "t": event.t, "kind": event.kind, "data": dict(event.data)}
    tree = {**body, "prev": before}
    digest = hashlib.sha256(_dump(tree)).hexdigest()
    return _dump({**tree, "hash": digest}) + b"\n", digest


def _parse(line: bytes, before: str, number: int, where: str) -> tuple[Event, str]:
    """The event of a line and its hash; the line before has the hash `before`."""
    try:
        tree = json.loads(line)
        digest = tree.pop("hash")
        event = Event(tree["n"], tree["at"], tree["t"], tree["kind"], tree["data"])
        sound = hashlib.sha256(_dump(tree)).hexdigest() == digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedRecordError(f"{where}: is no event ({type(error).__name__}: {error}). {_ALTERED}") from error
    if not sound:
        raise DamagedRecordError(f"{where}: its contents do not have the hash that it was written with. {_ALTERED}")
    if tree["prev"] != before or event.number != number:
        raise DamagedRecordError(
            f"{where}: does not follow what stands before it: a line was removed or put in between, or the log is of "
            f"another campaign. {_ALTERED}"
        )
    return event, digest


_ALTERED = "The log was altered after it was written; restore it from a copy. Nothing is derived from it as it is."


def _dump(tree: object) -> bytes:
    """JSON on one line, the same bytes for the same tree."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _refused(path: Path, error: OSError) -> StoreError:
    """What to say when the operating system refuses a write."""
    return StoreError(
        f"{path}: not recorded: {error.strerror or error}. Everything pressed before is on the disk and nothing has "
        "changed; mend the cause (e.g. make room) and press again."
    )
