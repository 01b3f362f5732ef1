"""The worker processes: started, watched, and replaced when they die, hang or eat memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from seer_bench.engine.channel import Channel, channel_pair
from seer_bench.engine.inference import Inference, Line
from seer_bench.engine.messages import Assignment, Broken, Finished, Requeued
from seer_bench.engine.process import Looks, blocked_interrupts, computing_threads, resident, signal_name
from seer_bench.engine.shared import SharedArray, Vitals
from seer_bench.engine.worker import Lines, WorkerSpec, work
from seer_bench.errors import SimulationError

SPAWN = multiprocessing.get_context("spawn")
_SEND_S = 10.0
"""Seconds that sending to a worker may take; messages to it are small, so that only a stopped one takes longer."""
_KILL_S = 10.0
"""Seconds to wait for killed processes; one that hangs in a driver of the kernel is left behind."""
_LAST_WORDS_S = 2.0
"""Seconds that a process which has closed its line is given to end by itself, so that its own exit code is known."""
UNITS_A_PROCESS = 200
"""Units after which a worker is replaced by a fresh process, so that what a simulator leaks stays bounded."""


@dataclass(frozen=True)
class Limits:
    """When a worker is given up."""

    silence: float = 120.0
    """Seconds without a control step, nor a look at the world, while a unit is played and a policy in the main process
    is not being waited for."""
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
    """How a worker's assignment ended."""

    worker: int
    message: Finished | Requeued | Broken | Died
    assignment: Assignment


@dataclass
class _Worker:
    """One process."""

    process: SpawnProcess
    line: Channel
    vitals: Vitals
    assignment: Assignment | None = None
    played: int = 0
    signs: int = 0
    """Of life, at the last look."""
    silence: float = 0.0
    verdict: str | None = None
    """Why it was killed."""

    def kill(self, verdict: str) -> None:
        """Kill it for a reason; the next look finds it dead."""
        self.verdict = verdict
        self.process.kill()

    def ended(self, patience: float) -> bool:
        """Whether the process ends within so many seconds.

        It is asked for itself, and not for its end of a line: a process that it has forked may hold that open.
        """
        end = time.monotonic() + patience
        while self.process.exitcode is None:
            if time.monotonic() >= end:
                return False
            time.sleep(0.002)
        return True


class Crew:
    """A fixed number of workers.

    Args:
        make_spec: what worker i is made from.
        inferences: policies in the main process, dealt out over the workers; empty where they live in the workers.
        observations: what these policies read, a row for every worker.
        count: number of workers.
        limits: when a worker is given up.
        threads: that each worker computes with.
    """

    def __init__(
        self,
        make_spec: Callable[[int], WorkerSpec],
        inferences: Sequence[Inference],
        observations: Mapping[str, SharedArray],
        count: int,
        limits: Limits,
        *,
        threads: int,
    ) -> None:
        self._make_spec = make_spec
        self._inferences, self._observations = inferences, observations
        self._limits, self._threads = limits, threads
        self._workers: list[_Worker | None] = [None] * count
        self._past_steps = 0
        """Of workers that have been replaced."""
        self._steps = 0
        self._looks = Looks()

    @property
    def idle(self) -> list[int]:
        """Workers without a unit."""
        return [i for i, worker in enumerate(self._workers) if worker is None or worker.assignment is None]

    @property
    def playing(self) -> dict[int, Assignment]:
        """What each busy worker plays."""
        return {i: w.assignment for i, w in enumerate(self._workers) if w is not None and w.assignment is not None}

    def assign(self, index: int, assignment: Assignment) -> None:
        """Let an idle worker play a unit; its process is started when there is none."""
        worker = self._workers[index]
        if worker is not None and (worker.played >= UNITS_A_PROCESS or worker.verdict or worker.ended(0)):
            self._end(index)
            worker = None
        if worker is None:
            worker = self._workers[index] = self._start(index)
        worker.assignment, worker.silence = assignment, 0.0
        worker.played += 1
        try:
            worker.line.send(assignment)
        except OSError:
            worker.kill("could not be reached")

    def wait(self, timeout: float) -> Iterator[Event]:
        """What busy workers said within `timeout` seconds, and the deaths among them."""
        lines = {w.line.fileno(): i for i, w in enumerate(self._workers) if w is not None and w.assignment is not None}
        for ready in wait(list(lines), timeout):
            event = self._hear(lines[ready])  # type: ignore[index]  # a number was given, so it is a number that returns
            if event is not None:
                yield event
        yield from self._look()

    def new_steps(self) -> int:
        """Control steps taken since the last call."""
        before = self._steps
        self._steps = self._past_steps + sum(worker.vitals.steps for worker in self._workers if worker is not None)
        return self._steps - before

    def close(self) -> None:
        """Kill every worker; what they were playing is abandoned."""
        for worker in self._workers:
            if worker is not None:
                worker.process.kill()
        end = time.monotonic() + _KILL_S
        for index in range(len(self._workers)):
            self._end(index, max(0.0, end - time.monotonic()))

    def _start(self, index: int) -> _Worker:
        """Spawn a process."""
        vitals = Vitals(SPAWN)
        try:
            (ours, theirs), (policys, askers) = channel_pair(_SEND_S), channel_pair(_SEND_S)
            arguments = (self._make_spec(index), Lines(theirs, askers, self._observations, vitals))
            process = SPAWN.Process(target=work, args=arguments, name=f"seer-bench worker {index}")
            with computing_threads(self._threads), blocked_interrupts():
                process.start()
        except OSError as error:
            raise SimulationError(
                f"worker {index} of {len(self._workers)} cannot be started: {error.strerror or error}. Take fewer "
                "--workers, or allow more open files and processes (ulimit -n, ulimit -u); the same command continues."
            ) from error
        for end in (theirs, askers):  # so that the death of the process closes the lines
            end.close()
        if self._inferences:
            self._inferences[index % len(self._inferences)].adopt(Line(index, policys, vitals))
        else:
            policys.close()
        return _Worker(process, ours, vitals)

    def _hear(self, index: int) -> Event | None:
        """A worker's message once it is whole, or its death."""
        worker = self._workers[index]
        assert worker is not None  # noqa: S101 - the caller waited for it
        assert worker.assignment is not None  # noqa: S101 - as above
        assignment = worker.assignment
        try:
            message = worker.line.read()
        except (EOFError, OSError):
            return Event(index, Died(self._bury(index)), assignment)
        if message is None:
            return None
        worker.assignment = None
        if isinstance(message, Broken):
            self._end(index)
        return Event(index, message, assignment)

    def _bury(self, index: int) -> str:
        """How a dead worker ended; its place is free again."""
        worker = self._workers[index]
        assert worker is not None  # noqa: S101 - the caller has just heard of it
        by_itself = worker.ended(_LAST_WORDS_S)
        self._end(index)
        code = worker.process.exitcode
        if not by_itself and worker.verdict is None:
            how = "closed its line, did not end, and was killed"
        else:
            ending = f"was ended by {signal_name(-code)}" if code and code < 0 else f"ended with exit code {code}"
            how = worker.verdict or ending
        return f"the worker {how}, {worker.vitals.steps} steps after its start"

    def _end(self, index: int, patience: float = _KILL_S) -> None:
        """Kill a worker if it is there, and forget it."""
        worker = self._workers[index]
        if worker is not None:
            worker.process.kill()
            worker.ended(patience)
            worker.line.close()
            self._past_steps += worker.vitals.steps
            self._workers[index] = None

    def _look(self) -> Iterator[Event]:
        """Kill what is silent for too long, or uses too much memory; the deaths that no line has told of."""
        passed = self._looks.passed()
        for index, worker in enumerate(self._workers):
            if worker is None or worker.assignment is None:
                continue
            if worker.ended(0):
                if not wait([worker.line.fileno()], 0):  # else it has left a message, or the end of its line
                    assignment = worker.assignment
                    yield Event(index, Died(self._bury(index)), assignment)
            elif worker.verdict is None:
                self._examine(worker, passed)

    def _examine(self, worker: _Worker, passed: float) -> None:
        """Kill a worker that is silent for too long, or uses too much memory, `passed` seconds after the last look."""
        signs = worker.vitals.signs
        alive = signs != worker.signs or worker.vitals.waiting
        worker.silence = 0.0 if alive else worker.silence + passed
        worker.signs = signs
        limit = self._limits.silence if signs else self._limits.start
        if worker.silence > limit:
            worker.kill(f"was killed: no control step for {limit:.0f} s")
        elif self._limits.memory is not None and (used := resident(worker.process.pid)) > self._limits.memory:
            worker.kill(f"was killed: it used {used / 1e9:.2f} GB, --worker-memory allows less")
