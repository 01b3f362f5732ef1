"""The text tower of CLIP (Radford et al., 2021), with the parameter names of OpenAI's state dict."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalSelfAttention(nn.Module):
    """Multi-head self-attention in which no token sees a later one."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim).normal_(std=dim**-0.5))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        fused = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = fused.view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        projected: Tensor = self.out_proj(mixed)
        return projected


class Mlp(nn.Module):
    """Two linear layers with CLIP's quick GELU, x * sigmoid(1.702 x), between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to tokens (..., dim)."""
        hidden: Tensor = self.c_fc(x)
        out: Tensor = self.c_proj(hidden * torch.sigmoid(1.702 * hidden))
        return out


class ResidualBlock(nn.Module):
    """One pre-norm block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attn = CausalSelfAttention(dim, heads)
        self.ln_1 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)
        self.ln_2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """The stack of blocks, `resblocks` in OpenAI's names."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(ResidualBlock(dim, heads) for _ in range(layers)))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        out: Tensor = self.resblocks(x)
        return out


class ClipTextEncoder(nn.Module):
    """Sentences, as token ids, to one feature vector each, not normalised.

    The defaults are those of CLIP ViT-B/32.

    Args:
        width: channels of a token and of the feature.
        layers: number of blocks.
        heads: attention heads.
        vocabulary: number of token ids; the greatest one ends a sentence.
        context: longest sentence, in tokens.
    """

    def __init__(
        self, width: int = 512, layers: int = 12, heads: int = 8, vocabulary: int = 49408, context: int = 77
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width).normal_(std=0.01))
        self.transformer = Transformer(width, layers, heads)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, width).normal_(std=width**-0.5))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (N, context), int64, padded behind the end token, to features (N, width).

        The feature is read at the end token, and no token sees a later one: what lies behind the longest sentence is
        not computed.
        """
        end = tokens.argmax(dim=-1)
        tokens = tokens[:, : int(end.max()) + 1]
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        pooled = self.transformer(x)[torch.arange(len(end), device=end.device), end]
        features: Tensor = self.ln_final(pooled) @ self.text_projection
        return features
