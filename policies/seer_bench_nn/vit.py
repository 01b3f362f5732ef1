"""Vision transformer blocks and the encoder of MAE (He et al., 2022).

Parameter names are those of the file that MAE's authors publish (`mae_pretrain_vit_base.pth`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .sincos import sincos_2d


class SelfAttention(nn.Module):
    """Multi-head self-attention of all tokens with all tokens; one fused projection for q, k, v."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        n, length, dim = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, dim)
        projected: Tensor = self.proj(mixed)
        return projected


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., dim) to tokens (..., dim)."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class VitBlock(nn.Module):
    """One pre-norm transformer block: x += attention(norm1(x)); x += mlp(norm2(x))."""

    def __init__(self, dim: int, heads: int, *, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L, dim) to tokens (N, L, dim)."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbedding(nn.Module):
    """A linear map of each square patch, written as a strided convolution."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, height, width) to patch embeddings (N, patches, width), row by row."""
        maps: Tensor = self.proj(images)
        return maps.flatten(2).transpose(1, 2)


class MaeEncoder(nn.Module):
    """The encoder of a masked autoencoder, with nothing masked.

    Patches keep their order. Training code of MAE shuffles them even when it masks none; what follows has no notion
    of patch order, so that shuffling shows only in the rounding.

    Args:
        width: channels of a token (768 for ViT-B).
        depth: number of blocks (12 for ViT-B).
        heads: attention heads (12 for ViT-B).
        image_size: pixels along each side of the input.
        patch: pixels along each side of a patch.
    """

    def __init__(
        self, width: int = 768, depth: int = 12, heads: int = 12, image_size: int = 224, patch: int = 16
    ) -> None:
        super().__init__()
        side = image_size // patch
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        grid = sincos_2d(width, side)
        self.pos_embed = nn.Parameter(functional.pad(grid, (0, 0, 1, 0)).unsqueeze(0), requires_grad=False)
        self.patch_embed = PatchEmbedding(width, patch)
        self.blocks = nn.Sequential(*(VitBlock(width, heads, eps=1e-6) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights, which is also that of the computation."""
        return self.cls_token.dtype

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, image_size, image_size) to positioned tokens (N, 1 + patches, width), CLS first."""
        patches = self.patch_embed(images.to(self.dtype)) + self.pos_embed[:, 1:]
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(patches), -1, -1)
        return torch.cat([cls, patches], dim=1)

    def encode(self, tokens: Tensor) -> Tensor:
        """Run the blocks and the final norm over positioned tokens (N, L, width)."""
        normed: Tensor = self.norm(self.blocks(tokens))
        return normed

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, image_size, image_size) to features (N, 1 + patches, width), CLS first."""
        return self.encode(self.embed(images))
