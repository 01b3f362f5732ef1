"""A policy in a process of its own: one that hangs, dies or floods memory cannot keep the robot from being stopped.

Of a blind campaign nothing that a policy says reaches anybody: its output goes nowhere, and of its errors only the kind
is told, since a message may hold its name.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from real_robot_benchmark.robot.conventions import observe
from real_robot_benchmark.robot.io import Reading, RobotError, calling
from real_robot_benchmark.robot.translated import TranslatedPolicy
from seer_bench.contracts import Array, Policy, PolicyContext, SimulatorState, Unit
from seer_bench.conventions import Interface, PolicySpec, check_conventions
from seer_bench.engine.faults import describe
from seer_bench.engine.process import blocked_interrupts, computing_threads, die_with, leave_interrupts
from seer_bench.errors import ConventionError, PolicyError, SimulationError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import load_policy

_CONTEXT = multiprocessing.get_context("spawn")
LOAD_S = 600.0
"""Seconds that loading a policy, a reset and the first action after loading may take."""
OWED_S = 5.0
"""Seconds that an answer may still take after the attempt that asked for it is over."""
SLICE_S = 0.005
"""Seconds between two looks at whether the attempt still goes on."""

Kind = Literal["failed", "hung", "died", "misshapen"]
_WORDS: dict[Kind, str] = {
    "failed": "the policy raised an error",
    "hung": "the policy did not answer in time",
    "died": "the policy's process died",
    "misshapen": "the policy's answer has another shape or type than declared",
}


class PolicyFaultError(PolicyError):
    """The policy failed; `kind` is what may be told while a campaign is blind."""

    def __init__(self, kind: Kind, details: str, *, blind: bool) -> None:
        """Word it."""
        super().__init__(_WORDS[kind] if blind or not details else f"{_WORDS[kind]}: {details}")
        self.kind = kind


class PolicyRunner(Protocol):
    """A policy, as the control loop asks it."""

    spec: PolicySpec
    """Known once `load` has returned."""

    def load(self) -> bool:
        """Have the policy ready; False where it was already."""

    def begin(self, unit: Unit, instruction: str, seed: int) -> None:
        """An attempt begins: forget everything."""

    def act(
        self, reading: Reading, state: SimulatorState | None, *, deadline: float, going_on: Callable[[], bool]
    ) -> Array | None:
        """The next actions (chunk, 7); None when the attempt ended meanwhile.

        Raises:
            PolicyFaultError: the policy raises, answers nonsense or not within `deadline` seconds.
            SimulationError: it says that something else failed, e.g. its server.
        """

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Order:
    """How to build a policy in another process."""

    name: str
    context: PolicyContext
    simulated: tuple[Interface, EvaluationProtocol] | None = None
    """Of a simulated robot: what a privileged policy that knows no real robot is built for instead."""


class PolicyProcess:
    """A policy behind a pipe.

    Args:
        order: how to build it.
        letter: what it is called.
        blind: tell nothing that could say who it is.
        log: file that takes what it prints, which would spoil the console's screen; None drops it.
    """

    spec: PolicySpec

    def __init__(self, order: Order, *, letter: str, blind: bool, log: Path | None = None) -> None:
        self._order, self._letter, self._blind = order, letter, blind
        self._log = os.devnull if blind or log is None else str(log)
        self._pipe: Connection | None = None
        self._process: SpawnProcess | None = None
        self._owed = 0
        """Answers that nobody waits for any more."""

    def load(self) -> bool:
        """Start the process and build the policy, if there is none; whether that was needed.

        Raises:
            UsageError: it cannot be built, or does not fit a real robot.
        """
        self._settle()
        if self._pipe is not None:
            return False
        self._pipe, theirs = _CONTEXT.Pipe()
        with computing_threads(self._order.context.threads), blocked_interrupts():
            arguments = (self._order, theirs, os.getpid(), self._log)
            self._process = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
            self._process.start()
        theirs.close()
        try:
            answer = self._receive(LOAD_S, lambda: True)
        except (PolicyError, SimulationError) as error:
            self.close()
            hint = " Why is not told while the campaign is blind; try it in one that is not." if self._blind else ""
            raise UsageError(f"the policy {self._letter} could not be built: {error}.{hint}") from error
        assert isinstance(answer, PolicySpec)  # noqa: S101 - the other end is below
        self.spec = answer
        return True

    def begin(self, unit: Unit, instruction: str, seed: int) -> None:
        """Begin and reset; raises as `act`."""
        self._ask(("begin", unit, instruction, seed))
        self._receive(LOAD_S, lambda: True)

    def act(
        self, reading: Reading, state: SimulatorState | None, *, deadline: float, going_on: Callable[[], bool]
    ) -> Array | None:
        """See `PolicyRunner.act`; after a missed deadline the process is killed."""
        self._ask(("act", calling(lambda: observe(reading, self.spec.observations)), state))
        answer = self._receive(deadline, going_on)
        return None if answer is None else np.asarray(answer)

    def close(self) -> None:
        """Kill the process; closing twice is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
        self._owed = 0

    def _ask(self, question: tuple[Any, ...]) -> None:
        """Send a question, after what is owed was taken."""
        self._settle()
        if self._pipe is None:
            raise PolicyFaultError("died", "", blind=self._blind)
        try:
            self._pipe.send(question)
        except OSError as error:
            self.close()
            raise PolicyFaultError("died", "", blind=self._blind) from error

    def _settle(self) -> None:
        """Take the answers that nobody waits for any more; a process that keeps them back is killed."""
        while self._owed:
            self._owed -= 1
            with suppress(SimulationError, _AnswerError):
                self._take(OWED_S, lambda: True)

    def _receive(self, deadline: float, going_on: Callable[[], bool]) -> Any:
        """The answer; None when the attempt ended meanwhile."""
        try:
            return self._take(deadline, going_on)
        except _AnswerError as error:
            raise PolicyFaultError(error.kind, str(error), blind=self._blind) from error

    def _take(self, deadline: float, going_on: Callable[[], bool]) -> Any:
        """The next answer in the pipe."""
        assert self._pipe is not None  # noqa: S101 - callers have seen to it
        until = time.monotonic() + deadline
        try:
            while not self._pipe.poll(SLICE_S):
                if not going_on():
                    self._owed += 1
                    return None
                if time.monotonic() > until:
                    self.close()
                    raise _AnswerError("hung", f"{deadline:g} s are allowed")
            kind, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise _AnswerError("died", "") from error
        if kind == "outage":
            raise RobotError("the policy says that something it needs failed" + ("" if self._blind else f": {answer}"))
        if kind != "done":
            raise _AnswerError(kind, answer)
        return answer


class _AnswerError(Exception):
    """An answer that says what went wrong."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind: Kind = kind


def build(order: Order) -> Policy:
    """The policy, checked against the interface of a real robot.

    A privileged policy that knows the simulated benchmark alone is built for that, and its actions are translated.

    Raises:
        UsageError: it cannot be built or does not fit.
    """
    try:
        policy = load_policy(order.name, order.context)
        check_conventions(policy.spec, order.context.interface)
    except UsageError as error:
        if order.simulated is None:
            raise
        interface, protocol = order.simulated
        policy = load_policy(order.name, replace(order.context, interface=interface, protocol=protocol))
        if not policy.spec.privileged:
            policy.close()
            raise ConventionError(f"as a policy of a real robot: {error}") from error
        return TranslatedPolicy(policy)
    if policy.spec.privileged:
        raise ConventionError(f"the policy '{order.name}' reads a simulator's state, which no real robot has.")
    return policy


def _serve(order: Order, pipe: Connection, parent: int, log: str) -> None:
    """Body of the process."""
    die_with(parent)
    leave_interrupts()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    policy: Policy | None = None
    question: Any = None
    while True:
        try:
            if policy is None:
                policy = build(order)
                answer: Any = policy.spec
            elif question[0] == "begin":
                _, unit, instruction, seed = question
                policy.begin([0], [unit])
                policy.reset([0], [instruction], [seed])
                answer = None
            else:
                answer = _act(policy, question[1], question[2])
            pipe.send(("done", answer))
        except SimulationError as error:
            pipe.send(("outage", describe(error)))
        except _AnswerError as error:
            pipe.send((error.kind, str(error)))
        except BaseException as error:  # whatever it is, the robot must hear of it
            pipe.send(("failed", describe(error)))
        try:
            question = pipe.recv()
        except EOFError:
            return


def _act(policy: Policy, observations: dict[str, Array], state: SimulatorState | None) -> Array:
    """One call of `act`; the chunk (chunk, dim) of the only slot."""
    spec = policy.spec
    if spec.privileged and state is not None:
        policy.see([0], [state])
    answer: Any = policy.act([0], observations)
    shape = (1, spec.chunk, spec.action.dim)
    if not isinstance(answer, np.ndarray) or answer.shape != shape or answer.dtype.kind != "f":
        found = f"{answer.dtype} {answer.shape}" if isinstance(answer, np.ndarray) else type(answer).__name__
        raise _AnswerError("misshapen", f"act returned {found}; a floating array {shape} was declared")
    # One dtype for all: in a blind campaign it would tell policies apart.
    return np.array(answer[0], np.float64)
