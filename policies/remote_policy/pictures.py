"""Pictures in the size that a server asks for."""

from __future__ import annotations

import numpy as np
from PIL import Image

from seer_bench.contracts import Array


def fit(picture: Array, side: int) -> Array:
    """Scale RGB uint8 (height, width, 3) into a square of `side`, keeping its proportions, with black margins.

    As `openpi_client.image_tools.resize_with_pad`: bilinear by Pillow, sizes and margins rounded down.
    """
    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    ratio = max(width / side, height / side)
    rows, columns = int(height / ratio), int(width / ratio)
    scaled = Image.fromarray(picture).resize((columns, rows), Image.Resampling.BILINEAR)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = max(0, int((side - rows) / 2)), max(0, int((side - columns) / 2))
    square[top : top + rows, left : left + columns] = np.asarray(scaled)
    return square
