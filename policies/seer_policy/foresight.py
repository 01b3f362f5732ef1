"""Foreseen patches to pictures that people can look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seer_bench_nn.clip_image import clip_image, denormalise
from seer_bench_nn.patches import patch_statistics, patchify, unpatchify


def foreseen_images(patches: Tensor, frames: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Undo the normalisation of foreseen patches.

    The network predicts every patch without its mean and deviation. Both are taken from the same patch of the current
    frame, so that nothing of the future leaks into the picture; where much moves, its colours are those of the present.

    Args:
        patches: foreseen patches (n, 196, 768), one set a camera, see `VisualForesight.foresee`.
        frames: the n current frames (height, width, 3), uint8, in the same order, as they were given to `clip_image`.

    Returns:
        n pictures (224, 224, 3), uint8, of the middle of the frame that `clip_image` cuts out.
    """
    current = patchify(torch.stack([clip_image(frame) for frame in frames]))
    mean, deviation = patch_statistics(current)
    pixels = denormalise(unpatchify(patches.float().cpu() * deviation + mean))
    return [image.permute(1, 2, 0).contiguous().numpy() for image in pixels]
