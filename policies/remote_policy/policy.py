"""Policies behind a server: of ours, with calls over many slots, and of anybody's, an observation at a time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from seer_bench.conventions import FieldSpec, ImageSpec
from seer_bench.serving.codec import FrameError, pack, unpack
from seer_bench.serving.host import ForgottenError, Row
from seer_bench.serving.messages import Call, write_call
from seer_bench.serving.metadata import KEY, PlainServer, ServedPolicy

from .link import Link
from .options import RemoteOptions
from .pictures import fit


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
            spec.observations, spec.action, chunk=spec.chunk, batch=spec.batch, settings=server.settings(), arm=spec.arm
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
            answer = self._link.ask(write_call(call), again=True)
        except SimulationError:
            self._uncertain.update(slots)
            raise
        actions = _actions_of(answer, self._number)
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


class PlainClient(Policy):
    """A policy behind any server of openpi's protocol: one observation a frame, without a leading axis.

    Fields keep the benchmark's orientation, units and names, unless `keys` renames them; the instruction is "prompt".
    Such a server does not know a repeated question, so none is sent twice: where a connection breaks over one, the unit
    has to begin again. What it reports as an error is not scored, since a field that it misses is no fault of a policy.
    """

    def __init__(self, link: Link, server: PlainServer, context: PolicyContext, options: RemoteOptions) -> None:
        self._keys = dict(options.keys) or {
            name: name for name, spec in context.interface.observations.items() if not _is_depth(spec)
        }
        offered = context.interface.observations
        for theirs, ours in self._keys.items():
            if ours not in offered:
                raise ConventionError(
                    f"keys={theirs}:{ours}: there is no field '{ours}'; there are: {', '.join(offered)}."
                )
        settings = {"served.metadata": server.digest, **server.settings}
        if server.policy is not None:
            settings["served.policy"] = server.policy
        self.spec = PolicySpec(
            {ours: offered[ours] for ours in self._keys.values()},
            context.interface.action,
            chunk=options.chunk or server.chunk or 1,
            settings=settings,
            arm={"method": options.name or server.policy or "remote"},
        )
        self._link, self._episodes, self._resize = link, server.episodes, options.resize
        self._prompts: dict[int, str] = {}
        self._steps: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._units: dict[int, str] = {}
        self._on: dict[int, int] = {}
        """The connection that a slot's subtask began on."""

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """The subtasks that follow in a slot belong together."""
        self._units.update((slot, uuid.uuid4().hex) for slot in slots)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A new episode of the server begins with the next observation."""
        for slot, instruction in zip(slots, instructions, strict=True):
            self._prompts[slot], self._steps[slot], self._names[slot] = instruction, 0, uuid.uuid4().hex

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, chunk, dim): the first ones of each answer."""
        return np.stack([self._ask(slot, row, observations) for row, slot in enumerate(slots)])

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def _ask(self, slot: int, row: int, observations: Mapping[str, Array]) -> Array:
        """Actions (chunk, dim) for one slot."""
        step = self._steps[slot]
        if self._episodes and step and self._on.get(slot) != self._link.connections:
            raise ForgottenError("the connection broke, and with it what the server knew of this subtask may be gone.")
        message: dict[str, object] = {
            theirs: self._fitted(observations[ours][row], ours) for theirs, ours in self._keys.items()
        }
        message["prompt"] = self._prompts[slot]
        if self._episodes:
            message |= {"episode_id": self._names[slot], "reset": step == 0, "step": step}
            message["unit_id"] = self._units.get(slot, self._names[slot])
        before = self._link.connections
        self._on[slot] = -1  # until there is an answer
        answer = self._link.ask(pack(message), again=False)
        if self._episodes and step and self._link.connections != before:
            raise ForgottenError("the connection broke, and with it what the server knew of this subtask may be gone.")
        self._on[slot], self._steps[slot] = self._link.connections, step + 1
        return self._first_actions(answer)

    def _fitted(self, value: Array, name: str) -> Array:
        """A field as it is sent."""
        spec = self.spec.observations[name]
        if self._resize is not None and isinstance(spec, ImageSpec) and spec.kind == "rgb":
            return fit(value, self._resize)
        return value

    def _first_actions(self, answer: str | bytes) -> Array:
        """The actions to execute; raises SimulationError where the answer holds none."""
        if isinstance(answer, str):
            self._link.hang_up()  # openpi's server does so too
            raise SimulationError(f"the server reports an error: {answer.strip()[-1000:]}")
        tree = unpack(answer)
        actions = tree.get("actions") if isinstance(tree, dict) else None
        if not isinstance(actions, np.ndarray):
            held = ", ".join(map(str, tree)) if isinstance(tree, dict) else type(tree).__name__
            raise FrameError(f"the server's answer holds no array 'actions'; it holds: {held[:500]}.")
        actions = actions[None] if actions.ndim == 1 else actions
        chunk, dim = self.spec.chunk, self.spec.action.dim
        if actions.ndim != 2 or len(actions) < chunk or actions.shape[1] != dim:
            raise FrameError(
                f"the server's actions have the shape {actions.shape}; at least chunk={chunk} of {dim} numbers each "
                "are needed. Choose another chunk=, or a server for this benchmark."
            )
        return actions[:chunk]


def _actions_of(answer: str | bytes, number: int) -> Array:
    """The actions in an answer to a call; raises what went wrong on the other side."""
    if isinstance(answer, str):
        raise FrameError(f"the server reports an error: {answer[:1000]}")
    tree = unpack(answer)
    head = tree.get(KEY) if isinstance(tree, dict) else None
    if not isinstance(head, dict) or head.get("call") != number:
        raise FrameError(f"the server's answer is not to call {number}.")
    if "error" in head:
        text = f"on the server: {head.get('message')}"
        raise {"policy": PolicyError, "forgotten": ForgottenError}.get(head["error"], SimulationError)(text)
    actions = tree.get("actions")
    if not isinstance(actions, np.ndarray):
        raise FrameError(f"the server's answer to call {number} holds no actions.")
    return actions


def _is_depth(spec: FieldSpec) -> bool:
    """Whether a field is a depth image, which is rendered only where asked for."""
    return isinstance(spec, ImageSpec) and spec.kind == "depth"
