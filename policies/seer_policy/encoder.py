"""The multi-modal encoder: a GPT-2 style transformer over observation and readout tokens."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from seer_bench_nn.gpt2 import INIT_STD, Gpt2

from .config import SeerConfig
from .mask import attention_mask
from .part import SeerPart


class MultiModalEncoder(SeerPart):
    """Appends [FRS] and [INV] to the observation tokens of every step and lets them read under the mask.

    Positions are learned, one vector for each time step and none for tokens within it.

    Attributes:
        attention_mask: boolean buffer (L, L), L = history * tokens of a step; True = may attend. Not part of a
            checkpoint: the configuration determines it.
    """

    attention_mask: Tensor

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        layout, hidden = config.layout, config.hidden_dim
        if layout.foresight:
            self.obs_tokens = nn.Parameter(torch.zeros(1, 1, layout.foresight, hidden))
        self.action_pred_token = nn.Parameter(torch.zeros(1, 1, layout.actions, hidden))
        self.transformer_backbone_position_embedding = nn.Parameter(
            torch.empty(1, config.history, 1, hidden).normal_(std=INIT_STD)
        )
        self.embedding_layer_norm = nn.LayerNorm(hidden)
        self.transformer_backbone = Gpt2(hidden, config.layers, config.heads, config.dropout)
        # from_numpy: a real tensor even where the module is being built on the meta device
        mask = torch.from_numpy(attention_mask(layout, config.history, config.attention))
        self.register_buffer("attention_mask", mask, persistent=False)

    def readout_tokens(self) -> Tensor:
        """The learned [FRS] and [INV] tokens of a step, (foresight + actions, H), before their position."""
        foresight = [self.obs_tokens] if self.config.layout.foresight else []
        return torch.cat([*foresight, self.action_pred_token], dim=2)[0, 0]

    def embed(self, tokens: Tensor, first_step: int = 0) -> Tensor:
        """Add time positions and normalise.

        Args:
            tokens: (B, steps, n, H), of consecutive steps.
            first_step: which position of the history the first of them has.
        """
        positions = self.transformer_backbone_position_embedding[:, first_step : first_step + tokens.shape[1]]
        embedded: Tensor = self.embedding_layer_norm(tokens + positions)
        return embedded

    def assemble(self, observed: Tensor) -> Tensor:
        """Observation tokens (B, S, observed, H) to the whole embedded sequence (B, S * per_step, H)."""
        readout = self.readout_tokens().expand(*observed.shape[:2], -1, -1)
        return self.embed(torch.cat([observed, readout], dim=2)).flatten(1, 2)

    def encode(self, sequence: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run the transformer.

        Args:
            sequence: (B, S * per_step, H), as `assemble` gives it.
            mask: boolean (L, L) in place of `attention_mask`.

        Returns:
            Latents (B, S, per_step, H).
        """
        latents: Tensor = self.transformer_backbone(sequence, self.attention_mask if mask is None else mask)
        return latents.view(len(sequence), -1, self.config.layout.per_step, self.config.hidden_dim)

    def draw_mask(self, rng: np.random.RandomState) -> Tensor:
        """A mask of its own for one training batch, with some [FRS] tokens hidden from [INV] where configured."""
        mask = attention_mask(self.config.layout, self.config.history, self.config.attention, rng)
        return torch.from_numpy(mask).to(self.attention_mask.device)
