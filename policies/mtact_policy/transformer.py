"""The transformer of DETR (Carion et al., 2020) and its fixed sine-cosine positions.

Layers normalise after adding, and see positions in queries and keys.

Parameter names are DETR's. Dropout acts as in DETR: on attention weights, between the linear layers, before each sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import MtactConfig

_TEMPERATURE = 10000.0


class FeedForward(nn.Module):
    """What both kinds of layers have in common: attention of a sequence to itself, and two linear layers."""

    def __init__(self, config: MtactConfig) -> None:
        super().__init__()
        self.self_attn = _attention(config)
        self.linear1 = nn.Linear(config.hidden_dim, config.feed_forward)
        self.linear2 = nn.Linear(config.feed_forward, config.hidden_dim)
        self.norm1 = nn.LayerNorm(config.hidden_dim)
        self.norm2 = nn.LayerNorm(config.hidden_dim)
        self.dropout = nn.Dropout(config.dropout)

    def mixed(self, x: Tensor, positions: Tensor, padding: Tensor | None) -> Tensor:
        """The sum of tokens and what they found by attention, normalised."""
        queries = x + positions
        found, _ = self.self_attn(queries, queries, x, key_padding_mask=padding, need_weights=False)
        normalised: Tensor = self.norm1(x + self.dropout(found))
        return normalised

    def expanded(self, x: Tensor) -> Tensor:
        """What the linear layers add, after dropout."""
        added: Tensor = self.dropout(self.linear2(self.dropout(functional.relu(self.linear1(x)))))
        return added


class EncoderLayer(FeedForward):
    """Self-attention and linear layers."""

    def forward(self, x: Tensor, positions: Tensor, padding: Tensor | None) -> Tensor:
        """Tokens (B, L, dim); positions (L, dim); padding (B, L), True where a token shall not be seen."""
        x = self.mixed(x, positions, padding)
        out: Tensor = self.norm2(x + self.expanded(x))
        return out


class DecoderLayer(FeedForward):
    """Self-attention of the queries, attention to the memory, linear layers."""

    def __init__(self, config: MtactConfig) -> None:
        super().__init__(config)
        self.multihead_attn = _attention(config)
        self.norm3 = nn.LayerNorm(config.hidden_dim)

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, T, dim) with learned queries (T, dim) over a memory (B, L, dim) with positions (L, dim)."""
        x = self.mixed(x, queries, None)
        found, _ = self.multihead_attn(x + queries, memory + positions, memory, need_weights=False)
        x = self.norm2(x + self.dropout(found))
        out: Tensor = self.norm3(x + self.expanded(x))
        return out


class Encoder(nn.Module):
    """A stack of encoder layers."""

    def __init__(self, config: MtactConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, x: Tensor, positions: Tensor, padding: Tensor | None = None) -> Tensor:
        """As `EncoderLayer`."""
        for layer in self.layers:
            x = layer(x, positions, padding)
        return x


class Decoder(nn.Module):
    """A stack of decoder layers, of which those behind `output` only keep their weights."""

    def __init__(self, config: MtactConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.hidden_dim)
        self._used = range(config.decoder_layers)[config.decoder_output] + 1

    def forward(self, queries: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        """Learned queries (T, dim), memory (B, L, dim) and its positions (L, dim) to (B, T, dim)."""
        x = queries.new_zeros(len(memory), *queries.shape)
        used: Iterable[nn.Module] = self.layers[: self._used]
        for layer in used:
            x = layer(x, queries, memory, positions)
        out: Tensor = self.norm(x)
        return out


class Transformer(nn.Module):
    """Encoder of the observation and decoder of the actions."""

    def __init__(self, config: MtactConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens: Tensor, positions: Tensor, queries: Tensor) -> Tensor:
        """Tokens (B, L, dim) with positions (L, dim), and learned queries (T, dim), to (B, T, dim)."""
        out: Tensor = self.decoder(queries, self.encoder(tokens, positions), positions)
        return out


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


def _attention(config: MtactConfig) -> nn.MultiheadAttention:
    """Multi-head attention over batches of sequences."""
    return nn.MultiheadAttention(config.hidden_dim, config.heads, dropout=config.dropout, batch_first=True)


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
