"""Means and deviations of a dataset, by which states and actions are normalised for the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import CheckpointError, UsageError

DEVIATIONS = (1e-2, 10.0)
"""Deviations are clipped to this range, as RoboAgent does, so that a number that never changes is not blown up."""

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """Of the demonstrations that a network was trained on; all float32, in the units of states and actions."""

    state_mean: Numbers
    """(state_dim,)."""
    state_std: Numbers
    """(state_dim,)."""
    action_mean: Numbers
    """(action_dim,)."""
    action_std: Numbers
    """(action_dim,)."""

    @classmethod
    def of(cls, states: NDArray[np.floating], actions: NDArray[np.floating]) -> Statistics:
        """Measure all steps of a dataset.

        Args:
            states: (steps, state_dim).
            actions: (steps, action_dim).

        Raises:
            UsageError: there are fewer than two steps, or numbers are NaN or infinite.
        """
        measured = []
        for what, values in (("states", states), ("actions", actions)):
            if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
                raise UsageError(
                    f"statistics: {what} of shape {values.shape}; give at least two steps (steps, numbers), all finite."
                )
            deviation = values.astype(np.float64).std(axis=0, ddof=1).clip(*DEVIATIONS)
            measured += [values.astype(np.float64).mean(axis=0), deviation]
        return cls(*(numbers.astype(np.float32) for numbers in measured))

    @classmethod
    def read(
        cls, arrays: Mapping[str, NDArray[np.floating]], state_dim: int, action_dim: int, path: Path
    ) -> Statistics:
        """Take them from named arrays; `path` is the file, for messages.

        Raises:
            CheckpointError: one is missing, has another length, or holds what can be no mean or deviation.
        """
        values: dict[str, Numbers] = {}
        for name in cls.__dataclass_fields__:
            length = state_dim if name.startswith("state") else action_dim
            if name not in arrays:
                raise CheckpointError(f"{path}: {name}, a part of the normalisation statistics, is missing.")
            numbers = np.asarray(arrays[name], np.float32).reshape(-1)
            low = 0 if name.endswith("std") else -np.inf
            if len(numbers) != length or not np.isfinite(numbers).all() or not (numbers > low).all():
                raise CheckpointError(
                    f"{path}: {name} is {numbers.tolist()}; needed are {length} finite numbers"
                    f"{', all above 0' if low == 0 else ''}."
                )
            values[name] = numbers
        return cls(**values)

    def normal_state(self, state: NDArray[np.floating]) -> Numbers:
        """States (..., state_dim) for the network."""
        return ((state.astype(np.float32) - self.state_mean) / self.state_std).astype(np.float32)

    def normal_action(self, action: NDArray[np.floating]) -> Numbers:
        """Actions (..., action_dim) as the network is taught them."""
        return ((action.astype(np.float32) - self.action_mean) / self.action_std).astype(np.float32)

    def action(self, normal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actions (..., action_dim) from what the network predicts."""
        return normal * self.action_std + self.action_mean
