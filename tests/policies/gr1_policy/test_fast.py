"""Fast inference against the straightforward forward pass, padded as the published code pads."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from gr1_policy.fast import FastGr1
from tests.fakes.gr1_plugins import TINY, tiny_network

STEPS = 2 * TINY.history + 2


def frames(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both cameras, states and a sentence of one rollout."""
    generator = torch.Generator().manual_seed(seed)
    static, hand = torch.randn(2, STEPS, 3, 224, 224, generator=generator)
    return static, hand, torch.randn(STEPS, 7, generator=generator).sign(), torch.randn(512, generator=generator)


def whole(t: int, static: Tensor, hand: Tensor, state: Tensor, text: Tensor) -> Tensor:
    """The network on the last frames; zeros stand behind them where there are fewer than it can see."""
    network, first = tiny_network(), max(0, t + 1 - TINY.history)
    count = t + 1 - first
    padded = []
    for x in (static, hand, state):
        window = torch.zeros(1, TINY.history, *x.shape[1:])
        window[0, :count] = x[first : t + 1]
        padded.append(window)
    valid = torch.arange(TINY.history)[None] < count
    output = network(*padded, text[None], valid, foresight=False)
    return torch.cat([output.arm, output.gripper], -1)[0, count - 1]


@torch.no_grad()
def test_each_step_predicts_as_the_whole_network_does() -> None:
    seen, fast = frames(1), FastGr1(tiny_network())
    fast.reset(0, seen[3])
    wanted = [whole(t, *seen) for t in range(STEPS)]
    for t in range(STEPS):
        arm, gripper = fast.step([0], *(x[t : t + 1] for x in seen[:3]))
        torch.testing.assert_close(torch.cat([arm, gripper], -1)[0], wanted[t], atol=3e-6, rtol=0)
    assert min((a - b).abs().max() for a, b in itertools.pairwise(wanted)) > 1e-3, "tolerance would miss it"


def test_a_reset_forgets_everything() -> None:
    seen, fast = frames(1), FastGr1(tiny_network())
    made = []
    for _ in range(2):
        fast.reset(0, seen[3])
        made.append(torch.cat([fast.step([0], *(x[t : t + 1] for x in seen[:3]))[0] for t in range(STEPS)]))
    assert torch.equal(*made)


@pytest.mark.parametrize("late", [0, 1, 4])
def test_slots_of_one_call_do_not_know_how_old_the_others_are(late: int) -> None:
    seen, others = frames(1), [frames(seed) for seed in (2, 3)]
    made = []
    for other, start in ((others[0], 0), (others[1], late)):
        fast = FastGr1(tiny_network())
        fast.reset(0, seen[3])
        outputs = []
        fast.reset(7, other[3])
        for t in range(STEPS):
            if t == start:
                fast.reset(7, other[3])
            both = (torch.stack([mine[t], theirs[t]]) for mine, theirs in zip(seen[:3], other[:3], strict=True))
            outputs.append(fast.step([0, 7], *both)[0][0])
        made.append(torch.stack(outputs))
    assert torch.equal(*made)
