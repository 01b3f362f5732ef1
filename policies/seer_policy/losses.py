"""What Seer is trained for: actions by inverse dynamics and images by visual foresight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seer_bench.errors import UsageError
from seer_bench_nn.patches import patch_statistics, patchify

from .config import SeerConfig
from .model import SeerOutput

FUTURE_STEPS = 3
"""How many steps ahead [FRS] foresees (the paper's n)."""
GRIPPER_WEIGHT = 0.01
"""Weight of the gripper's loss (the paper's lambda); the arm's is 1."""
IMAGE_WEIGHT = 0.1
"""Weight of the image loss (the paper's alpha). The paper says 0.5; the published training code uses 0.1."""


@dataclass(frozen=True)
class TrainingBatch:
    """Windows of W consecutive steps; the network sees the first `history` of them, the rest are targets."""

    primary: Tensor
    """Images of the primary camera (B, W, 3, 224, 224), augmented and normalised as CLIP does."""
    wrist: Tensor
    """Images of the wrist camera, likewise."""
    state: Tensor
    """Robot states (B, W, 7 or 8), see `InputTokenizers.state_token`."""
    text: Tensor
    """Sentence features (B, 512)."""
    actions: Tensor
    """Actions (B, W, 7): arm in [-1, 1], gripper -1 or +1."""


@dataclass(frozen=True)
class Losses:
    """The parts of the training loss, scalars; image losses are 0 for a network without visual foresight."""

    arm: Tensor
    """Smooth L1 over the arm actions."""
    gripper: Tensor
    """Binary cross entropy over the gripper actions."""
    image_primary: Tensor
    """Mean squared error over the normalised patches of the primary camera."""
    image_wrist: Tensor
    """The same of the wrist camera."""

    @property
    def image(self) -> Tensor:
        """Mean over both cameras."""
        return (self.image_primary + self.image_wrist) / 2

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.arm + GRIPPER_WEIGHT * self.gripper + IMAGE_WEIGHT * self.image


def losses(output: SeerOutput, batch: TrainingBatch, config: SeerConfig, future_steps: int = FUTURE_STEPS) -> Losses:
    """Compare predictions with what the window holds.

    Steps without a goal state (the last `goal_offset` ones, see `mask.attention_mask`) are left out.

    Raises:
        UsageError: the window is too short for the targets.
    """
    steps = config.history - config.attention.goal_offset
    needed = steps + max(future_steps, config.action_tokens - 1)
    window = batch.actions.shape[1]
    if steps < 1 or window < needed:
        raise UsageError(
            f"losses: windows of {window} steps, but {steps} supervised steps need windows of {needed}. "
            "Make the window longer, or the history shorter."
        )
    labels = action_labels(batch.actions, steps, config.action_tokens)
    arm = functional.smooth_l1_loss(output.arm[:, :steps], labels[..., :6])
    gripper = functional.binary_cross_entropy(output.gripper[:, :steps], labels[..., 6:])
    if output.images is None:
        return Losses(arm, gripper, arm.new_zeros(()), arm.new_zeros(()))
    future = slice(future_steps, future_steps + steps)
    image_losses = [
        functional.mse_loss(output.images[:, :steps, camera], image_labels(images[:, future]))
        for camera, images in enumerate((batch.primary, batch.wrist))
    ]
    return Losses(arm, gripper, *image_losses)


def action_labels(actions: Tensor, steps: int, chunk: int) -> Tensor:
    """Actions (B, W, 7) to targets (B, steps, chunk, 7): entry t, j is the action of step t + j.

    The gripper's -1 and +1 become the classes 0 and 1.
    """
    classes = torch.cat([actions[..., :6], ((actions[..., 6:] + 1) / 2).floor()], dim=-1)
    return torch.stack([classes[:, j : j + steps] for j in range(chunk)], dim=2)


def image_labels(images: Tensor) -> Tensor:
    """Images (..., 3, 224, 224) to patches (..., 196, 768), each normalised by its own mean and deviation."""
    patches = patchify(images)
    mean, deviation = patch_statistics(patches)
    return (patches - mean) / deviation
