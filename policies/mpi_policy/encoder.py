"""MPI's image encoder (Zeng et al., "Learning Manipulation by Predicting Interaction", RSS 2024).

Two key frames go through one vision transformer together, the later one is fused into the earlier one by deformable
attention, and the result is gathered into one more token. A policy that sees only the present shows it twice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seer_bench_nn.sincos import sincos_2d
from seer_bench_nn.vit import PatchEmbedding

from .deformable import DeformableAttention
from .layers import RmsNorm, TokenPooling, VoltronBlock

FRAMES = 3
"""Key frames that have a learned embedding: the initial, the transition and the final one. To represent what is seen,
the published code gives both images the first one's."""


class MpiEncoder(nn.Module):
    """The part of MPI that represents images; the decoder and the sentence's tokens are not here.

    Parameter names are those of the published files.

    Args:
        width: channels of a token (384 for MPI-Small, 768 for MPI-Base).
        depth: number of blocks (12 for both).
        heads: attention heads (6 for MPI-Small, 12 for MPI-Base).
        image_size: pixels along each side of the input.
        patch: pixels along each side of a patch.
    """

    def __init__(
        self, width: int = 384, depth: int = 12, heads: int = 6, image_size: int = 224, patch: int = 16
    ) -> None:
        super().__init__()
        side = image_size // patch
        self.img_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.patch2embed = PatchEmbedding(width, patch)
        self.encoder_pe = nn.Parameter(sincos_2d(width, side).unsqueeze(0), requires_grad=False)
        self.ctx_enc_pe = nn.Parameter(torch.empty(1, FRAMES, 1, width).normal_())
        self.encoder_blocks = nn.ModuleList(VoltronBlock(width, heads) for _ in range(depth))
        self.encoder_norm = RmsNorm(width)
        self.temporal_attn = DeformableAttention(width, heads, side, patch)
        self.temporal_attn_norm = nn.LayerNorm(width)
        self.token_aggregate = TokenPooling(width, heads)
        self.vis_latents = nn.Parameter(torch.empty(1, width).normal_(std=0.02))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights, which is also that of the computation."""
        return self.img_token.dtype

    def forward(self, images: Tensor) -> Tensor:
        """Represent single images, each standing for both frames.

        Of the two copies' tokens, each attends to every patch twice with equal weights; that is attention to it once.
        So one copy goes through the blocks, and the numbers are those of `represent(images, images)` up to rounding.

        Args:
            images: (N, 3, image_size, image_size), normalised.

        Returns:
            Features (N, 1 + patches, width): the pooled token, then the patches row by row.
        """
        seen = self._blocks(self._embed(images))
        return self._fuse(seen, seen)

    def represent(self, earlier: Tensor, later: Tensor) -> Tensor:
        """Represent pairs of images; both arguments and the result as in `forward`.

        The patches are the earlier image's, with the later one fused in.
        """
        pairs = torch.stack([self._embed(earlier), self._embed(later)], dim=2)  # (N, patches, 2, width)
        first, second = self._blocks(pairs.flatten(1, 2)).view_as(pairs).unbind(2)
        return self._fuse(first, second)

    def _embed(self, images: Tensor) -> Tensor:
        """Images to tokens with their place, their frame and their modality, (N, patches, width)."""
        tokens: Tensor = self.patch2embed(images.to(self.dtype))
        return tokens + self.encoder_pe + self.ctx_enc_pe[:, 0] + self.img_token

    def _blocks(self, tokens: Tensor) -> Tensor:
        """All blocks and the final norm over tokens (N, L, width)."""
        for block in self.encoder_blocks:
            tokens = block(tokens)
        normed: Tensor = self.encoder_norm(tokens)
        return normed

    def _fuse(self, earlier: Tensor, later: Tensor) -> Tensor:
        """Patches of both frames to (N, 1 + patches, width)."""
        fused = self.temporal_attn_norm(earlier + self.temporal_attn(earlier, later))
        # each image alone: the order of summation in products of a few rows can depend on a row's place
        pooled = torch.cat([self.token_aggregate(image, self.vis_latents) for image in fused.split(1)])
        return torch.cat([pooled, fused], dim=1)
