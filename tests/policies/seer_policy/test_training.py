"""Losses, labels, one step of training, and what fine-tuning takes over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from seer_bench import CheckpointError, UsageError
from seer_policy.config import AttentionOptions, SeerConfig, TextConfig, VisionConfig
from seer_policy.losses import TrainingBatch, action_labels, losses
from seer_policy.model import Seer
from seer_policy.training import (
    MAX_GRADIENT_NORM,
    backward,
    cosine_schedule,
    make_optimizer,
    pretrained_weights,
    train_step,
)

PARTS = ("arm", "gripper", "image_primary", "image_wrist", "image", "total")


def values(parts) -> list[float]:
    return [getattr(parts, name).item() for name in PARTS]


@pytest.mark.parametrize("name", ["tiny_ft", "tiny_ft_width", "tiny_pre", "tiny_pre_prop"])
def test_losses_are_those_recorded(golden, name):
    record = golden.record(name)
    model, batch = record.model(), record.batch()
    supervised = record.arrays["label_actions"].shape[1]
    labels = action_labels(batch.actions, supervised, model.config.action_tokens)
    np.testing.assert_array_equal(labels, record.arrays["label_actions"])
    parts = losses(record.run(model, batch), batch, model.config)
    assert values(parts) == pytest.approx([record.facts["losses"][name] for name in PARTS], abs=1e-6)


@pytest.mark.parametrize("name", ["tiny_ft", "tiny_pre"])
def test_a_training_step_does_what_was_recorded(golden, name):
    record = golden.record(name)
    model, batch, step = record.model(), record.batch(), record.facts["train_step"]
    report = train_step(model, make_optimizer(model, 1e-3), batch, np.random.RandomState(0))
    assert report.gradient_norm == pytest.approx(step["grad_norm_before_clip"], abs=2e-5)
    assert values(report.losses) == pytest.approx([record.facts["losses"][name] for name in PARTS], abs=1e-6)
    unread = sorted(n for n, p in model.named_parameters() if p.requires_grad and p.grad is None)
    assert unread == step["no_grad_params"]
    assert all(p.grad is None for p in (*model.vision_encoder.parameters(), *model.clip_model.parameters()))
    after = losses(record.run(model, batch), batch, model.config)
    assert values(after) == pytest.approx([step["loss_after"][name] for name in PARTS], abs=2e-5)


def test_windows_too_short_for_the_targets_are_refused(golden):
    record = golden.record("tiny_ft")
    batch = record.batch()
    short = dataclasses.replace(batch, actions=batch.actions[:, :6])
    with pytest.raises(UsageError, match="windows of 6 steps, but 4 supervised steps need windows of 7"):
        losses(None, short, record.config)


def small(**changes) -> Seer:
    config = SeerConfig(
        history=3, hidden_dim=32, layers=1, heads=4, resampler_queries=2, foresight_tokens=4, action_tokens=2,
        vision=VisionConfig(16, 1, 2), text=TextConfig(16, 1, 2, 8),
    )  # fmt: skip
    torch.manual_seed(0)
    return Seer(dataclasses.replace(config, **changes))


def test_hidden_foresight_is_drawn_in_training_alone():
    model = small(attention=AttentionOptions(isolated_actions=True, hidden_foresight=0.5))
    layout = model.config.layout
    usual = model.attention_mask[layout.action_slice, layout.foresight_slice]
    assert usual.all()
    rng = np.random.RandomState(3)
    drawn = [model.draw_mask(rng)[layout.action_slice, layout.foresight_slice] for _ in range(5)]
    assert all(mask.sum(dim=1).eq(4).all() for mask in drawn)
    assert any(not torch.equal(mask, drawn[0]) for mask in drawn[1:])


def test_gradients_of_several_batches_are_held_below_the_greatest_norm():
    model = small().train()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 1, 6, 3, 224, 224, generator=generator)
    state, text = torch.randn(1, 6, 7, generator=generator), torch.randn(1, 16, generator=generator)
    actions = torch.rand(1, 6, 7, generator=generator).round() * 2 - 1
    batch = TrainingBatch(images[0], images[1], state, text, actions)
    for _ in range(2):
        assert backward(model, batch, np.random.RandomState(0)).gradient_norm > MAX_GRADIENT_NORM
    gradients = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    assert torch.stack(gradients).norm().item() == pytest.approx(MAX_GRADIENT_NORM, rel=1e-4)


def test_the_learning_rate_rises_and_falls():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = cosine_schedule(optimizer, 2, 6)
    rates = []
    for _ in range(7):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.0, 1.0, 2.0, 1 + 2**-0.5, 1.0, 1 - 2**-0.5, 0.0])


def test_fine_tuning_keeps_the_first_positions_and_resets_readout_tokens():
    pretrained = small(history=5)
    for parameter in pretrained.parameters():
        parameter.data.normal_()
    weights = pretrained.state_dict()
    model = small()
    model.load_state_dict(pretrained_weights(weights, model.config, reset_readout=True))
    assert torch.equal(
        model.transformer_backbone_position_embedding, weights["transformer_backbone_position_embedding"][:, :3]
    )
    assert not model.obs_tokens.any()
    assert not model.action_pred_token.any()
    assert torch.equal(model.text_projector.weight, weights["text_projector.weight"])
    kept = pretrained_weights(weights, model.config, reset_readout=False)
    assert torch.equal(kept["obs_tokens"], weights["obs_tokens"])
    with pytest.raises(CheckpointError, match="3 time positions, but the history is 5"):
        pretrained_weights(model.state_dict(), pretrained.config, reset_readout=False)
