"""Foreseen patches to pictures that people can look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .patches import patch_statistics, patchify, unpatchify


def foreseen_images(
    patches: Tensor, current: Tensor, denormalise: Callable[[Tensor], Tensor]
) -> list[NDArray[np.uint8]]:
    """Undo the normalisation of foreseen patches.

    The network predicts every patch without its mean and deviation. Both are taken from the same patch of the current
    frame, so that nothing of the future leaks into the picture; where much moves, its colours are those of the present.

    Args:
        patches: foreseen patches (n, 196, 768), one set a camera.
        current: the n current frames in the same order, as the network sees them (n, 3, 224, 224), on the CPU.
        denormalise: back from what the network sees to pixels in uint8.

    Returns:
        n pictures (224, 224, 3), uint8, of what the network sees of a frame.
    """
    mean, deviation = patch_statistics(patchify(current))
    pixels = denormalise(unpatchify(patches.float().cpu() * deviation + mean))
    return [image.permute(1, 2, 0).contiguous().numpy() for image in pixels]
