from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seer_bench_nn.ensembling import TemporalEnsemble

STEPS = 12


def whole_table(predicted: np.ndarray, temperature: float) -> np.ndarray:
    """Averages (steps, D) over a table of all steps (row: when, column: for when), in PyTorch, as upstream does."""
    steps, horizon, size = predicted.shape
    table = torch.zeros(steps, steps + horizon, size)
    averages = []
    for now, row in enumerate(torch.from_numpy(predicted)):
        table[now, now : now + horizon] = row
        column = table[:, now]
        column = column[(column != 0).all(dim=1)]
        weights = np.exp(-temperature * np.arange(len(column)))
        share = torch.from_numpy(weights / max(weights.sum(), 1e-300))[:, None]
        averages.append((column * share).sum(dim=0).numpy())
    return np.stack(averages)


def predictions(seed: int, horizon: int, *, zeros: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(STEPS, horizon, 7)).astype(np.float32)
    values[rng.uniform(size=(STEPS, horizon)) < zeros, rng.integers(7)] = 0
    return values


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**20), horizon=st.sampled_from((1, 2, 3)), temperature=st.sampled_from((0.0, 0.01, 1.0)))
def test_averages_are_those_of_the_whole_table_to_the_bit(seed, horizon, temperature):
    slots = (4, 0)
    streams = [predictions(seed + slot, horizon) for slot in slots]
    ensemble = TemporalEnsemble(horizon, temperature=temperature)
    ensemble.reset(slots)
    played = [ensemble.average(slots, np.stack(both)) for both in zip(*streams, strict=True)]
    for row, stream in enumerate(streams):
        found = np.stack([step[row] for step in played])
        assert found.dtype == np.float64
        assert found.tobytes() == whole_table(stream, temperature).tobytes()


def test_a_reset_forgets_a_slot_and_no_other():
    one, two = predictions(1, 3, zeros=0.0), predictions(2, 3, zeros=0.0)
    ensemble = TemporalEnsemble(3)
    ensemble.reset([0, 1])
    for step in range(3):
        ensemble.average([0, 1], np.stack([one[step], two[step]]))
    ensemble.reset([0])
    first = ensemble.average([0], one[None, 0])[0]
    np.testing.assert_array_equal(first, one[0, 0].astype(np.float64))
    np.testing.assert_array_equal(ensemble.average([1], two[None, 3])[0], whole_table(two[:4], 0.01)[3])


def test_zeros_count_as_predictions_where_asked():
    predicted = predictions(3, 2, zeros=0.0)[:2]
    predicted[0, 1, 4] = 0  # the older of two predictions for step 1
    for zero_means_empty, entries in ((True, [predicted[1, 0]]), (False, [predicted[0, 1], predicted[1, 0]])):
        ensemble = TemporalEnsemble(2, zero_means_empty=zero_means_empty)
        ensemble.reset([0])
        ensemble.average([0], predicted[None, 0])
        weights = np.exp(-0.01 * np.arange(len(entries)))
        wanted = np.average(np.array(entries, np.float64), axis=0, weights=weights)
        assert ensemble.average([0], predicted[None, 1])[0] == pytest.approx(wanted, abs=1e-15)


def test_nothing_to_average_gives_zeros():
    ensemble = TemporalEnsemble(3)
    ensemble.reset([0])
    assert not ensemble.average([0], np.zeros((1, 3, 7), np.float32)).any()
