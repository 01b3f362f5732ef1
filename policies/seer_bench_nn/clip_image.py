"""CLIP's image transform (Radford et al., 2021): camera frames to the pixels a vision encoder reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .middle import middle

SIZE = 224
"""Pixels along each side of the result."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of red, green and blue over CLIP's training images, in [0, 1]."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""Their standard deviation."""


def clip_image(frame: NDArray[np.uint8]) -> Tensor:
    """One RGB frame (height, width, 3), uint8, to normalised pixels (3, 224, 224), float32.

    The shorter side is resized to 224 by Pillow's bicubic filter (on uint8, as the published weights expect), the
    middle is cut out, and each channel is normalised by CLIP's mean and standard deviation.

    Raises:
        ValueError: the frame is not an RGB image in uint8.
    """
    return normalise(middle(frame, resize=SIZE, crop=SIZE, resample=Image.Resampling.BICUBIC))


def normalise(pixels: Tensor) -> Tensor:
    """Pixels (..., 3, height, width), uint8, to CLIP's normalised float32."""
    mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def denormalise(pixels: Tensor) -> Tensor:
    """The inverse of `normalise`: (..., 3, height, width), float, to uint8, rounded and clipped."""
    mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (MEAN, STD))
    return ((pixels.float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
