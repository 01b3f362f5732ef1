"""Fixed sine-cosine position embeddings of a square grid, as in MAE (He et al., 2022)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def sincos_2d(dim: int, side: int) -> Tensor:
    """Embeddings (side * side, dim) of a grid read row by row, in float32 throughout as published code computes them.

    The first half of the channels encodes the column, the second half the row; each half holds the sines and then
    the cosines of `dim // 4` frequencies, 10000^(-k / (dim // 4)).
    The result is a real tensor even where modules are being built on the meta device.
    """
    if dim % 4:
        raise ValueError(
            f"sincos_2d: {dim} channels do not split into sines and cosines of two axes; use a multiple of 4"
        )
    exponents = np.arange(dim // 4, dtype=np.float32) / np.float32(dim // 4)
    frequencies = 1 / np.float32(10000) ** exponents
    row, column = np.divmod(np.arange(side * side), side)
    angles = [np.outer(axis.astype(np.float32), frequencies) for axis in (column, row)]
    table = np.concatenate([f(angle) for angle in angles for f in (np.sin, np.cos)], axis=1)
    return torch.from_numpy(table)
