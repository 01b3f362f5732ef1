"""The policy: a session with the model server for every slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seer_bench import CheckpointError, InvalidActionError, Policy, PolicyContext, PolicySpec, Unit, UsageError
from seer_bench.contracts import Array

from .benchmarks import CalvinTranslator, LiberoTranslator, Translator
from .greeting import Greeting
from .options import VlaEvalOptions
from .session import Session


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
    """

    def __init__(
        self,
        translator: Translator,
        connect: Callable[[], Session],
        *,
        settings: Mapping[str, str],
        method: str,
        batch: int = 1,
    ) -> None:
        self.spec = PolicySpec(
            observations=translator.observations,
            action=translator.action,
            batch=batch,
            settings=dict(settings),
            arm={"method": method},
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
            PolicyError: the server's model failed.
            SimulationError: the server was lost or did not answer.
        """
        rows = [{name: values[i] for name, values in observations.items()} for i in range(len(slots))]
        sent = [self._sessions[slot].ask(self._message(slot, row)) for slot, row in zip(slots, rows, strict=True)]
        answers = [self._sessions[slot].answer(number) for slot, number in zip(slots, sent, strict=True)]
        actions = []
        for slot, row, answer in zip(slots, rows, answers, strict=True):
            given = answer.get("actions", answer.get("action"))
            if not isinstance(given, np.ndarray | list) or (array := np.asarray(given)).dtype.kind not in "fiu":
                raise InvalidActionError(
                    f"the model server answered without numbers under 'actions': {sorted(answer)}."
                )
            actions.append(self._translator.translate(slot, array, row))
        return np.stack(actions)[:, None]

    def close(self) -> None:
        """Drop every connection."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def _message(self, slot: int, row: Mapping[str, Array]) -> dict[str, object]:
        """An observation with its sentence."""
        message = {**self._translator.observation(row), "task_description": self._instructions[slot]}
        if slot in self._restarted:
            self._restarted.remove(slot)
            message["episode_restart"] = True
        return message


def make_policy(context: PolicyContext) -> Policy:
    """Ask the server what it wants, and build the policy that gives it.

    Raises:
        CheckpointError: a checkpoint was given; the server has its own.
        ConventionError: the server wants or answers what the benchmark does not give or take.
        SimulationError: the server cannot be reached.
        UsageError: the benchmark or an option cannot be used.
    """
    benchmark = context.interface.benchmark
    if context.checkpoint is not None:
        raise CheckpointError(
            f"the policy 'vla_eval' takes no checkpoint, but --ckpt is {context.checkpoint}. Leave --ckpt out; the "
            "model server loads its own."
        )
    if benchmark not in ("calvin", "libero"):
        raise UsageError(f"the policy 'vla_eval' does not play the benchmark '{benchmark}'; it plays: calvin, libero.")
    options = VlaEvalOptions.parse(context.options)

    def session() -> Session:
        return Session(options.url, benchmark, timeout=options.timeout, patience=options.patience)

    first = session()
    try:
        said = first.greet()
    finally:
        first.close()
    formats = CalvinTranslator.formats if benchmark == "calvin" else LiberoTranslator.formats
    greeting = Greeting.read(said, formats, check=options.specs == "check")
    translator: Translator
    if benchmark == "calvin":
        translator = CalvinTranslator(greeting)
    else:
        translator = LiberoTranslator(greeting, str(context.protocol.settings["suite"]))
    settings = {
        "server": greeting.server,
        "vla_eval": greeting.version,
        "actions": "absolute" if greeting.absolute_action else "delta",
        "state": "axis-angle to 2 pi" if greeting.whole_turns else "as vla-eval's",
        "not_done": greeting.not_done or "nothing",
    }
    return VlaEvalPolicy(translator, session, settings=settings, method=greeting.server, batch=options.batch)
