"""Writing to a run directory: one process at a time, every result on the disk before the next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import StoreError
from seer_bench.store._files import cannot_write, sync_directory, temporary, write_atomic
from seer_bench.store._json import dump_file
from seer_bench.store._lock import LOCK, RunLock
from seer_bench.store.actions import ACTIONS, write_actions
from seer_bench.store.manifest import MANIFEST, Manifest, check_same_run, read_manifest
from seer_bench.store.records import UNITS, prefer, read_records, to_line
from seer_bench.store.sessions import SESSIONS, Session, new_session, read_sessions, write_session


class RunWriter:
    """The only writer of a run directory; a context manager, made by `RunWriter.open`."""

    path: Path
    manifest: Manifest
    """As the directory holds it: from the first start of the run."""
    recorded: dict[str, UnitResult]
    """The standing result of each unit, by id; `append` keeps it up to date."""
    problems: tuple[str, ...]
    """What could not be used when the directory was opened, in words."""

    def __init__(self, path: Path, manifest: Manifest, lock: RunLock) -> None:
        """Take over a directory that `open` checked and locked."""
        self.path = path
        self.manifest = read_manifest(path)
        self._simulation = manifest.simulation
        self._lock = lock
        self._session: Session | None = None
        self._units = path / UNITS
        self._fd = os.open(self._units, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            records = read_records(self._units)
            self.recorded, self._attempts = records.results, records.attempts
            self.problems, self._end = records.problems, records.end
            os.ftruncate(self._fd, self._end)
            os.fsync(self._fd)
            for folder in (SESSIONS, ACTIONS):
                (path / folder).mkdir(exist_ok=True)
            sync_directory(path)
        except BaseException:
            os.close(self._fd)
            raise

    @classmethod
    def open(cls, path: Path, manifest: Manifest, *, allow_mixed: bool = False) -> RunWriter:
        """Make a run directory, or continue the one that is there.

        A torn last line is cut off, and nothing else is ever removed.

        Args:
            path: the run directory; parents are made.
            manifest: the run that is asked for.
            allow_mixed: continue although the simulation fingerprint differs.

        Raises:
            RunMismatchError: the directory holds another run; it is left untouched.
            RunLockedError: another process writes to it.
            DamagedRecordError: its manifest cannot be read, or its records contradict one another.
            StoreError: it holds files of something else, or cannot be written.
        """
        _refuse_foreign(path)
        if (path / MANIFEST).exists():
            check_same_run(manifest, read_manifest(path), path, allow_mixed=allow_mixed)
        try:
            path.mkdir(parents=True, exist_ok=True)
            sync_directory(path.parent)
            lock = RunLock(path)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            if (path / MANIFEST).exists():  # made by another process since the first look
                check_same_run(manifest, read_manifest(path), path, allow_mixed=allow_mixed)
            else:
                write_atomic(path / MANIFEST, dump_file(manifest.to_json()))
            return cls(path, manifest, lock)
        except OSError as error:
            lock.release()
            raise cannot_write(Path(error.filename or path), error) from error
        except BaseException:
            lock.release()
            raise

    def attempts(self, unit_id: str) -> int:
        """The number of the last recorded attempt at a unit; 0 when there was none."""
        return self._attempts.get(unit_id, 0)

    def start_session(self, facts: Mapping[str, Any]) -> str:
        """Record this start of the command and the facts of its machine (JSON values); the session's id.

        Raises:
            StoreError: a fact is not JSON, or the file cannot be written.
        """
        before, _ = read_sessions(self.path)
        number = 1 + max((session.number for session in before), default=0)
        session = new_session(number, self._simulation, facts)
        write_session(self.path, session)
        self._session = session
        return session.id

    def end_session(self, session: str, *, reason: str) -> None:
        """Record when and why a session ended; leaving the context does it for a session that is still open.

        Raises:
            StoreError: the file cannot be written.
        """
        if self._session is not None and self._session.id == session:
            write_session(self.path, self._session.end(reason))
            self._session = None

    def append(self, result: UnitResult, actions: Array | None) -> None:
        """Record one attempt: the actions first, then its line; both are on the disk when this returns.

        Args:
            result: the attempt.
            actions: what was executed, floating (T, dim); None exactly where `result.actions_sha256` is None.

        Raises:
            DamagedRecordError: another outcome of the unit is recorded already.
            StoreError: it cannot be written (e.g. a full disk), or the actions are not those of the result.
                The file is as it was before, and appending may be tried again.
        """
        if self._fd < 0:
            raise StoreError(f"{self.path}: the writer is closed.")
        line = to_line(result)
        standing = self._standing(result)
        if (actions is None) != (result.actions_sha256 is None):
            raise StoreError(f"unit '{result.unit_id}': actions and actions_sha256 must both be given or both be None.")
        if actions is not None:
            write_actions(self.path, result, actions)
        self._write(line.encode("ascii") + b"\n")
        self.recorded[result.unit_id] = standing
        self._attempts[result.unit_id] = max(result.attempt, self.attempts(result.unit_id))

    def close(self) -> None:
        """Free the lock; the directory may be written by others from now on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._lock.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # An error on its way out matters more than a session file that the same full disk refuses.
            with contextlib.suppress(StoreError) if kind else contextlib.nullcontext():
                if self._session is not None:
                    self.end_session(self._session.id, reason=kind.__name__ if kind else "finished")
        finally:
            self.close()

    def _standing(self, result: UnitResult) -> UnitResult:
        """The unit's result once `result` is recorded; refused before its actions could replace recorded ones."""
        before = self.recorded.get(result.unit_id)
        if before is None:
            return result
        return prefer(before, result, where_a=str(self._units), where_b="the new attempt")

    def _write(self, data: bytes) -> None:
        """Append whole bytes or none."""
        try:
            try:
                self._check_place()
                os.ftruncate(self._fd, self._end)
                written = 0
                while written < len(data):
                    written += os.pwrite(self._fd, data[written:], self._end + written)
                os.fsync(self._fd)
            except BaseException:
                with contextlib.suppress(OSError):  # a rest that stays is cut off before the next write
                    os.ftruncate(self._fd, self._end)
                raise
        except OSError as error:
            raise cannot_write(self._units, error) from error
        self._end += len(data)

    def _check_place(self) -> None:
        """Refuse to write on into a file that was removed or replaced, where nobody would find it."""
        if not self._units.exists() or not os.path.samestat(os.fstat(self._fd), self._units.stat()):
            raise StoreError(
                f"{self._units}: was removed or replaced while it was written. What it held is in the hands of whoever "
                "did that; put it back, and repeat the same command: it plays what is missing."
            )


def _refuse_foreign(path: Path) -> None:
    """Refuse a path that is no directory, or a directory that holds something else than a run or lies in one."""
    for folder in path.absolute().parents:
        if (folder / MANIFEST).exists() and (folder / UNITS).exists():
            raise StoreError(
                f"{path}: lies in {folder}, which is a run of its own, so that nothing would find it there. Choose "
                "another --out; shards and a whole run do not share one."
            )
    try:
        if not path.exists() or (path / MANIFEST).exists():
            return
        ours = {LOCK, temporary(path / MANIFEST).name}  # left by a start that was killed
        names = sorted(child.name for child in path.iterdir() if child.name not in ours)
    except NotADirectoryError as error:
        raise StoreError(f"{path}: is a file, not a run directory. Choose another --out.") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}. Choose another --out.") from error
    if names:
        raise StoreError(
            f"{path}: is not empty and no run directory (no {MANIFEST}); it holds {', '.join(names[:3])}"
            f"{' ...' if len(names) > 3 else ''}. Choose another --out."
        )
