"""What MT-ACT is trained for: the demonstrated chunk, under a style whose distribution stays near the prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seer_bench.errors import UsageError

from .model import Mtact

KL_WEIGHT = 10.0
"""RoboAgent's weight of the divergence; that of the actions is 1."""


@dataclass(frozen=True)
class TrainingBatch:
    """Observed steps and the actions that were demonstrated from there on."""

    state: Tensor
    """Normalised proprioception (B, state_dim)."""
    images: Tensor
    """(B, cameras, 3, height, width), see `images.prepared`."""
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
