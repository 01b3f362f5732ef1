"""Fixed sine-cosine positions: of a picture's grid as in DETR (Carion et al., 2020), and of a sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TEMPERATURE = 10000.0


def grid_positions(dim: int, height: int, width: int, device: torch.device) -> Tensor:
    """Positions (height * width, dim) of a grid read row by row.

    Rows and columns are counted from 1 and scaled so that the last is 2 pi. The first half of the channels encodes
    the row, the second the column; sines and cosines alternate.
    """
    half = dim // 2
    rows, columns = (_angles(_scaled(size, device), half) for size in (height, width))
    by_row = _alternating(rows)[:, None].expand(-1, width, -1)
    by_column = _alternating(columns)[None].expand(height, -1, -1)
    return torch.cat([by_row, by_column], dim=-1).flatten(0, 1)


def sequence_positions(length: int, dim: int) -> Tensor:
    """Positions (length, dim) of a sequence counted from 0, float32 of numbers made in float64."""
    return _alternating(_angles(torch.arange(length, dtype=torch.float64), dim)).float()


def _scaled(size: int, device: torch.device) -> Tensor:
    """1 to `size`, scaled to end at 2 pi."""
    steps = torch.arange(1, size + 1, dtype=torch.float32, device=device)
    return steps / (steps[-1] + 1e-6) * (2 * math.pi)


def _angles(positions: Tensor, dim: int) -> Tensor:
    """Positions (n,) to angles (n, dim): channels 2 i and 2 i + 1 share a frequency."""
    channel = torch.arange(dim, dtype=positions.dtype, device=positions.device)
    return positions[:, None] / _TEMPERATURE ** (2 * (channel // 2) / dim)


def _alternating(angles: Tensor) -> Tensor:
    """Sine of even channels, cosine of odd ones."""
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-2)
