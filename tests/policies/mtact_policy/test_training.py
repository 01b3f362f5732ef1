"""Losses, statistics, and that training lowers the loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mtact_policy.statistics import Statistics
from mtact_policy.training import TrainingBatch, losses, make_optimizer, style_noise, train_step
from seer_bench import UsageError
from tests.fakes.mtact_files import SENTENCE_DIM, tiny_network


def batch(size: int = 3) -> TrainingBatch:
    generator = torch.Generator().manual_seed(2)
    shapes = ((size, 8), (size, 2, 3, 40, 70), (size, SENTENCE_DIM), (size, 4, 7))
    padding = torch.zeros(size, 4, dtype=torch.bool)
    padding[0, 2:] = True
    return TrainingBatch(*(torch.randn(shape, generator=generator) for shape in shapes), padding)


def test_losses_are_the_masked_error_and_the_divergence_from_the_prior():
    model, given = tiny_network(), batch()
    noise = style_noise(3, model, torch.Generator().manual_seed(4))
    with torch.no_grad():
        found = losses(model, given, noise)
        mean, log_variance = model.style(given.actions, given.padding)
        deviation = (log_variance / 2).exp()
        error = (model(given.state, given.images, given.sentence, mean + deviation * noise) - given.actions).abs()
    assert found.l1.item() == pytest.approx((error.sum() - error[0, 2:].sum()).item() / error.numel(), rel=1e-5)
    divergence = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(dim=1).mean()
    assert found.kl.item() == pytest.approx(divergence.item(), rel=1e-5)
    assert found.total.item() == pytest.approx(found.l1.item() + 10 * found.kl.item(), rel=1e-6)


def test_what_stands_behind_the_end_changes_no_loss():
    model, given = tiny_network(), batch()
    noise = torch.zeros(3, 4)
    with torch.no_grad():
        before = losses(model, given, noise).total
        given.actions[0, 2:] = torch.nan
        assert losses(model, given, noise).total.item() == before.item()


def test_training_lowers_the_loss_and_leaves_unread_decoder_layers_alone():
    model, given = tiny_network(dropout=0.0).train(), batch()
    unread = model.transformer.decoder.layers[1]
    optimizer = make_optimizer(model, 1e-3, 1e-4)
    generator = torch.Generator().manual_seed(0)
    totals = [train_step(model, optimizer, given, generator).total.item() for _ in range(30)]
    assert totals[-1] < 0.2 * totals[0]
    assert all(parameter.grad is None for parameter in unread.parameters())
    never = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    assert all(name.startswith("transformer.decoder.layers.1.") for name in never)
    rates = {group["lr"]: len(group["params"]) for group in optimizer.param_groups}
    assert rates[1e-4] == len(list(model.backbone.parameters()))
    assert sum(rates.values()) == len(list(model.parameters()))


def test_batches_of_another_shape_are_refused():
    model, given = tiny_network(), batch()
    with pytest.raises(UsageError, match=r"actions of shape \(3, 3, 7\); the network needs \(3, 4, 7\)"):
        losses(
            model,
            TrainingBatch(given.state, given.images, given.sentence, given.actions[:, 1:], given.padding),
            given.state,
        )


def test_statistics_are_means_and_clipped_sample_deviations():
    rng = np.random.default_rng(0)
    states, actions = rng.normal(3, 2, (40, 8)), rng.normal(size=(40, 7))
    states[:, 1], actions[:, 2] = 5, 1000 * actions[:, 2]
    found = Statistics.of(states, actions)
    np.testing.assert_allclose(found.state_mean, states.mean(0), rtol=1e-5)
    assert found.state_std[1] == np.float32(0.01)
    assert found.action_std[2] == 10
    tensor = torch.from_numpy(states[:, :1])
    assert found.state_std[0] == pytest.approx(tensor.std(dim=0).item(), rel=1e-5)
    np.testing.assert_allclose(
        found.action(found.normal_action(actions).astype(np.float64)), actions, rtol=1e-4, atol=1e-4
    )
    with pytest.raises(UsageError, match="all finite"):
        Statistics.of(states * np.nan, actions)
