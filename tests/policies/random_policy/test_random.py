from __future__ import annotations

import numpy as np
import pytest

from random_policy import RandomPolicy
from seer_bench import CheckpointError, PolicyContext, UsageError
from tests.fakes.tally_plugins import ACTION, FIELDS, Interface, protocol

CONTEXT = PolicyContext(Interface("tally", FIELDS, ACTION), protocol())


def act(policy: RandomPolicy, slots: list[int], steps: int) -> list[np.ndarray]:
    return [policy.act(slots, {}) for _ in range(steps)]


def test_the_seed_of_the_subtask_decides_and_nothing_else():
    one, other = RandomPolicy(CONTEXT), RandomPolicy(CONTEXT)
    one.reset([0, 1], ["a", "b"], [5, 6])
    other.reset([1], ["c"], [6])
    together = np.stack(act(one, [0, 1], 4))
    alone = np.stack(act(other, [1], 4))
    assert np.array_equal(together[:, 1:], alone)
    assert not np.array_equal(together[:, 0], together[:, 1])
    assert together.shape == (4, 2, 1, 2)
    assert np.abs(together).max() <= 1


@pytest.mark.parametrize(
    ("change", "error"), [({"checkpoint": "x.pth"}, CheckpointError), ({"options": {"speed": "1"}}, UsageError)]
)
def test_what_it_does_not_take_is_refused(change, error):
    with pytest.raises(error, match="random"):
        RandomPolicy(PolicyContext(CONTEXT.interface, CONTEXT.protocol, **change))
