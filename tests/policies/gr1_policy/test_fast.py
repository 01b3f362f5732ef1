"""Fast inference against the straightforward forward pass, padded as the published code pads."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from gr1_policy.fast import FastGr1
from gr1_policy.model import Gr1, Gr1Output
from tests.fakes.gr1_plugins import TINY, tiny_network

STEPS = 2 * TINY.history + 2
Frame = tuple[Tensor, Tensor, Tensor]


def frames(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both cameras, states and a sentence of one rollout."""
    generator = torch.Generator().manual_seed(seed)
    static, hand = torch.randn(2, STEPS, 3, 224, 224, generator=generator)
    return static, hand, torch.randn(STEPS, 7, generator=generator).sign(), torch.randn(512, generator=generator)


def whole(network: Gr1, windows: list[list[Frame]], texts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Actions (n, 7) and patches (n, 2, 196, 768) at the last of each window's frames; zeros stand behind them."""
    padded = [torch.zeros(len(windows), TINY.history, *column.shape) for column in windows[0][0]]
    valid = torch.zeros(len(windows), TINY.history, dtype=torch.bool)
    for row, window in enumerate(windows):
        for column, held in zip(padded, zip(*window, strict=True), strict=True):
            column[row, : len(window)] = torch.stack(held)
        valid[row, : len(window)] = True
    output: Gr1Output = network(*padded, torch.stack(texts), valid)
    rows, newest = range(len(windows)), [len(window) - 1 for window in windows]
    assert output.images is not None
    return torch.cat([output.arm, output.gripper], -1)[rows, newest], output.images[rows, newest]


@torch.no_grad()
def test_slots_that_come_go_and_begin_anew_predict_as_the_whole_network_does() -> None:
    """Four slots, up to four in a call, over 24 calls; rollouts end at any time, most of them with a full history."""
    draw, generator, fast = random.Random(1), torch.Generator().manual_seed(1), FastGr1(tiny_network())
    windows: dict[int, list[Frame]] = {}
    texts: dict[int, Tensor] = {}
    ages, seen = dict.fromkeys(range(4), 0), []
    for _ in range(24):
        slots = draw.sample(range(4), draw.choice([1, 2, 4, 4]))
        for slot in slots:
            ages[slot] += 1
            if slot not in windows or draw.random() < 0.12:
                windows[slot], texts[slot], ages[slot] = [], torch.randn(512, generator=generator), 1
                fast.reset(slot, texts[slot])
            static, hand = torch.randn(2, 3, 224, 224, generator=generator)
            frame = (static, hand, torch.randn(7, generator=generator).sign())
            windows[slot] = [*windows[slot], frame][-TINY.history :]
        newest = [torch.stack(column) for column in zip(*(windows[slot][-1] for slot in slots), strict=True)]
        wanted, images = whole(fast.model, [windows[slot] for slot in slots], [texts[slot] for slot in slots])
        torch.testing.assert_close(torch.cat(fast.step(slots, *newest), -1), wanted, atol=3e-6, rtol=0)
        torch.testing.assert_close(fast.foresee(slots[-1]), images[-1], atol=3e-6, rtol=0)
        seen += [ages[slot] for slot in slots]
        assert len(wanted) == 1 or (wanted[0] - wanted[1]).abs().max() > 1e-3, "tolerance would miss it"
    assert max(seen) > 3 * TINY.history
    assert seen.count(1) > 6


def test_a_reset_forgets_everything_and_looking_ahead_leaves_no_trace() -> None:
    seen, fast = frames(1), FastGr1(tiny_network())
    made = []
    for looks in (False, True):
        fast.reset(0, seen[3])
        made.append([])
        for t in range(STEPS):
            made[-1].append(fast.step([0], *(x[t : t + 1] for x in seen[:3]))[0])
            if looks:
                fast.foresee(0)
    assert torch.equal(*(torch.cat(actions) for actions in made))


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
