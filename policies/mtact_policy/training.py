"""One step of training."""

from __future__ import annotations

from typing import Any

import torch

from .losses import Losses, TrainingBatch, losses, style_noise
from .model import Mtact

LEARNING_RATE = 1e-5
"""RoboAgent's, of the image encoder and of all else."""
WEIGHT_DECAY = 1e-4
"""Of AdamW."""


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
