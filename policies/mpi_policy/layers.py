"""Parts of Voltron's vision transformer (Karamcheti et al., 2023), which MPI's encoder is made of.

Parameter names are those of the files that MPI's authors publish.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seer_bench_nn.vit import SelfAttention

_RMS_FLOOR = 1e-8
_LAYER_SCALE = 0.1
"""What the residual branches of a new network are scaled by."""


class RmsNorm(nn.Module):
    """Divides a token by the root mean square of its channels, then scales each channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to tokens (..., dim)."""
        rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * x.shape[-1] ** -0.5
        normed: Tensor = x / rms.clamp(min=_RMS_FLOOR) * self.g
        return normed


class SwishGlu(nn.Module):
    """A linear map whose first half of outputs is gated by the Swish of the second."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to (..., hidden)."""
        value, gate = self.project(x).chunk(2, dim=-1)
        gated: Tensor = value * functional.silu(gate)
        return gated


class LayerScale(nn.Module):
    """A learned factor for each channel of a residual branch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), _LAYER_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to tokens (..., dim)."""
        return x * self.gamma


class VoltronBlock(nn.Module):
    """One pre-norm block: x += scale(attention(norm(x))); x += scale(mlp(norm(x)))."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.pre_norm_attn = RmsNorm(dim)
        self.attn = SelfAttention(dim, heads)
        self.layer_scale_attn = LayerScale(dim)
        self.pre_norm_mlp = RmsNorm(dim)
        # the published names count the dropout between them, whose rate is 0
        self.mlp = nn.Sequential(SwishGlu(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))
        self.layer_scale_mlp = LayerScale(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        x = x + self.layer_scale_attn(self.attn(self.pre_norm_attn(x)))
        out: Tensor = x + self.layer_scale_mlp(self.mlp(self.pre_norm_mlp(x)))
        return out


class PoolingAttention(nn.Module):
    """Multi-head attention of one query to all tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        """A query (N, 1, dim) over tokens (N, L, dim): (N, 1, dim)."""
        n, length, dim = tokens.shape
        q = self.q(query).view(n, 1, self.heads, -1).transpose(1, 2)
        k, v = self.kv(tokens).view(n, length, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, 1, dim)
        pooled: Tensor = self.proj(mixed)
        return pooled


class TokenPooling(nn.Module):
    """Gathers many tokens into one by attention; post-norm, with twice as many heads as the blocks have.

    The published files use it for images and for sentences alike, each with a first query of its own.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.projection = nn.Linear(dim, dim)
        self.attn_norm = RmsNorm(dim)
        self.attn = PoolingAttention(dim, 2 * heads)
        self.mlp_norm = RmsNorm(dim)
        self.mlp = nn.Sequential(SwishGlu(dim, 4 * dim), nn.Linear(4 * dim, dim))

    def forward(self, tokens: Tensor, query: Tensor) -> Tensor:
        """Tokens (N, L, dim) and the first query (1, dim): one token each, (N, 1, dim)."""
        seed = query.expand(len(tokens), 1, -1)
        seed = self.attn_norm(seed + self.attn(seed, self.projection(tokens)))
        pooled: Tensor = self.mlp_norm(seed + self.mlp(seed))
        return pooled
