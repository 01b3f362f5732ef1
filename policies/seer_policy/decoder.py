"""Conditional visual foresight: [FRS] latents to the images of the future."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seer_bench_nn.gpt2 import INIT_STD
from seer_bench_nn.patches import PATCH, PATCHES
from seer_bench_nn.sincos import sincos_2d
from seer_bench_nn.vit import VitBlock

from .config import SeerConfig
from .part import SeerPart

DEPTH = 2
"""Blocks of the image decoder."""
HEADS = 16
"""Its attention heads."""


class VisualForesight(SeerPart):
    """A small vision transformer that reads the [FRS] latents of one camera and fills in one mask token a patch."""

    image_decoder_position_embedding: Tensor

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        if not config.foresight_tokens:
            return
        hidden = config.hidden_dim
        self.image_decoder_obs_pred_projector = nn.Linear(hidden, hidden)
        self.mask_token = nn.Parameter(torch.empty(1, 1, hidden).normal_(std=INIT_STD))
        self.image_decoder = nn.Sequential(*(VitBlock(hidden, HEADS, eps=1e-5) for _ in range(DEPTH)))
        self.image_decoder_norm = nn.LayerNorm(hidden)
        self.image_decoder_pred = nn.Linear(hidden, 3 * PATCH**2)
        grids = [sincos_2d(hidden, round(n**0.5)) for n in (config.foresight_tokens, PATCHES)]
        self.register_buffer("image_decoder_position_embedding", torch.cat(grids)[None], persistent=False)

    def foresee(self, latents: Tensor) -> Tensor:
        """Predict the images `n` steps ahead.

        Args:
            latents: [FRS] latents (..., 2P, H), those of the primary camera first.

        Returns:
            Patches (..., 2, 196, 768): both cameras, patches row by row, and the pixels of a patch as (row, column,
            channel), normalised by the patch's own mean and deviation (see `patches`).
        """
        batch = latents.shape[:-2]
        per_camera = self.config.foresight_tokens
        foreseen = self.image_decoder_obs_pred_projector(latents.reshape(-1, per_camera, latents.shape[-1]))
        masked = self.mask_token.expand(len(foreseen), PATCHES, -1)
        decoded = self.image_decoder(torch.cat([foreseen, masked], dim=1) + self.image_decoder_position_embedding)
        patches: Tensor = self.image_decoder_pred(self.image_decoder_norm(decoded[:, per_camera:]))
        return patches.view(*batch, 2, PATCHES, -1)
