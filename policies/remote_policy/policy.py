"""A policy behind `seer-bench serve`, with calls over many slots."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seer_bench import (
    ConventionError,
    Policy,
    PolicyContext,
    PolicyError,
    PolicySpec,
    SimulationError,
    Unit,
    UsageError,
)
from seer_bench.contracts import Array
from seer_bench.serving.codec import FrameError, unpack
from seer_bench.serving.host import ForgottenError, Row
from seer_bench.serving.messages import Call, write_call
from seer_bench.serving.metadata import KEY, PlainServer, ServedPolicy

from .link import Link
from .options import INCIDENTAL, RemoteOptions
from .plain import PlainClient


def connect(context: PolicyContext, options: RemoteOptions) -> Policy:
    """The policy at `options.url`; see `remote_policy.make_policy`."""
    link = Link(options)
    try:
        if isinstance(link.server, ServedPolicy):
            return ServedPolicyClient(link, link.server, context, options)
        if isinstance(link.server, PlainServer):
            return PlainClient(link, link.server, context, options)
        raise AssertionError("a link without metadata")
    except BaseException:
        link.close()
        raise


@dataclass
class _Beginning:
    """What a slot was told, and the server not yet."""

    unit: Unit | None = None
    reset: tuple[str, int] | None = None


class ServedPolicyClient(Policy):
    """A policy behind `seer-bench serve`; it plays as it would in this process.

    A broken connection is replaced, and the call sent again under its number, which the server makes once. A slot
    whose history the server has lost raises SimulationError until its next subtask begins.
    """

    def __init__(self, link: Link, server: ServedPolicy, context: PolicyContext, options: RemoteOptions) -> None:
        if server.benchmark != context.interface.benchmark:
            raise ConventionError(
                f"{options.url} serves the policy '{server.policy}' for {server.benchmark}, but the run is of "
                f"{context.interface.benchmark}. Start the server with: --benchmark {context.interface.benchmark}"
            )
        if given := options.plain_only():
            raise UsageError(f"{options.url} declares everything itself; leave out the option {given[0]}=.")
        spec = server.spec
        self.spec = PolicySpec(
            spec.observations,
            spec.action,
            chunk=spec.chunk,
            batch=spec.batch,
            settings=server.settings(),
            arm=spec.arm,
            incidental=("url", *INCIDENTAL),  # the server says who it is
        )
        self._link = link
        self._client = uuid.uuid4().hex
        self._number = 0
        self._beginnings: dict[int, _Beginning] = {}
        self._uncertain: set[int] = set()
        """Slots whose last call may have been made or not."""

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """Sent with the next call."""
        for slot, unit in zip(slots, units, strict=True):
            self._beginnings[slot] = _Beginning(unit)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Sent with the next call."""
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            self._beginnings.setdefault(slot, _Beginning()).reset = (instruction, seed)
            self._uncertain.discard(slot)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, chunk, dim), of the dtype that the policy gives."""
        if doubtful := self._uncertain.intersection(slots):
            raise ForgottenError(f"the history of slot {min(doubtful)} is lost since a call went unanswered.")
        rows = tuple(self._row(slot) for slot in slots)
        self._number += 1
        call = Call(self._client, self._number, rows, {name: observations[name] for name in self.spec.observations})
        try:
            actions = self._actions_of(self._link.ask(write_call(call), again=True))
        except ForgottenError:
            raise  # nothing was made of it
        except SimulationError:
            self._uncertain.update(slots)
            raise
        for slot in slots:
            self._beginnings.pop(slot, None)
        return actions

    def close(self) -> None:
        """Tell the server that its slots are free, and hang up."""
        leave = Call(self._client, self._number + 1, (), {}, leave=True)
        self._link.close(write_call(leave) if self._number else None)

    def _row(self, slot: int) -> Row:
        """What the server is told of a slot."""
        beginning = self._beginnings.get(slot, _Beginning())
        return Row(self._client, slot, beginning.unit, beginning.reset)

    def _actions_of(self, answer: str | bytes) -> Array:
        """The actions in the answer to the newest call; raises what went wrong on the other side."""
        tree: Any = unpack(answer) if isinstance(answer, bytes) else answer
        head = tree.get(KEY) if isinstance(tree, dict) else None
        if not isinstance(head, dict) or head.get("call") != self._number:
            self._link.hang_up()  # what comes next there may be no answer to the next call either
            said = f"reports an error: {tree[:1000]}" if isinstance(tree, str) else "answers something else"
            raise FrameError(f"call {self._number}: the server {said}.")
        if "error" in head:
            text = f"on the server: {head.get('message')}"
            raise {"policy": PolicyError, "forgotten": ForgottenError}.get(head["error"], SimulationError)(text)
        actions = tree.get("actions")
        if not isinstance(actions, np.ndarray):
            raise FrameError(f"the server's answer to call {self._number} holds no actions.")
        return actions
