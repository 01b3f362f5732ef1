"""A policy that acts at random: the floor of every table, and the smallest example of a plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seer_bench import CheckpointError, Policy, PolicyArgs, PolicyContext, PolicySpec
from seer_bench.contracts import Array


class RandomPolicy(Policy):
    """Uniform actions in [-1, 1], from the seed of the subtask; looks at nothing."""

    def __init__(self, context: PolicyContext) -> None:
        if context.checkpoint is not None:
            raise CheckpointError(f"the policy 'random' takes no checkpoint, but --ckpt is {context.checkpoint}.")
        PolicyArgs("random", context.options)
        self.spec = PolicySpec(
            observations={}, action=context.interface.action, placement="worker", arm={"method": "Random"}
        )
        self._rng: dict[int, np.random.Generator] = {}

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Start the random numbers of each slot."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._rng[slot] = np.random.default_rng(seed)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, dim), float64."""
        return np.stack([self._rng[slot].uniform(-1, 1, (1, self.spec.action.dim)) for slot in slots])
