"""The network: its tensors, its mask, and what it is trained for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gr1_policy.config import Gr1Config
from gr1_policy.losses import TrainingBatch, image_labels, losses
from gr1_policy.mask import attention_mask
from gr1_policy.model import Gr1
from seer_bench.errors import UsageError
from seer_bench_nn.loading import uninitialised
from tests.fakes.gr1_plugins import TINY, tiny_network


def window(steps: int, seed: int = 0) -> TrainingBatch:
    generator = torch.Generator().manual_seed(seed)
    static, hand = torch.randn(2, 1, steps, 3, 224, 224, generator=generator)
    arm = torch.rand(1, steps, 6, generator=generator) * 2 - 1
    gripper = torch.where(torch.rand(1, steps, 1, generator=generator) < 0.5, -1.0, 1.0)
    state = torch.cat([arm.flip(1), gripper.flip(1)], dim=-1)
    return TrainingBatch(static, hand, state, torch.randn(1, 512, generator=generator), torch.cat([arm, gripper], -1))


def test_names_and_shapes_are_those_of_the_published_network(shared: Path) -> None:
    published = json.loads((shared / "specs" / "gr1_state_dict.json").read_text())
    with uninitialised():
        network = Gr1(Gr1Config())
    ours = {
        n: list(t.shape) for n, t in network.state_dict().items() if not n.startswith(("model_clip.", "model_mae."))
    }
    never_read = {n for n in published["keys"] if n.endswith((".attn.bias", ".masked_bias")) or ".wte." in n}
    assert ours == {n: shape for n, shape in published["keys"].items() if n not in never_read}
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert trained + 384 == published["trainable"]  # 384: the embedding of a vocabulary of one


def test_attention_is_causal_sees_no_query_and_no_invalid_step() -> None:
    mask = attention_mask(2, 1, torch.tensor([[True, True, False]]))[0, 0].int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0, 0, 0],
    ]


@torch.no_grad()
def test_actions_depend_neither_on_foresight_nor_on_later_steps() -> None:
    network, seen = tiny_network(), window(3)
    given = (seen.static, seen.hand, seen.state, seen.text)
    whole, blind = network(*given), network(*given, foresight=False)
    assert whole.images.shape == (1, 3, 2, 196, 768)
    assert blind.images is None
    torch.testing.assert_close(whole.arm, blind.arm, atol=2e-6, rtol=0)
    other = network(*(x.index_fill(1, torch.tensor([2]), 0.5) for x in given[:3]), seen.text)
    torch.testing.assert_close(whole.arm[:, :2], other.arm[:, :2], atol=2e-6, rtol=0)
    assert (whole.arm[:, 2] - other.arm[:, 2]).abs().max() > 1e-3


def test_every_trained_weight_learns_and_the_loss_falls() -> None:
    torch.manual_seed(0)
    network, batch = tiny_network(), window(6)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer, totals = torch.optim.AdamW(trained, lr=1e-3), []
    for _ in range(3):
        output = network(batch.static[:, :3], batch.hand[:, :3], batch.state[:, :3], batch.text)
        loss = losses(output, batch, TINY)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        totals.append(loss.total.item())
    assert totals[0] > totals[1] > totals[2]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained)
    frozen = [name for name, p in network.named_parameters() if p.grad is None]
    assert all(name.startswith(("model_clip.", "model_mae.", "decoder_pos_embed")) for name in frozen)


def test_perfect_predictions_cost_nothing() -> None:
    batch = window(6)
    output = tiny_network()(batch.static[:, :3], batch.hand[:, :3], batch.state[:, :3], batch.text)
    images = torch.stack([image_labels(x[:, 3:6]) for x in (batch.static, batch.hand)], dim=2)
    perfect = type(output)(batch.actions[:, :3, :6], 100 * batch.actions[:, :3, 6:], images)
    assert losses(perfect, batch, TINY).total.item() < 1e-6
    labels = image_labels(batch.static)
    torch.testing.assert_close(labels.std(dim=-1), torch.ones(1, 6, 196), atol=1e-4, rtol=0)


def test_windows_too_short_for_the_targets_are_refused() -> None:
    batch = window(5)
    output = tiny_network()(batch.static[:, :3], batch.hand[:, :3], batch.state[:, :3], batch.text)
    with pytest.raises(UsageError, match="windows of 5 steps, but 3 supervised steps need windows of 6"):
        losses(output, batch, TINY)


def test_shapes_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(UsageError, match="hidden_dim is 40"):
        Gr1Config(hidden_dim=40)
    with pytest.raises(UsageError, match="history is 0"):
        Gr1Config(history=0)
