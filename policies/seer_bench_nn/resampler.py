"""The perceiver resampler of Flamingo (Alayrac et al., 2022): many visual tokens in, a few latents out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PerceiverAttention(nn.Module):
    """Latents attend to the media tokens and to themselves."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_media = nn.LayerNorm(dim)
        self.norm_latents = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, dim, bias=False)

    def forward(self, media: Tensor, latents: Tensor) -> Tensor:
        """Media (N, L, dim) and latents (N, Q, dim) to an update of the latents (N, Q, dim)."""
        media, latents = self.norm_media(media), self.norm_latents(latents)
        keys, values = self.to_kv(torch.cat([media, latents], dim=1)).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.to_q(latents), keys, values))
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        update: Tensor = self.to_out(mixed)
        return update


def feed_forward(dim: int) -> nn.Sequential:
    """LayerNorm, linear, exact GELU, linear; no biases outside the norm."""
    return nn.Sequential(
        nn.LayerNorm(dim), nn.Linear(dim, 4 * dim, bias=False), nn.GELU(), nn.Linear(4 * dim, dim, bias=False)
    )


class PerceiverResampler(nn.Module):
    """Compresses a set of visual tokens into `queries` latents, whatever the order of the tokens.

    Args:
        dim: channels of tokens and latents.
        queries: number of latents.
        depth: number of layers, each an attention and a feed-forward update.
        heads: attention heads.
        head_dim: channels of a head.
        media_embedding: add a learned vector to all tokens; Flamingo has one for each image of a sequence.
    """

    def __init__(
        self,
        dim: int,
        queries: int,
        depth: int = 3,
        heads: int = 8,
        head_dim: int = 64,
        *,
        media_embedding: bool = False,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(queries, dim).normal_())
        if media_embedding:
            self.media_pos_emb = nn.Parameter(torch.empty(1, 1, dim).normal_())
        self.media_embedding = media_embedding
        self.layers = nn.ModuleList(
            nn.ModuleList([PerceiverAttention(dim, heads, head_dim), feed_forward(dim)]) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, media: Tensor) -> Tensor:
        """Visual tokens (N, L, dim) to latents (N, queries, dim)."""
        if self.media_embedding:
            media = media + self.media_pos_emb
        latents = self.latents.expand(len(media), -1, -1)
        for layer in self.layers:
            attention, feed = layer.children()
            latents = latents + attention(media, latents)
            latents = latents + feed(latents)
        normed: Tensor = self.norm(latents)
        return normed
