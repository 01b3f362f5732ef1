"""The policy: a session with the model server for every slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from seer_bench import (
    CheckpointError,
    ConventionError,
    InvalidActionError,
    Policy,
    PolicyContext,
    PolicySpec,
    SimulationError,
    Unit,
    UsageError,
)
from seer_bench.contracts import Array

from .benchmarks import LIBERO_PICTURE, CalvinTranslator, LiberoTranslator, Translator
from .greeting import Greeting
from .options import VlaEvalOptions
from .session import Session

_TRANSLATORS: Mapping[str, type[CalvinTranslator] | type[LiberoTranslator]] = {
    "calvin": CalvinTranslator,
    "libero": LiberoTranslator,
}


class VlaEvalPolicy(Policy):
    """Sends each slot's observations over a connection of its own, as vla-eval's runner does.

    An episode is a unit. Where a unit has several subtasks, the first observation of a later one bears
    `episode_restart`, which the server may take as a sign to forget; vla-eval sends nothing else.

    Args:
        translator: of the benchmark.
        connect: a new session; nothing is sent before it is used.
        settings: what else shapes the actions, for the run's identity.
        method: what tables call it.
        batch: slots of one call; all are sent before the first answer is awaited.
        notes: lines that a run shows before it begins.
    """

    def __init__(
        self,
        translator: Translator,
        connect: Callable[[], Session],
        *,
        settings: Mapping[str, str],
        method: str,
        batch: int = 1,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.spec = PolicySpec(
            observations=translator.observations,
            action=translator.action,
            batch=batch,
            settings=dict(settings),
            arm={"method": method},
            incidental=("timeout", "wait"),
            notes=notes,
        )
        self._translator, self._connect = translator, connect
        self._sessions: dict[int, Session] = {}
        self._begun: dict[int, Unit] = {}
        """Units whose episode the server does not know yet."""
        self._instructions: dict[int, str] = {}
        self._restarted: set[int] = set()
        """Slots whose next observation is the first of a later subtask."""

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """A unit begins; the server is told with the first sentence."""
        for slot, unit in zip(slots, units, strict=True):
            self._begun[slot] = unit
            self._translator.begin(slot)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins. The seed is not sent: a vla-eval server cannot take one."""
        for slot, instruction in zip(slots, instructions, strict=True):
            self._instructions[slot] = instruction
            self._translator.restart(slot)
            self._restarted.discard(slot)
            if slot not in self._sessions:
                self._sessions[slot] = self._connect()
            if (unit := self._begun.pop(slot, None)) is None:
                self._restarted.add(slot)
            else:
                self._sessions[slot].start(self._translator.task(unit, instruction))

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64.

        Raises:
            InvalidActionError: what the server answered is no action, or not finite.
            SimulationError: the server was lost, did not answer, or reported an error.
        """
        rows = [{name: values[i] for name, values in observations.items()} for i in range(len(slots))]
        answers = self._ask(slots, [self._message(slot, row) for slot, row in zip(slots, rows, strict=True)])
        actions = [
            self._translator.translate(slot, _numbers(answer), row)
            for slot, row, answer in zip(slots, rows, answers, strict=True)
        ]
        return np.stack(actions)[:, None]

    def close(self) -> None:
        """Drop every connection."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def _ask(self, slots: Sequence[int], messages: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
        """The answers to a message each; raises SimulationError."""
        sessions = [self._sessions[slot] for slot in slots]
        try:
            sent = [session.ask(message) for session, message in zip(sessions, messages, strict=True)]
            return [session.answer(number) for session, number in zip(sessions, sent, strict=True)]
        except SimulationError:
            for session in sessions:
                session.close()  # an answer left unread would be taken for the next one's
            raise

    def _message(self, slot: int, row: Mapping[str, Array]) -> dict[str, object]:
        """An observation with its sentence."""
        message = {**self._translator.observation(row), "task_description": self._instructions[slot]}
        if slot in self._restarted:
            self._restarted.remove(slot)
            message["episode_restart"] = True
        return message


def _numbers(answer: Mapping[str, object]) -> Array:
    """The numbers of an answer, wherever vla-eval looks for them; raises InvalidActionError."""
    given = answer.get("actions", answer.get("action"))
    try:
        numbers = np.array(given if isinstance(given, np.ndarray | list) else None)
    except ValueError:  # lists of different lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "fiu":
        held = ", ".join(map(str, answer)) or "nothing"
        raise InvalidActionError(f"the model server's answer holds no numbers 'actions'; it holds: {held[:500]}.")
    if not np.isfinite(numbers).all():
        raise InvalidActionError(f"the model server's actions {numbers.shape} are not finite.")
    return numbers


def make_policy(context: PolicyContext) -> Policy:
    """Ask the server what it wants, and build the policy that gives it.

    Raises:
        CheckpointError: a checkpoint was given; the server has its own.
        ConventionError: the server or vla-eval wants or answers what the benchmark does not give or take.
        SimulationError: no such server can be reached.
        UsageError: the benchmark or an option cannot be used.
    """
    benchmark = context.interface.benchmark
    if context.checkpoint is not None:
        raise CheckpointError(
            f"the policy 'vla_eval' takes no checkpoint, but --ckpt is {context.checkpoint}. Leave --ckpt out; the "
            "model server loads its own."
        )
    if benchmark not in _TRANSLATORS:
        raise UsageError(
            f"the policy 'vla_eval' does not play the benchmark '{benchmark}'; it plays: {', '.join(_TRANSLATORS)}."
        )
    if benchmark == "libero" and context.interface.observations["rgb_agentview"] != LIBERO_PICTURE:
        raise ConventionError(
            f"vla-eval sends pictures of 256 x 256 turned by 180 degrees, which {context.protocol.name} does not give: "
            "--protocol libero-long/openvla-v1"
        )
    options, kind = VlaEvalOptions.parse(context.options), _TRANSLATORS[benchmark]
    session = partial(Session, options.url, kind.benchmark, timeout=options.timeout, wait=options.wait)
    first = session()
    try:
        said = first.greet()
    finally:
        first.close()
    greeting = Greeting.read(said, kind.flags, kind.formats, check=options.specs == "check")
    settings = {
        "server": greeting.server,
        "vla_eval": greeting.version,
        "actions": "absolute" if greeting.absolute_action else "delta",
        "state": "axis-angle to 2 pi" if greeting.whole_turns else "as vla-eval's",
        "not_done": greeting.not_done or "nothing",
    }
    note = f"the model server asks for {greeting.not_done}, which the protocol decides; it is not done"
    return VlaEvalPolicy(
        kind(greeting, context.protocol),
        partial(session, server=said),
        settings=settings,
        method=greeting.server,
        batch=options.batch,
        notes=(note,) if greeting.not_done else (),
    )
