"""The transformer of GPT-2 (Radford et al., 2019) under an attention mask of the caller's choice.

It has neither token nor position embeddings: tokens come in as vectors. Parameter names and the (in, out) layout of
the weights are those of GPT-2's published checkpoints.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["gelu", "relu"]

INIT_STD = 0.02
"""Standard deviation of the initial weights."""


class Conv1D(nn.Module):
    """A linear layer whose weight is stored (in, out), as GPT-2 has it."""

    def __init__(self, dim_in: int, dim_out: int, std: float = INIT_STD) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim_in, dim_out).normal_(std=std))
        self.bias = nn.Parameter(torch.zeros(dim_out))

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (..., in) to vectors (..., out)."""
        return functional.linear(x, self.weight.t(), self.bias)


class MaskedSelfAttention(nn.Module):
    """Multi-head self-attention; `project` and `attend` are apart so that keys and values can be kept."""

    def __init__(self, dim: int, heads: int, dropout: float, residual_std: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.c_attn = Conv1D(dim, 3 * dim)
        self.c_proj = Conv1D(dim, dim, std=residual_std)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (B, L, dim) to queries, keys and values, each (B, heads, L, dim // heads)."""
        q, k, v = self.c_attn(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """Queries (B, heads, L, d) over keys and values (B, heads, M, d) to tokens (B, L, dim).

        `mask` is boolean, (L, M) or broadcastable to (B, heads, L, M); True where a query may attend.
        """
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        projected: Tensor = self.c_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, L, dim) to tokens (B, L, dim)."""
        return self.attend(*self.project(x), mask)


class Mlp(nn.Module):
    """Two layers with GPT-2's tanh approximation of GELU, or a ReLU, between them."""

    def __init__(self, dim: int, residual_std: float, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.c_fc = Conv1D(dim, 4 * dim)
        self.c_proj = Conv1D(4 * dim, dim, std=residual_std)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to tokens (..., dim)."""
        hidden = self.c_fc(x)
        active = functional.relu(hidden) if self.activation == "relu" else functional.gelu(hidden, approximate="tanh")
        out: Tensor = self.c_proj(active)
        return out


class Gpt2Block(nn.Module):
    """One pre-norm block; dropout acts on what each half adds to the residual stream."""

    def __init__(
        self, dim: int, heads: int, dropout: float, residual_std: float, activation: Activation = "gelu"
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = MaskedSelfAttention(dim, heads, dropout, residual_std)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, residual_std, activation)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, L, dim) to tokens (B, L, dim)."""
        x = x + functional.dropout(self.attn(self.ln_1(x), mask), self.dropout, self.training)
        return x + functional.dropout(self.mlp(self.ln_2(x)), self.dropout, self.training)


class Gpt2(nn.Module):
    """A stack of blocks and a final norm.

    Args:
        dim: channels of a token.
        layers: number of blocks.
        heads: attention heads.
        dropout: probability, in training, for the input, the attention weights and the residual updates.
        activation: of the layers between attentions; "gelu" is GPT-2's own.
    """

    def __init__(
        self, dim: int, layers: int, heads: int, dropout: float = 0.1, activation: Activation = "gelu"
    ) -> None:
        super().__init__()
        self.dropout = dropout
        residual_std = INIT_STD / math.sqrt(2 * layers)  # keeps the variance of the residual stream as layers add up
        self.h = nn.ModuleList(Gpt2Block(dim, heads, dropout, residual_std, activation) for _ in range(layers))
        self.ln_f = nn.LayerNorm(dim)

    @property
    def blocks(self) -> list[Gpt2Block]:
        """The blocks, first to last."""
        return [block for block in self.h if isinstance(block, Gpt2Block)]

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, L, dim) to tokens (B, L, dim) under a boolean mask (L, L), True where a query may attend."""
        x = functional.dropout(x, self.dropout, self.training)
        for block in self.h:
            x = block(x, mask)
        normed: Tensor = self.ln_f(x)
        return normed
