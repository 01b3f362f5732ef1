"""The policy in the main process: one thread a device, calls batched over whatever workers wait."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np

from seer_bench.contracts import Array, Policy, Unit
from seer_bench.engine.rollout import ask as ask_policy
from seer_bench.engine.shared import SharedArray
from seer_bench.engine.worker import Question, Reply
from seer_bench.errors import PolicyError, SimulationError

_CLOSE_S = 5.0
"""Seconds that `close` waits for the call that the policy is in."""


@dataclass(frozen=True)
class Ask:
    """A worker's question."""

    worker: int
    pipe: Connection
    question: Question
    alone: bool
    """Not to be batched with other units, because a batch that it was in has failed."""


@dataclass(frozen=True)
class _Begun:
    """What a slot was last told, and the calls of `act` since."""

    unit: Unit
    instruction: str = ""
    seed: int = 0
    calls: int = 0


class Inference:
    """Answers questions in a thread of its own.

    In strict mode every `act` is called with exactly `size` rows, the missing ones filled up with copies under slots
    of their own, so that neither the number of workers nor chance reaches the policy's arithmetic.

    Args:
        policy: called from this thread alone.
        observations: the workers' rows.
        size: rows of a batch.
        strict: pad to `size`; otherwise a batch is as long as there are questions.
        answer: sends a reply to worker i if its pipe is still that worker's.
    """

    def __init__(
        self,
        policy: Policy,
        observations: Mapping[str, SharedArray],
        *,
        size: int,
        strict: bool,
        answer: Callable[[int, Connection, Reply], None],
    ) -> None:
        self._policy = policy
        self._rows = {name: shared.array for name, shared in observations.items()}
        self._size, self._strict, self._answer = size, strict, answer
        self._buffers = {name: np.zeros((size, *rows.shape[1:]), rows.dtype) for name, rows in self._rows.items()}
        workers = max((len(rows) for rows in self._rows.values()), default=0)
        self._pads = list(range(max(workers, 1024), max(workers, 1024) + size - 1)) if strict else []
        self._begun: dict[int, _Begun] = {}
        self._longest = 0
        """Most calls of `act` that a worker's slot has seen between two resets."""
        self._pad_calls: int | None = None
        self._called: float | None = None
        """When the policy's running call began."""
        self._broken: str | None = None
        self._asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._held: Ask | None = None
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def ask(self, ask: Ask) -> None:
        """Queue a question."""
        self._asks.put(ask)

    def trouble(self, limit: float) -> str | None:
        """Why no answer will come: a call has taken more than `limit` seconds, or the thread has failed."""
        called = self._called
        if called is not None and time.monotonic() - called > limit:
            return f"the policy has not returned from a call for {limit:.0f} s"
        return self._broken

    def close(self) -> bool:
        """End the thread after the call it is in; False if that call does not return, and is left behind."""
        self._asks.put(None)
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """Answer until closed."""
        try:
            while (batch := self._collect()) is not None:
                first = batch[0]
                if first.question.kind == "act":
                    self._act(batch)
                else:
                    self._tell(first)
        except BaseException as error:  # without a word from here the run would wait for ever
            self._broken = f"the policy's thread failed: {type(error).__name__}: {error}"
            raise

    def _collect(self) -> list[Ask] | None:
        """The next question; an `act` with all others that wait and may share its batch. None at the end.

        The questions for one slot keep their order: those of a worker that died are over before its successor's.
        """
        first = self._held or self._asks.get()
        self._held = None
        if first is None:
            return None
        batch = [first]
        while first.question.kind == "act" and not first.alone and len(batch) < self._size:
            try:
                following = self._asks.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._asks.put(None)
                break
            if following.worker in {ask.worker for ask in batch}:
                self._held = following
                break
            if following.question.kind != "act":
                self._tell(following)
            elif following.alone:
                self._held = following
                break
            else:
                batch.append(following)
        return batch

    def _tell(self, ask: Ask) -> None:
        """Tell the policy of a unit or subtask that begins."""
        question, slots = ask.question, [ask.worker]
        if question.kind == "begin" and question.unit is not None:
            unit = question.unit
            self._begun[ask.worker] = _Begun(unit)
            failed = self._call(lambda: self._policy.begin(slots, [unit]))
        else:
            told = self._begun[ask.worker]
            self._begun[ask.worker] = _Begun(told.unit, question.instruction, question.seed)
            failed = self._call(lambda: self._policy.reset(slots, [question.instruction], [question.seed]))
        self._answer(ask.worker, ask.pipe, failed or Reply())

    def _act(self, batch: Sequence[Ask]) -> None:
        """Ask the policy for the actions of a batch."""
        answers: list[Array] = []
        failed = self._call(lambda: answers.append(self._batched(batch)))
        if failed is not None:
            failed = Reply(requeue=True) if len(batch) > 1 else failed
        for row, ask in enumerate(batch):
            self._answer(ask.worker, ask.pipe, failed or Reply(actions=answers[0][row : row + 1]))

    def _batched(self, batch: Sequence[Ask]) -> Array:
        """One call of the policy."""
        missing = self._size - len(batch) if self._strict else 0
        workers = [ask.worker for ask in batch]
        slots = workers + self._pads[:missing]
        sources = workers + [workers[0]] * missing
        self._count_calls(workers)
        if missing:
            self._keep_pads(self._begun[workers[0]])
        if self._policy.spec.privileged:
            states = [ask.question.state for ask in batch] + [batch[0].question.state] * missing
            self._policy.see(slots, [state for state in states if state is not None])
        answer = self._policy.act(slots, {name: self._gather(name, sources) for name in self._rows})
        if not isinstance(answer, np.ndarray) or answer.ndim == 0 or len(answer) != len(slots):
            shape = answer.shape if isinstance(answer, np.ndarray) else type(answer).__name__
            raise PolicyError(f"act returned {shape} for {len(slots)} slots; the first axis must be the slots.")
        if answer.dtype.hasobject:
            raise PolicyError(f"act returned dtype {answer.dtype}; actions must be of a floating dtype.")
        return answer

    def _gather(self, name: str, sources: Sequence[int]) -> Array:
        """The rows of a field; a single one is not copied."""
        rows = self._rows[name]
        if len(sources) == 1:
            return rows[sources[0] : sources[0] + 1]
        buffer = self._buffers[name][: len(sources)]
        np.take(rows, sources, axis=0, out=buffer)
        return buffer

    def _count_calls(self, workers: Sequence[int]) -> None:
        """Count a call of `act` for the slots of these workers."""
        for worker in workers:
            told = self._begun[worker]
            self._begun[worker] = replace(told, calls=told.calls + 1)
            self._longest = max(self._longest, told.calls + 1)

    def _keep_pads(self, like: _Begun) -> None:
        """Let the padding rows begin a subtask anew before they grow older than any real one has been.

        A policy may rely on the longest subtask of the protocol, e.g. for the size of its history.
        """
        if self._pad_calls is None or self._pad_calls >= self._longest:
            count = len(self._pads)
            self._policy.begin(self._pads, [like.unit] * count)
            self._policy.reset(self._pads, [like.instruction] * count, [like.seed] * count)
            self._pad_calls = 0
        self._pad_calls += 1

    def _call(self, question: Callable[[], object]) -> Reply | None:
        """Call the policy; what to answer where that fails, else None."""
        self._called = time.monotonic()
        try:
            ask_policy(question)
        except PolicyError as fault:
            return Reply(fault=str(fault), traceback="".join(traceback.format_exception(fault)))
        except (SimulationError, MemoryError) as error:
            return Reply(outage=f"{type(error).__name__}: {error}")
        finally:
            self._called = None
        return None
