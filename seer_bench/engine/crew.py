"""The worker processes: started, watched, and replaced when they die, hang or eat memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from seer_bench.contracts import Unit
from seer_bench.conventions import FieldSpec
from seer_bench.engine.shared import SharedArray, observation_arrays
from seer_bench.engine.worker import Assignment, Broken, Question, Reply, WorkerSpec, work

_CONTEXT = multiprocessing.get_context("spawn")
_PATIENCE_STEP = 1.0
"""Seconds that one look at a worker may add to its silence: a machine that slept must not look like a hang."""
_KILL_S = 10.0
"""Seconds to wait for a killed process; one that hangs in a driver of the kernel is left behind."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
UNITS_A_PROCESS = 200
"""Units after which a worker is replaced by a fresh process, so that what a simulator leaks stays bounded."""


@dataclass(frozen=True)
class Limits:
    """When a worker is given up."""

    silence: float = 120.0
    """Seconds without a control step while a unit is played and the policy is not being waited for."""
    start: float = 300.0
    """Seconds until the first unit of a process has begun."""
    memory: int | None = None
    """Bytes of resident memory; None for no limit."""
    policy: float = 600.0
    """Seconds that one call of a policy in the main process may take; the session then ends, as nobody can stop it."""


@dataclass(frozen=True)
class Died:
    """A worker ended without an answer; the text says how."""

    how: str


@dataclass(frozen=True)
class Event:
    """Something that a worker said, or `Died`."""

    worker: int
    message: Any
    assignment: Assignment
    """What it was playing."""
    pipe: Connection
    """Where an answer goes; the worker behind a number may be another one by then."""


@dataclass
class _Worker:
    """One process."""

    process: SpawnProcess
    pipe: Connection
    assignment: Assignment | None = None
    played: int = 0
    waiting: bool = False
    """For the policy in the main process."""
    first_beat: int = 0
    """Signs of life in its place before it was started."""
    beats: int = 0
    silence: float = 0.0
    verdict: str | None = None
    """Why it was killed."""


class Crew:
    """A fixed number of workers.

    Args:
        make_spec: what worker i is made from.
        fields: observations that a policy in the main process reads; empty where it lives in the workers.
        count: number of workers.
        limits: when a worker is given up.
    """

    def __init__(
        self, make_spec: Callable[[int], WorkerSpec], fields: Mapping[str, FieldSpec], count: int, limits: Limits
    ) -> None:
        self.observations = observation_arrays(_CONTEXT, fields, count)
        self._make_spec = make_spec
        self._limits = limits
        self._beats = SharedArray(_CONTEXT, (count, 2), "int64")
        self._workers: list[_Worker | None] = [None] * count
        self._lock = threading.Lock()
        """Held while an answer is sent and while a worker is forgotten, so that none reaches a successor."""
        self._steps = 0
        self._looked = time.monotonic()

    @property
    def idle(self) -> list[int]:
        """Workers without a unit."""
        return [i for i, worker in enumerate(self._workers) if worker is None or worker.assignment is None]

    @property
    def playing(self) -> dict[int, Assignment]:
        """What each busy worker plays."""
        return {i: w.assignment for i, w in enumerate(self._workers) if w is not None and w.assignment is not None}

    def assign(self, index: int, unit: Unit, attempt: int) -> None:
        """Let an idle worker play a unit; its process is started when there is none."""
        worker = self._workers[index]
        if worker is not None and (worker.played >= UNITS_A_PROCESS or worker.verdict or not worker.process.is_alive()):
            self._end(index)
            worker = None
        if worker is None:
            worker = self._workers[index] = self._start(index)
        worker.assignment, worker.silence, worker.waiting = Assignment(unit, attempt), 0.0, False
        worker.played += 1
        try:
            worker.pipe.send(worker.assignment)
        except OSError:
            worker.verdict = worker.verdict or "could not be reached"  # its death is reported by the next wait

    def wait(self, timeout: float) -> Iterator[Event]:
        """What busy workers said within `timeout` seconds, and the deaths among them."""
        pipes = {w.pipe: i for i, w in enumerate(self._workers) if w is not None and w.assignment is not None}
        for ready in wait(list(pipes), timeout):
            assert isinstance(ready, Connection)  # noqa: S101 - only pipes were waited for
            yield self._receive(pipes[ready])
        self._look()

    def new_steps(self) -> int:
        """Control steps taken since the last call."""
        before, self._steps = self._steps, int(self._beats.array[:, 0].sum())
        return self._steps - before

    def answer(self, index: int, pipe: Connection, reply: Reply) -> None:
        """Answer worker `index`, whose silence counts again; nothing is done if it has been replaced since it asked."""
        with self._lock:
            worker = self._workers[index]
            if worker is not None and worker.pipe is pipe:
                worker.waiting, worker.silence = False, 0.0
                with suppress(OSError):  # it has just died, which the next wait reports
                    pipe.send(reply)

    def close(self) -> None:
        """Kill every worker; what they were playing is abandoned."""
        for worker in self._workers:
            if worker is not None:
                worker.process.kill()
        for index in range(len(self._workers)):
            self._end(index)

    def _start(self, index: int) -> _Worker:
        """Spawn a process."""
        ours, theirs = _CONTEXT.Pipe()
        arguments = (self._make_spec(index), self.observations, self._beats, theirs)
        process = _CONTEXT.Process(target=work, args=arguments, name=f"seer-bench worker {index}", daemon=True)
        with one_thread(), _blocked_interrupts():
            process.start()
        theirs.close()  # so that the death of the process closes the pipe
        return _Worker(process, ours, first_beat=self._count(index), beats=self._count(index))

    def _receive(self, index: int) -> Event:
        """One message of a worker, or its death."""
        worker = self._workers[index]
        assert worker is not None  # noqa: S101 - the caller waited for it
        assert worker.assignment is not None  # noqa: S101 - as above
        assignment, pipe = worker.assignment, worker.pipe
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            return Event(index, Died(self._bury(index)), assignment, pipe)
        if isinstance(message, Question):
            worker.waiting = True
        else:
            worker.assignment = None
        if isinstance(message, Broken):
            self._end(index)
        return Event(index, message, assignment, pipe)

    def _bury(self, index: int) -> str:
        """How a dead worker ended; its place is free again."""
        worker = self._workers[index]
        assert worker is not None  # noqa: S101 - the caller has just heard of it
        lived = self._count(index) - worker.first_beat
        self._end(index)
        code = worker.process.exitcode
        how = worker.verdict or (f"ended by {_signal_name(-code)}" if code and code < 0 else f"exit code {code}")
        return f"the worker {how}, {lived} steps after its start"

    def _end(self, index: int) -> None:
        """Kill a worker if it is there, and forget it."""
        worker = self._workers[index]
        if worker is not None:
            worker.process.kill()
            worker.process.join(_KILL_S)
            with self._lock:
                self._workers[index] = None
                worker.pipe.close()

    def _look(self) -> None:
        """Kill what is silent for too long, or uses too much memory; the closed pipe then tells."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, _PATIENCE_STEP), now
        for index, worker in enumerate(self._workers):
            if worker is None or worker.assignment is None or worker.verdict is not None:
                continue
            beats = self._count(index)
            alive = worker.waiting or beats != worker.beats
            worker.silence = 0.0 if alive else worker.silence + passed
            started, worker.beats = beats > worker.first_beat, beats
            limit = self._limits.silence if started else self._limits.start
            if worker.silence > limit:
                worker.verdict = f"was killed: no control step for {limit:.0f} s"
            elif self._limits.memory is not None and (used := _resident(worker.process.pid)) > self._limits.memory:
                worker.verdict = f"was killed: it used {used / 1e9:.2f} GB, --worker-memory allows less"
            if worker.verdict is not None:
                worker.process.kill()

    def _count(self, index: int) -> int:
        """Signs of life in a worker's place, since the crew was made."""
        return int(self._beats.array[index].sum())


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started within compute with one thread each; there is one for every core."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Processes started within never see Ctrl-C or SIGTERM, not even before their first line; ours decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _resident(pid: int | None) -> int:
    """Bytes of resident memory of a process; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _signal_name(number: int) -> str:
    """E.g. "signal 11 (SIGSEGV)"."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
