"""The usual image transform of encoders that were pre-trained with ImageNet's statistics."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

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
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(
            f"imagenet_image: needs a frame (height, width, 3) of uint8, got {frame.shape} of {frame.dtype}"
        )
    if not 0 < crop <= resize:
        raise ValueError(f"imagenet_image: crop is {crop}; it must be 1 to {resize}, the size after resizing")
    height, width = frame.shape[:2]
    short = min(height, width)
    size = (resize * width // short, resize * height // short)
    image = Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BILINEAR)
    left, top = (round((side - crop) / 2) for side in size)
    pixels = torch.from_numpy(np.array(image)[top : top + crop, left : left + crop]).permute(2, 0, 1)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std
