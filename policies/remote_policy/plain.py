"""A policy behind any server of openpi's protocol: one observation a frame, without a leading axis."""

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
    UnknownNameError,
)
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec, ImageSpec, VectorSpec
from seer_bench.serving.codec import FrameError, pack, unpack
from seer_bench.serving.host import ForgottenError
from seer_bench.serving.metadata import PlainServer

from .link import Link
from .options import INCIDENTAL, RemoteOptions
from .pictures import fit


@dataclass
class _Slot:
    """What a slot is about."""

    unit: str
    """New for each unit."""
    subtask: int = -1
    """Of the unit, from 0; -1 before the first."""
    episode: str = ""
    """New for each subtask."""
    instruction: str = ""
    seed: int = 0
    step: int = 0
    """Of the subtask: the next one."""
    on: int = 0
    """The connection that the last answer came on; -1 while there is none."""


class PlainClient(Policy):
    """Plays any server of openpi's protocol.

    Fields keep the benchmark's orientation, units and names, unless `keys` renames them; the instruction is "prompt".

    Such a server does not know a repeated question, so none is sent twice: where a connection breaks over one, the unit
    has to begin again. What it reports as an error is not scored, since nobody can tell across the wire whether the
    policy is broken or a GPU is full. Actions that do not fit are the policy's own fault.
    """

    def __init__(self, link: Link, server: PlainServer, context: PolicyContext, options: RemoteOptions) -> None:
        offered = context.interface.observations
        self._keys = dict(options.keys) or {name: (name,) for name, spec in offered.items() if not _is_depth(spec)}
        for theirs, ours in self._keys.items():
            _check_fields(theirs, ours, offered)
        settings = {"served.metadata": server.digest, **server.settings}
        if server.policy is not None:
            settings["served.policy"] = server.policy
        self.spec = PolicySpec(
            {name: offered[name] for names in self._keys.values() for name in names},
            context.interface.action,
            chunk=options.chunk or server.chunk or 1,
            settings=settings,
            arm={"method": options.name or server.policy or "remote"},
            incidental=INCIDENTAL,  # the address stays: nothing else tells which model answers
        )
        self._link, self._episodes, self._resize = link, server.episodes, options.resize
        self._slots: dict[int, _Slot] = {}

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """The subtasks that follow in a slot belong together."""
        self._slots.update((slot, _Slot(uuid.uuid4().hex)) for slot in slots)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A new episode of the server begins with the next observation."""
        for number, instruction, seed in zip(slots, instructions, seeds, strict=True):
            slot = self._slots.setdefault(number, _Slot(uuid.uuid4().hex))
            slot.subtask += 1
            slot.episode, slot.instruction, slot.seed, slot.step = uuid.uuid4().hex, instruction, seed, 0

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, chunk, dim): the first ones of each answer."""
        return np.stack([self._ask(self._slots[slot], row, observations) for row, slot in enumerate(slots)])

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def _ask(self, slot: _Slot, row: int, observations: Mapping[str, Array]) -> Array:
        """Actions (chunk, dim) for one slot."""
        self._check_memory(slot, slot.on)
        message: dict[str, object] = {
            theirs: self._joined(ours, row, observations) for theirs, ours in self._keys.items()
        }
        message["prompt"] = slot.instruction
        if self._episodes:
            message |= {"unit_id": slot.unit, "subtask": slot.subtask, "episode_id": slot.episode, "seed": slot.seed}
            message |= {"reset": slot.step == 0, "step": slot.step}
        before, slot.on = self._link.connections, -1
        answer = self._link.ask(pack(message), again=False)
        self._check_memory(slot, before)
        slot.on = self._link.connections
        slot.step += 1
        return self._first_actions(answer)

    def _check_memory(self, slot: _Slot, connection: int) -> None:
        """Raise ForgottenError where a subtask under way began on another connection than the present one."""
        if self._episodes and slot.step and connection != self._link.connections:
            raise ForgottenError("the connection broke, and with it what the server knew of this subtask may be gone.")

    def _joined(self, names: Sequence[str], row: int, observations: Mapping[str, Array]) -> Array:
        """What is sent under one name."""
        values: list[Array] = [observations[name][row] for name in names]
        if len(values) > 1:
            return np.concatenate(values)
        spec = self.spec.observations[names[0]]
        if self._resize is not None and isinstance(spec, ImageSpec) and spec.kind == "rgb":
            return fit(values[0], self._resize)
        return values[0]

    def _first_actions(self, answer: str | bytes) -> Array:
        """The actions to execute.

        Raises:
            PolicyError: there are too few, or of another length.
            SimulationError: the server reports an error, or answers something else.
        """
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
            raise PolicyError(
                f"the server's actions have the shape {actions.shape}; at least chunk={chunk} of {dim} numbers each "
                "are needed. Choose another chunk=, or a server for this benchmark."
            )
        first: Array = actions[:chunk]
        return first


def _check_fields(theirs: str, ours: Sequence[str], offered: Mapping[str, FieldSpec]) -> None:
    """Refuse fields that the benchmark has not, and joined pictures."""
    for name in ours:
        if name not in offered:
            raise UnknownNameError(f"field in keys={theirs}:{'+'.join(ours)}:", name, offered)
        if len(ours) > 1 and not isinstance(offered[name], VectorSpec):
            raise ConventionError(f"keys={theirs}:{'+'.join(ours)}: '{name}' is a picture; only vectors are joined.")


def _is_depth(spec: FieldSpec) -> bool:
    """Whether a field is a depth image, which is rendered only where asked for."""
    return isinstance(spec, ImageSpec) and spec.kind == "depth"
