"""A tracker's process: fed through a queue that never makes the run wait, ended where it does not end in time."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Full
from typing import Any

from seer_bench.contracts import UnitResult
from seer_bench.engine.process import blocked_interrupts, computing_threads, die_with, leave_interrupts, signal_name
from seer_bench.store import read_run
from seer_bench.trackers.contract import TrackedRun, Tracker
from seer_bench.trackers.scores import Progress, summarise

SPAWN = multiprocessing.get_context("spawn")
QUEUE = 1000
"""Results that may wait for a tracker; more of them are not sent."""
_EXIT_S = 3.0
"""Seconds for the interpreter to end after the tracker has finished."""
_LONGEST_TEXT = 500
"""Characters of an error's message that are shown."""


class TrackerProcess:
    """One tracker at work, as the main process sees it. Nothing waits while the run goes on.

    Args:
        name: what the user calls it.
        tracker: what is used in the process.
        run: the run to track.
        folder: the process' working directory, where libraries keep files unless told otherwise.
    """

    def __init__(self, name: str, tracker: Tracker, run: TrackedRun, folder: Path) -> None:
        self.name = name
        self._log = run.path / f"tracker-{name}.log"
        self._queue: Queue[Any] = SPAWN.Queue(QUEUE)
        self._queue.cancel_join_thread()  # what nobody takes must not keep the interpreter from ending
        self._ear, mouth = SPAWN.Pipe(duplex=False)
        arguments = (tracker, run, folder, self._queue, mouth, os.getpid(), self._log)
        # Not a daemon in the sense of multiprocessing, which would forbid libraries to use processes.
        self._process = SPAWN.Process(target=_work, args=arguments, name=f"tracker {name}")
        with computing_threads(1), blocked_interrupts():
            self._process.start()
        mouth.close()  # so that its end is seen when the process ends
        atexit.register(self._process.kill)
        self.over = False
        """Nothing more is to be heard of it: it has finished or failed."""
        self._lost = 0

    def send(self, result: UnitResult, progress: Progress) -> None:
        """Hand over an attempt; it is left out where the tracker is far behind or gone."""
        if self.over:
            return
        try:
            self._queue.put_nowait((result, progress))
        except (Full, OSError, RuntimeError):  # the latter where the system gives the queue no thread
            self._lost += 1

    def news(self, until: float = 0.0) -> Iterator[str]:
        """What the user should know that was not told before; waits for its end until `until` (`time.monotonic`)."""
        while not self.over and self._ear.poll(max(0.0, until - time.monotonic())):
            yield from self._hear()

    def ask_to_finish(self, deadline: float, *, complete: bool) -> None:
        """Let it finish after what waits in the queue; `deadline` as `time.monotonic` counts."""
        if not self.over:
            with suppress(Full):
                self._queue.put(complete, timeout=max(0.0, deadline - time.monotonic()))

    def close(self, deadline: float) -> Iterator[str]:
        """Wait for its end, but no longer than until `deadline`, then end it; what the user should know."""
        yield from self.news(until=deadline)
        if not self.over:
            self.over = True
            yield (
                f"{self.name}: it did not finish in time and was ended, so what it holds is incomplete{self._kept()}. "
                "The run directory has everything; the same command sends the final values again."
            )
        if self._lost:
            yield f"{self.name}: it was too slow for {self._lost} of the results, which its curves lack."
        self._process.join(max(0.0, min(deadline - time.monotonic(), _EXIT_S)))
        self._process.kill()
        self._process.join(_EXIT_S)  # one that hangs in the kernel, as on a dead network disk, is left behind
        atexit.unregister(self._process.kill)
        self._ear.close()
        self._queue.close()

    def _hear(self) -> Iterator[str]:
        """Take one message; the first failure is the last thing heard."""
        try:
            kind, text = self._ear.recv()
        except (EOFError, OSError):
            self._process.join(1.0)
            code = self._process.exitcode
            how = signal_name(-code) if code is not None and code < 0 else f"exit code {code}"
            kind, text = "failed", f"its process ended: {how}"
        if kind == "place":
            if text:
                yield f"{self.name}: {text}"
            return
        self.over = True
        if kind == "failed":
            yield f"{self.name}: {text}{self._kept()}. Nothing more is sent to it; the run is not affected."
        else:
            with suppress(OSError):
                self._log.unlink()

    def _kept(self) -> str:
        """Where to read what it printed, if it did."""
        with suppress(OSError):
            if self._log.stat().st_size:
                return f" (more in {self._log})"
            self._log.unlink()
        return ""


def _work(
    tracker: Tracker, run: TrackedRun, folder: Path, queue: Queue[Any], mouth: Connection, parent: int, log: Path
) -> None:
    """Use the tracker until the run ends; a result is a pair, the end whether all of it was played."""
    die_with(parent)
    leave_interrupts()
    try:
        _print_to(log)
        os.chdir(folder)
        mouth.send(("place", tracker.start(run) or ""))
        while not isinstance(message := queue.get(), bool):
            tracker.result(*message)
        tracker.finish(summarise(read_run(run.path), complete=message))
        mouth.send(("done", ""))
    except Exception as error:
        traceback.print_exc()
        mouth.send(("failed", _in_words(error)))
        os._exit(1)  # a library whose server is away may wait for it when the interpreter ends


def _print_to(log: Path) -> None:
    """Send everything that is printed, by programs too, to a file: the terminal belongs to the run."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for number in (1, 2):
        os.dup2(fd, number)
    os.close(fd)


def _in_words(error: Exception) -> str:
    """Type and message of an error, on one line of bearable length."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " ..."
