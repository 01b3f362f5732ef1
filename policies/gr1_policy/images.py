"""GR-1's image transform: camera frames to the pixels that its vision encoder reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seer_bench_nn.imagenet_image import MEAN, STD
from seer_bench_nn.patches import IMAGE_SIZE


def gr1_image(frame: NDArray[np.uint8]) -> Tensor:
    """One RGB frame (height, width, 3), uint8, to pixels (3, 224, 224), float32, normalised as ImageNet's are.

    A frame becomes a tensor in [0, 1] first and is then resized, by PyTorch's bicubic filter without antialiasing, as
    torchvision 0.13 does, which the published code requires. Values that overshoot [0, 1] stay, and the aspect ratio
    does not.

    Raises:
        ValueError: the frame is not an RGB image in uint8.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"gr1_image: needs a frame (height, width, 3) of uint8, got {frame.shape} of {frame.dtype}")
    pixels = torch.from_numpy(np.array(frame)).permute(2, 0, 1).float().div(255)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    resized = functional.interpolate(pixels[None], size=size, mode="bicubic", align_corners=False)[0]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (resized - mean) / std


def denormalise(pixels: Tensor) -> Tensor:
    """Back from normalised pixels (..., 3, height, width) to uint8, rounded and clipped."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return ((pixels * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
