"""Deformable attention (Zhu et al., 2021) from a grid of tokens to another one of the same size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

POINTS = 4
"""Places that a head looks at for each query."""


class DeformableAttention(nn.Module):
    """Every query looks at a few places around its own, in each head others, and weighs what it finds there.

    A place is given relative to the query's patch: an offset of `POINTS` is half a patch's side. What lies between
    patch centres is interpolated, what lies outside of the image is zero.

    A patch's own place is taken to be one pixel above and to the left of its centre: so it is in the published code,
    and the weights are trained with it.

    Args:
        dim: channels of a token.
        heads: attention heads.
        side: patches along each side of the image.
        patch: pixels along each side of a patch.
    """

    places: Tensor

    def __init__(self, dim: int, heads: int, side: int, patch: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.sampling_offsets = nn.Linear(dim, heads * POINTS * 2)
        self.attention_weights = nn.Linear(dim, heads * POINTS)
        self.value_proj = nn.Linear(dim, dim)
        self.output_proj = nn.Linear(dim, dim)
        self.register_buffer("places", patch_places(side, patch), persistent=False)

    def forward(self, queries: Tensor, values: Tensor) -> Tensor:
        """Queries (N, side * side, dim) over values of the same shape, both row by row: the same shape."""
        n, length, dim = queries.shape
        maps = self.value_proj(values).transpose(1, 2).reshape(n * self.heads, -1, self.side, self.side)
        offsets = self.sampling_offsets(queries).view(n, length, self.heads, POINTS, 2) / (2 * POINTS * self.side)
        where = (self.places[:, None, None] + offsets).transpose(1, 2).flatten(0, 1).float()
        # in float32 always: in bfloat16, PyTorch 2.13 reads NaN on the CPU where maps are not contiguous
        found = functional.grid_sample(maps.float(), 2 * where - 1, padding_mode="zeros", align_corners=False)
        weights = self.attention_weights(queries).view(n, length, self.heads, POINTS).softmax(-1)
        mixed = (found.to(weights.dtype) * weights.transpose(1, 2).flatten(0, 1).unsqueeze(1)).sum(-1)
        out: Tensor = self.output_proj(mixed.view(n, dim, length).transpose(1, 2))
        return out


def patch_places(side: int, patch: int) -> Tensor:
    """Where patches lie (side * side, 2), as (column, row) in units of the image's size, row by row; see above."""
    axis = torch.linspace(patch // 2 - 1, side * patch - patch // 2 - 1, side) / (side * patch)
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([column, row], dim=-1).flatten(0, 1)
