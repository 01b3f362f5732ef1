"""Temporal ensembling (Zhao et al., 2023): what several steps predicted for the present one is averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 0.01
"""Of Seer and of ACT: the i-th oldest prediction weighs exp(-0.01 i)."""


class TemporalEnsemble:
    """The last T predictions of every slot, averaged over those that speak of the present step.

    The numbers are those of upstream's table of all steps of a rollout, of which only T rows can matter: products and
    sums in float64, oldest first.

    Args:
        horizon: actions T that a step predicts, the first for its own step.
        size: numbers D of an action.
        temperature: the i-th oldest prediction weighs exp(-temperature * i); all weights together are 1.
        zero_means_empty: leave out predictions with a number that is exactly 0, as upstream does.
    """

    def __init__(
        self, horizon: int, size: int = 7, *, temperature: float = TEMPERATURE, zero_means_empty: bool = True
    ) -> None:
        self._horizon, self._zero_means_empty = horizon, zero_means_empty
        self._held = np.zeros((0, horizon, horizon, size), np.float32)
        """By slot and by how many steps ago it was predicted: T actions."""
        self._calls = np.zeros(0, np.int64)
        """Predictions of a slot since its reset."""
        self._weights = np.zeros((horizon + 1, horizon))
        """By number of predictions averaged, then by rank, the oldest first."""
        for count in range(1, horizon + 1):
            weights = np.exp(-temperature * np.arange(count))
            self._weights[count, :count] = weights / weights.sum()

    def reset(self, slots: Sequence[int]) -> None:
        """Forget what was predicted in slots, which may be new."""
        if missing := max(slots, default=-1) + 1 - len(self._calls):
            grown = max(missing, 0)
            self._held = np.concatenate([self._held, np.zeros((grown, *self._held.shape[1:]), np.float32)])
            self._calls = np.concatenate([self._calls, np.zeros(grown, np.int64)])
        self._calls[list(slots)] = 0

    def average(self, slots: Sequence[int], predicted: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add a step's predictions and average what is held for this step.

        Args:
            slots: n different slots, each reset before its first step.
            predicted: (n, T, D); entry j is for j steps ahead.

        Returns:
            Averages (n, D), float64; zeros in a row where every prediction was left out.
        """
        rows = np.asarray(slots)
        held = np.concatenate([predicted[:, None], self._held[rows, :-1]], axis=1)
        self._held[rows] = held
        self._calls[rows] += 1
        ages = np.arange(self._horizon)[::-1]  # the oldest first
        spoken = held[:, ages, ages]  # what was predicted k steps ago for k steps ahead
        counted = self._calls[rows, None] > ages
        if self._zero_means_empty:
            counted &= (spoken != 0).all(axis=2)
        rank = np.cumsum(counted, axis=1) - 1
        weights = self._weights[counted.sum(axis=1)[:, None], rank]
        total = np.zeros((len(rows), spoken.shape[2]))
        for k in range(self._horizon):
            total += np.where(counted[:, k, None], spoken[:, k].astype(np.float64) * weights[:, k, None], 0.0)
        return total
