"""A policy that repeats what an earlier run did: `--policy replay --ckpt RUN/units.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seer_bench import (
    CheckpointError,
    Policy,
    PolicyArgs,
    PolicyContext,
    PolicyError,
    PolicySpec,
    SimulationError,
    Unit,
    read_run,
)
from seer_bench.contracts import Array


class ReplayPolicy(Policy):
    """Recorded actions, unit by unit, in the dtype in which they were recorded.

    Shows whether another machine, backend or protocol gives the same outcomes. Units are matched by the part of
    their id behind the protocol's name. A unit without a recording gets no outcome; one that outlives its recording is
    a failure of this policy. The replay of a privileged run is marked privileged.
    """

    def __init__(self, context: PolicyContext) -> None:
        PolicyArgs("replay", context.options)
        records = context.checkpoint
        # The file of records, not the directory: it names the actions by hash, while a directory also holds films and
        # sessions, whose coming and going would make it another checkpoint.
        if records is None or records.name != "units.jsonl":
            raise CheckpointError("the policy 'replay' needs the records of the run to repeat: --ckpt RUN/units.jsonl")
        self._run = read_run(records.parent)
        self._by_slug = {Unit(id, 0).slug: result for id, result in self._run.results.items()}
        self.spec = PolicySpec(
            observations={},
            action=context.interface.action,
            privileged=self._run.manifest.policy.privileged,
            placement="worker",
        )
        self._actions: dict[int, Array] = {}
        self._next: dict[int, int] = {}

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """Fetch the recording of each unit; raises SimulationError where there is none."""
        for slot, unit in zip(slots, units, strict=True):
            result = self._by_slug.get(unit.slug)
            if result is None or result.outcome == "error":
                raise SimulationError(f"{self._run.path} holds no recording of {unit.slug}; leave it out of --units.")
            self._actions[slot] = self._run.actions(result.unit_id)
            self._next[slot] = 0

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Nothing to forget: the recording runs through the whole unit."""

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """The next recorded action of each slot (n, 1, dim)."""
        return np.stack([self._take(slot) for slot in slots])

    def _take(self, slot: int) -> Array:
        """The next action (1, dim) of a slot."""
        index = self._next[slot]
        if index >= len(self._actions[slot]):
            raise PolicyError(f"the recording ends after {index} actions, but the unit goes on.")
        self._next[slot] = index + 1
        return self._actions[slot][index : index + 1]
