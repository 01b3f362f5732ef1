"""The usual image transform of encoders that were pre-trained with ImageNet's statistics."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .middle import middle

MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, in [0, 1]."""
STD = (0.229, 0.224, 0.225)
"""Their standard deviation."""


def imagenet_image(frame: NDArray[np.uint8], *, resize: int, crop: int) -> Tensor:
    """One RGB frame (height, width, 3), uint8, to normalised pixels (3, crop, crop), float32.

    The shorter side is resized to `resize` by Pillow's bilinear filter, a square of `crop` pixels is cut out of the
    middle, and each channel is normalised by ImageNet's mean and standard deviation. The numbers are those of
    torchvision's Resize, CenterCrop, ToTensor and Normalize on a Pillow image.

    Raises:
        ValueError: the frame is not an RGB image in uint8, or `crop` is larger than `resize`.
    """
    pixels = middle(frame, resize=resize, crop=crop, resample=Image.Resampling.BILINEAR)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std
