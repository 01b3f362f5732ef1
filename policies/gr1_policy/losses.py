"""What GR-1 is trained for: actions and the images of the future.

Its training code is not published: that the parts are summed with equal weights is an assumption. The distance to the
foreseen frame and the normalisation of patches are those of the published network's configuration and code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seer_bench.errors import UsageError
from seer_bench_nn.patches import patchify

from .config import Gr1Config
from .model import Gr1Output

FUTURE_STEPS = 3
"""How many steps ahead images are foreseen (`fwd_pred_next_n`)."""


@dataclass(frozen=True)
class TrainingBatch:
    """Windows of W consecutive steps; the network sees the first `history` of them, the rest are targets."""

    static: Tensor
    """Images of the static camera (B, W, 3, 224, 224), see `images.gr1_image`."""
    hand: Tensor
    """Images of the hand camera, likewise."""
    state: Tensor
    """Robot states (B, W, 7), see `Gr1.step_tokens`."""
    text: Tensor
    """Sentence features (B, 512)."""
    actions: Tensor
    """Actions (B, W, 7): arm in [-1, 1], gripper -1 or +1."""


@dataclass(frozen=True)
class Losses:
    """The parts of the training loss, scalars; image losses are 0 where no images were foreseen."""

    arm: Tensor
    """Smooth L1 over the arm actions."""
    gripper: Tensor
    """Binary cross entropy over the gripper actions."""
    image_static: Tensor
    """Mean squared error over the normalised patches of the static camera."""
    image_hand: Tensor
    """The same of the hand camera."""

    @property
    def total(self) -> Tensor:
        """What is minimised; the image losses of both cameras are averaged."""
        return self.arm + self.gripper + (self.image_static + self.image_hand) / 2


def losses(output: Gr1Output, batch: TrainingBatch, config: Gr1Config, future_steps: int = FUTURE_STEPS) -> Losses:
    """Compare predictions with what the window holds.

    Raises:
        UsageError: the window is too short for the targets.
    """
    steps, window = config.history, batch.actions.shape[1]
    needed = steps + (future_steps if output.images is not None else 0)
    if window < needed:
        raise UsageError(
            f"losses: windows of {window} steps, but {steps} supervised steps need windows of {needed}. "
            "Make the window longer, or the history shorter."
        )
    actions = batch.actions[:, :steps]
    arm = functional.smooth_l1_loss(output.arm, actions[..., :6])
    is_open = (actions[..., 6:] > 0).to(output.gripper.dtype)
    gripper = functional.binary_cross_entropy_with_logits(output.gripper, is_open)
    if output.images is None:
        return Losses(arm, gripper, arm.new_zeros(()), arm.new_zeros(()))
    future = slice(future_steps, future_steps + steps)
    images = [
        functional.mse_loss(output.images[:, :, camera], image_labels(frames[:, future]))
        for camera, frames in enumerate((batch.static, batch.hand))
    ]
    return Losses(arm, gripper, *images)


def image_labels(images: Tensor) -> Tensor:
    """Images (..., 3, 224, 224) to patches (..., 196, 768), each normalised by its own mean and deviation.

    1e-6 is added to the deviation, not under the root as in MAE.
    """
    patches = patchify(images)
    deviation, mean = torch.std_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (deviation + 1e-6)
