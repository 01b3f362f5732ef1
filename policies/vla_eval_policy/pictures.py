"""What vla-eval's CALVIN client makes of a picture before it sends it.

Source: `CALVINBenchmark._init_calvin` and `make_obs` of PyPI vla-eval 0.8.0. A picture is enlarged to 200 x 200 with
torchvision's `Resize`, scaled to [-1, 1], and back to 0 to 255 with fractions cut off, which lowers 1 to 63 by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 200
"""Pixels of a side; the camera in the hand has 84."""


def as_vla_eval_sends(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square picture (side, side, 3) as uint8 (200, 200, 3)."""
    sent: NDArray[np.uint8] = _SENT[picture if len(picture) == SIDE else _enlarge(picture)]
    return sent


def _enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bilinear between pixel centres, in single precision, rounded; PyTorch differs by 1 in some 0.01 % of values."""
    last = len(picture) - 1
    places = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(len(picture) / SIDE) - np.float32(0.5)
    places = np.clip(places, 0, last)
    low = places.astype(int)
    high = np.minimum(low + 1, last)
    part = (places - low).astype(np.float32)[:, None]
    values = picture.astype(np.float32)
    columns = values[:, low] * (1 - part) + values[:, high] * part
    rows = columns[low] * (1 - part)[:, None] + columns[high] * part[:, None]
    enlarged: NDArray[np.uint8] = np.rint(rows).astype(np.uint8)
    return enlarged


def _there_and_back() -> NDArray[np.uint8]:
    """What becomes of each value, in the client's single precision."""
    half = np.float32(0.5)
    scaled = (np.arange(256, dtype=np.float32) / np.float32(255) - half) / half
    sent: NDArray[np.uint8] = ((scaled + 1) / 2 * 255).astype(np.uint8)
    return sent


_SENT = _there_and_back()
