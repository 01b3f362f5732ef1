"""The policy in the main process: one thread a device, calls batched over whatever workers wait."""

from __future__ import annotations

import queue
import selectors
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from seer_bench.contracts import Array, Policy, SimulatorState, Unit
from seer_bench.engine.channel import Channel
from seer_bench.engine.faults import ask as ask_policy
from seer_bench.engine.faults import describe, shorten, trace_of
from seer_bench.engine.messages import Act, Actions, Begin, Done, Fault, Outage, Reply, Requeue, Reset
from seer_bench.engine.process import Looks
from seer_bench.engine.shared import SharedArray, Vitals
from seer_bench.errors import PolicyError, SimulationError

_CLOSE_S = 5.0
"""Seconds that `close` waits for the call that the policy is in."""


@dataclass(frozen=True)
class Line:
    """Where a worker asks from."""

    worker: int
    """Its place, which is the policy's slot and the row of its observations."""
    channel: Channel
    vitals: Vitals


@dataclass
class _Told:
    """What a slot was last told, and the calls of `act` since."""

    unit: Unit
    instruction: str = ""
    seed: int = 0
    calls: int = 0


class Inference:
    """Answers workers in a thread of its own, which alone reads, writes and closes their lines.

    In strict mode every `act` is called with exactly `size` rows, the missing ones filled up with copies under slots
    of their own, so that neither the number of workers nor chance reaches the policy's arithmetic.

    Args:
        policy: called from this thread alone.
        observations: the workers' rows.
        workers: how many there are; padding slots have the numbers after theirs.
        size: rows of a batch.
        strict: pad to `size`; otherwise a batch is as long as there are questions.
        threads: of the libraries that the policy computes with; the last bits of a product depend on them.
    """

    def __init__(
        self,
        policy: Policy,
        observations: Mapping[str, SharedArray],
        *,
        workers: int,
        size: int,
        strict: bool,
        threads: int,
    ) -> None:
        self._policy = policy
        self._rows = {name: shared.array for name, shared in observations.items()}
        self._size, self._strict, self._threads = size, strict, threads
        self._buffers = {name: np.zeros((size, *rows.shape[1:]), rows.dtype) for name, rows in self._rows.items()}
        self._pads = list(range(workers, workers + size - 1)) if strict else []
        self._told: dict[int, _Told] = {}
        self._longest = 0
        """Most calls of `act` that a worker's slot has seen between two resets."""
        self._pad_calls: int | None = None
        self._lines: dict[int, Line] = {}
        self._acts: dict[int, Act] = {}
        """Workers that wait for actions, in the order in which they asked."""
        self._orders: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        """Lines to listen to; None ends the thread."""
        self._bell, self._rung = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._rung, selectors.EVENT_READ)
        self._calls = 0
        """Of the policy; odd while one is running."""
        self._looks, self._call, self._waited = Looks(), 0, 0.0
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def adopt(self, line: Line) -> None:
        """Listen to a new worker, and no longer to the one before it in its place."""
        self._order(line)

    def trouble(self, limit: float) -> str | None:
        """Why no answer will come: a call has taken more than `limit` seconds, or the thread has failed.

        Ask several times a second; the time between two looks counts.
        """
        passed, call = self._looks.passed(), self._calls
        self._waited = self._waited + passed if call == self._call and call % 2 else 0.0
        self._call = call
        if self._waited > limit:
            return f"the policy has not returned from a call for {limit:.0f} s"
        return self._broken

    def close(self) -> bool:
        """End the thread after the call it is in; False if that call does not return, and is left behind."""
        self._order(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            return False
        self._bell.close()
        return True

    def _order(self, order: Line | None) -> None:
        """Tell the thread, which may be asleep or gone."""
        self._orders.put(order)
        with suppress(OSError):
            self._bell.send(b".")

    def _run(self) -> None:
        """Answer until closed."""
        try:
            with threadpool_limits(self._threads):
                while self._listen():
                    if self._acts:
                        self._act(self._next_batch())
        except BaseException as error:  # without a word from here the run would wait for ever
            self._broken = f"the policy's thread failed: {type(error).__name__}: {error}"
            raise
        finally:
            for line in self._lines.values():
                line.channel.close()
            self._selector.close()
            self._rung.close()

    def _listen(self) -> bool:
        """Take what the workers ask, and answer all but `Act`; waits where nobody waits. False at the end."""
        for key, _ in self._selector.select(0 if self._acts else None):
            if key.data is not None:
                self._hear(key.data)
                continue
            self._rung.recv(1 << 10)
            while not self._orders.empty():
                line = self._orders.get()
                if line is None:
                    return False
                self._forget(self._lines.get(line.worker))
                self._lines[line.worker] = line
                self._selector.register(line.channel, selectors.EVENT_READ, line)
        return True

    def _hear(self, line: Line) -> None:
        """Take a question, unless the worker is gone."""
        if self._lines.get(line.worker) is not line:
            return  # forgotten since `select` returned
        try:
            question = line.channel.read()
        except (EOFError, OSError):
            self._forget(line)
            return
        if isinstance(question, Act):
            self._acts[line.worker] = question
        elif question is not None:
            self._tell(line, question)

    def _forget(self, line: Line | None) -> None:
        """Listen to a line no more. What a dead worker asked must not reach the slot after its successor has begun."""
        if line is not None:
            del self._lines[line.worker]
            self._acts.pop(line.worker, None)
            self._selector.unregister(line.channel)
            line.channel.close()

    def _answer(self, worker: int, reply: Reply) -> None:
        """Answer a worker, whose silence counts from now on."""
        line = self._lines[worker]
        line.vitals.answered()
        with suppress(OSError):  # it has just died, which others notice
            line.channel.send(reply)

    def _next_batch(self) -> list[int]:
        """Workers whose `Act` is answered by the next call: the one that asked first, and those that may join it."""
        first = next(iter(self._acts))
        if self._acts[first].alone:
            return [first]
        return [worker for worker, act in self._acts.items() if not act.alone][: self._size]

    def _tell(self, line: Line, question: Begin | Reset) -> None:
        """Tell the policy of a unit or subtask that begins."""
        slots = [line.worker]
        if isinstance(question, Begin):
            unit = question.unit
            self._told[line.worker] = _Told(unit)
            failed = self._safely(lambda: self._policy.begin(slots, [unit]))
        else:
            instruction, seed = question.instruction, question.seed
            self._told[line.worker] = _Told(self._told[line.worker].unit, instruction, seed)
            failed = self._safely(lambda: self._policy.reset(slots, [instruction], [seed]))
        self._answer(line.worker, failed or Done())

    def _act(self, workers: Sequence[int]) -> None:
        """Ask the policy for the actions of a batch."""
        acts = [self._acts.pop(worker) for worker in workers]
        answers: list[Array] = []
        failed = self._safely(lambda: answers.append(self._batched(workers, [act.state for act in acts])))
        if isinstance(failed, Outage):
            self._pad_calls = None  # what was told of the padding rows may be lost as well
        for row, worker in enumerate(workers):
            if failed is None:
                self._answer(worker, Actions(answers[0][row : row + 1]))
            else:
                self._answer(worker, Requeue() if len(workers) > 1 else failed)

    def _batched(self, workers: Sequence[int], states: Sequence[SimulatorState | None]) -> Array:
        """One call of the policy."""
        missing = self._size - len(workers) if self._strict else 0
        slots = [*workers, *self._pads[:missing]]
        sources = [*workers, *[workers[0]] * missing]
        for worker in workers:
            self._told[worker].calls += 1
            self._longest = max(self._longest, self._told[worker].calls)
        if missing:
            self._keep_pads(self._told[workers[0]])
        if self._policy.spec.privileged:
            seen = [*states, *[states[0]] * missing]
            self._policy.see(slots, [state for state in seen if state is not None])
        answer = self._policy.act(slots, {name: self._gather(name, sources) for name in self._rows})
        if not isinstance(answer, np.ndarray) or answer.ndim == 0 or len(answer) != len(slots):
            shape = answer.shape if isinstance(answer, np.ndarray) else type(answer).__name__
            raise PolicyError(
                f"act returned {shape} for {len(slots)} slots; return a NumPy array whose first axis is the slots."
            )
        if answer.dtype.hasobject:
            raise PolicyError(f"act returned dtype {answer.dtype}; actions must be of a floating dtype.")
        return np.asarray(answer)  # subclasses need not survive pickling

    def _gather(self, name: str, sources: Sequence[int]) -> Array:
        """The rows of a field; a single one is not copied."""
        rows = self._rows[name]
        if len(sources) == 1:
            return rows[sources[0] : sources[0] + 1]
        buffer = self._buffers[name][: len(sources)]
        # Every index is a worker's; "raise", the default, would copy the rows twice to be able to check them.
        np.take(rows, sources, axis=0, out=buffer, mode="clip")
        return buffer

    def _keep_pads(self, like: _Told) -> None:
        """Let the padding rows begin a subtask anew before they grow older than any real one has been.

        A policy may rely on the longest subtask of the protocol, e.g. for the size of its history.
        """
        if self._pad_calls is None or self._pad_calls >= self._longest:
            count = len(self._pads)
            self._policy.begin(self._pads, [like.unit] * count)
            self._policy.reset(self._pads, [like.instruction] * count, [like.seed] * count)
            self._pad_calls = 0
        self._pad_calls += 1

    def _safely(self, question: Callable[[], object]) -> Fault | Outage | None:
        """Call the policy; what to answer where that fails, else None."""
        self._calls += 1
        try:
            ask_policy(question)
        except PolicyError as fault:
            return Fault(shorten(str(fault)), trace_of(fault))
        except (SimulationError, MemoryError) as error:
            return Outage(describe(error), trace_of(error))
        finally:
            self._calls += 1
        return None
