"""One step of training, and what a fine-tuning run takes over from pre-training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from seer_bench.errors import CheckpointError

from .config import SeerConfig
from .losses import FUTURE_STEPS, Losses, TrainingBatch, losses
from .model import Seer

MAX_GRADIENT_NORM = 0.1
"""Gradients are scaled down to this global norm."""
WEIGHT_DECAY = 1e-4
"""Of AdamW, for every trained parameter, biases and norms included."""
READOUT = ("obs_tokens", "action_pred_token")
"""Names of the [FRS] and [INV] tokens."""
POSITIONS = "transformer_backbone_position_embedding"
"""Name of the time positions, one row a step."""


@dataclass(frozen=True)
class StepReport:
    """What one training step saw, before it changed the weights."""

    losses: Losses
    """The losses, detached."""
    gradient_norm: float
    """Global norm of the gradient before it was scaled down."""


def make_optimizer(model: nn.Module, learning_rate: float) -> torch.optim.AdamW:
    """AdamW over the trained parameters, in one group."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=learning_rate, weight_decay=WEIGHT_DECAY)


def cosine_schedule(optimizer: torch.optim.Optimizer, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Learning rate: up linearly over `warmup_steps`, then down along half a cosine to 0 at `total_steps`."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / max(warmup_steps, 1)
        progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        return max(0.0, (1 + math.cos(math.pi * progress)) / 2)

    return LambdaLR(optimizer, factor)


def backward(
    model: Seer, batch: TrainingBatch, rng: np.random.RandomState, future_steps: int = FUTURE_STEPS
) -> StepReport:
    """Add the gradient of one batch to the gradients held, and scale their sum down to `MAX_GRADIENT_NORM`.

    In training mode `rng` draws the [FRS] tokens that are hidden from [INV], anew for every batch.
    """
    steps = model.config.history
    mask = model.draw_mask(rng) if model.training else None
    output = model(batch.primary[:, :steps], batch.wrist[:, :steps], batch.state[:, :steps], batch.text, mask=mask)
    parts = losses(output, batch, model.config, future_steps)
    parts.total.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
    detached = Losses(*(part.detach() for part in (parts.arm, parts.gripper, parts.image_primary, parts.image_wrist)))
    return StepReport(detached, float(norm))


def train_step(
    model: Seer,
    optimizer: torch.optim.Optimizer,
    batch: TrainingBatch,
    rng: np.random.RandomState,
    future_steps: int = FUTURE_STEPS,
) -> StepReport:
    """One step of the optimiser on one batch."""
    optimizer.zero_grad(set_to_none=True)
    report = backward(model, batch, rng, future_steps)
    optimizer.step()
    return report


def pretrained_weights(weights: Mapping[str, Tensor], config: SeerConfig, *, reset_readout: bool) -> dict[str, Tensor]:
    """Weights to begin a fine-tuning run with.

    A shorter history keeps the first time positions. With `reset_readout` the [FRS] and [INV] tokens begin at zero
    again; everything else is taken over.

    Args:
        weights: state dict of a pre-trained network, names without prefix.
        config: the network to be fine-tuned.
        reset_readout: whether readout tokens are reset, see the variant's recipe.

    Raises:
        CheckpointError: the pre-trained network has too few time positions.
    """
    rows = weights[POSITIONS].shape[1]
    if rows < config.history:
        raise CheckpointError(
            f"the pre-trained weights hold {rows} time positions, but the history is {config.history} steps. "
            f"Fine-tune with a history of at most {rows}, or pre-train with a longer one."
        )
    adapted = dict(weights)
    adapted[POSITIONS] = weights[POSITIONS][:, : config.history].clone()
    if reset_readout:
        adapted.update({name: torch.zeros_like(weights[name]) for name in READOUT if name in weights})
    return adapted
