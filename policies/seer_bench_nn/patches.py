"""Images as rows of patches, the form in which they are foreseen and compared."""

from __future__ import annotations

import torch
from torch import Tensor

PATCH = 16
"""Pixels along each side of a patch of the vision encoder and of the foreseen images."""
IMAGE_SIZE = 224
"""Pixels along each side of an input image."""
PATCHES = (IMAGE_SIZE // PATCH) ** 2
"""Patches of an image."""


def patchify(images: Tensor) -> Tensor:
    """Images (..., 3, 224, 224) to patches (..., 196, 768), the pixels of a patch as (row, column, channel)."""
    side = IMAGE_SIZE // PATCH
    grid = images.reshape(*images.shape[:-3], 3, side, PATCH, side, PATCH)
    return grid.movedim((-4, -2, -3, -1, -5), (-5, -4, -3, -2, -1)).flatten(-3).flatten(-3, -2)


def unpatchify(patches: Tensor) -> Tensor:
    """The inverse of `patchify`."""
    side = IMAGE_SIZE // PATCH
    grid = patches.reshape(*patches.shape[:-2], side, side, PATCH, PATCH, 3)
    return grid.movedim((-5, -4, -3, -2, -1), (-4, -2, -3, -1, -5)).flatten(-2).flatten(-3, -2)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each patch (..., 768), each (..., 1): foreseen pixels times deviation plus mean are pixels.

    The variance is the unbiased one, and 1e-6 is added to it before the root, as in MAE.
    """
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()
