"""The task checks against the recorded verdicts of upstream's oracle."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calvin_benchmark.oracle import TASK_NAMES, solved
from calvin_benchmark.recorded import recorded_snapshots
from seer_bench.errors import UnknownNameError


@pytest.mark.parametrize("record", ["oracle_truth", "oracle_truth_extra"])
def test_every_recorded_verdict_is_met(golden, record):
    arrays = np.load(golden / f"{record}.npz")
    snapshots = recorded_snapshots(arrays)
    verdicts = [[solved(task, snapshots[a], snapshots[b]) for task in TASK_NAMES] for a, b in arrays["pairs"]]
    np.testing.assert_array_equal(verdicts, arrays["labels"])
    if record == "oracle_truth":
        assert arrays["labels"].sum(axis=0).min() >= 45


def test_the_tasks_come_in_upstreams_order(golden):
    assert list(TASK_NAMES) == json.loads((golden / "tasks_and_annotations.json").read_text())["task_order"]


def test_an_unknown_task_is_refused_with_a_suggestion(golden):
    arrays = np.load(golden / "oracle_truth_extra.npz")
    snapshot = recorded_snapshots(arrays)[0]
    with pytest.raises(UnknownNameError, match="Did you mean 'open_drawer'"):
        solved("open_drawr", snapshot, snapshot)
