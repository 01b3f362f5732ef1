"""Camera frames as the network sees them, in training and in play alike."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .config import MtactConfig

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def prepared(frames: NDArray[np.uint8], config: MtactConfig) -> Tensor:
    """Frames (N, height, width, 3), uint8 RGB, to images (N, 3, image_height, image_width), float32.

    They are resized without keeping their aspect ratio (bilinear, antialiased), where they have another size, and
    normalised by ImageNet's mean and deviation. RoboAgent does not resize; that cameras of CALVIN, which have several
    sizes, are brought to one is our choice.
    """
    size = (config.image_height, config.image_width)
    pixels = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float() / 255
    if pixels.shape[-2:] != size:
        pixels = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (_MEAN, _DEVIATION))
    return (pixels - mean) / deviation
