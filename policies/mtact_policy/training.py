"""Training of MT-ACT: its losses, its optimiser, one step.

It is trained for the demonstrated chunk, under a style whose distribution stays near the prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seer_bench.errors import UsageError

from .model import Mtact

KL_WEIGHT = 10.0
"""RoboAgent's weight of the divergence; that of the actions is 1."""
LEARNING_RATE = 1e-5
"""RoboAgent's, of the image encoder and of all else."""
WEIGHT_DECAY = 1e-4
"""Of AdamW."""


@dataclass(frozen=True)
class TrainingBatch:
    """Observed steps and the actions that were demonstrated from there on."""

    state: Tensor
    """Normalised proprioception (B, state_dim)."""
    images: Tensor
    """(B, cameras, 3, height, width), see `model.prepared_images`."""
    sentence: Tensor
    """Embeddings (B, sentence_dim)."""
    actions: Tensor
    """Normalised actions (B, chunk, action_dim), anything behind a demonstration's end."""
    padding: Tensor
    """Bool (B, chunk), True behind a demonstration's end."""


@dataclass(frozen=True)
class Losses:
    """The parts of the training loss, scalars."""

    l1: Tensor
    """Absolute error of the actions; padded ones count as 0 in the mean over all."""
    kl: Tensor
    """Divergence of the style from a standard normal distribution: sum over its numbers, mean over the batch."""

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.l1 + KL_WEIGHT * self.kl


def losses(model: Mtact, batch: TrainingBatch, noise: Tensor) -> Losses:
    """Losses of a batch.

    Args:
        model: the network.
        batch: what was demonstrated.
        noise: standard normal (B, latent_dim), which draws the style.

    Raises:
        UsageError: actions, padding or noise have another shape than the network needs.
    """
    config, size = model.config, len(batch.state)
    for what, found, needed in (
        ("actions", batch.actions, (size, config.chunk, config.action_dim)),
        ("padding", batch.padding, (size, config.chunk)),
        ("noise", noise, (size, config.latent_dim)),
    ):
        if tuple(found.shape) != needed:
            raise UsageError(f"losses: {what} of shape {tuple(found.shape)}; the network needs {needed}.")
    actions = batch.actions.masked_fill(batch.padding[..., None], 0)
    mean, log_variance = model.style(actions, batch.padding)
    predicted = model(batch.state, batch.images, batch.sentence, mean + (log_variance / 2).exp() * noise)
    l1 = ((predicted - actions).abs() * ~batch.padding[..., None]).mean()
    kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
    return Losses(l1, kl)


def style_noise(batch: int, model: Mtact, generator: torch.Generator) -> Tensor:
    """Noise (batch, latent_dim) for `losses`, drawn on the generator's device."""
    return torch.randn(batch, model.config.latent_dim, generator=generator, device=generator.device)


def make_optimizer(
    model: Mtact, learning_rate: float = LEARNING_RATE, backbone_rate: float = LEARNING_RATE
) -> torch.optim.AdamW:
    """AdamW over all parameters; the image encoder is a group of its own."""
    backbone = [value for name, value in model.named_parameters() if name.startswith("backbone.")]
    others = [value for name, value in model.named_parameters() if not name.startswith("backbone.")]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": backbone, "lr": backbone_rate}]
    return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=WEIGHT_DECAY)


def train_step(
    model: Mtact, optimizer: torch.optim.Optimizer, batch: TrainingBatch, generator: torch.Generator
) -> Losses:
    """One step of the optimiser on one batch; the generator draws the styles. Losses are those before the step."""
    optimizer.zero_grad(set_to_none=True)
    parts = losses(model, batch, style_noise(len(batch.state), model, generator).to(batch.state.device))
    parts.total.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    optimizer.step()
    return Losses(parts.l1.detach(), parts.kl.detach())
