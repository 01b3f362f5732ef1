"""The middle of a camera's frame at the size that an encoder reads, as torchvision cuts it out of a Pillow image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def middle(frame: NDArray[np.uint8], *, resize: int, crop: int, resample: Image.Resampling) -> Tensor:
    """One RGB frame (height, width, 3), uint8, to pixels (3, crop, crop), uint8.

    The shorter side is resized to `resize` by a filter of Pillow's, and a square of `crop` pixels is cut out of the
    middle: the numbers of torchvision's Resize and CenterCrop.

    Raises:
        ValueError: the frame is not an RGB image in uint8, or `crop` is larger than `resize`.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"an encoder needs a frame (height, width, 3) of uint8, got {frame.shape} of {frame.dtype}")
    if not 0 < crop <= resize:
        raise ValueError(f"crop is {crop}; it must be 1 to {resize}, the size after resizing")
    height, width = frame.shape[:2]
    short = min(height, width)
    size = (resize * width // short, resize * height // short)
    image = Image.fromarray(np.ascontiguousarray(frame)).resize(size, resample)
    left, top = (round((side - crop) / 2) for side in size)
    return torch.from_numpy(np.array(image)[top : top + crop, left : left + crop]).permute(2, 0, 1)
