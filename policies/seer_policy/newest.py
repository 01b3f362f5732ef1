"""The multi-modal encoder for the newest time step alone: the same latents, without the rows that nobody reads.

Under the mask (see `mask`), a readout token is seen by the readout of its own step only, so that `seer_bench_nn.newest`
applies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seer_bench.errors import UsageError
from seer_bench_nn.newest import read_last

from .encoder import MultiModalEncoder


class NewestStep:
    """Latents of the readout tokens of the newest step.

    Args:
        encoder: the network, or the part of it that is the multi-modal encoder.
        actions: how many of the first [INV] tokens are wanted.

    Attributes:
        cache_shape: shape of the keys and values that one history keeps: (layers, 2, heads, S * observed,
            H // heads).

    Raises:
        UsageError: under the network's mask, a step needs more than the observations up to it and its own readout,
            as in pre-training with goal states.
    """

    def __init__(self, encoder: MultiModalEncoder, actions: int) -> None:
        config = encoder.config
        self._encoder, self._layout, self._steps = encoder, config.layout, config.history
        self._actions = actions
        self._refuse_other_masks()
        length, channels = self._steps * self._layout.observed, config.hidden_dim // config.heads
        self.cache_shape = (config.layers, 2, config.heads, length, channels)
        wanted = slice(self._layout.observed, self._layout.per_step - self._layout.actions + actions)
        self._action_readout = wanted
        self._window_mask = self._mask(self._steps, wanted)
        self._growing_masks = torch.stack([self._growing_mask(step) for step in range(self._steps)])

    def grow(self, tokens: Tensor, steps: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Read one more step into histories that are not full yet; they may differ in length.

        Args:
            tokens: observation tokens of the new step (n, observed, H).
            steps: position of the new step in its history (n,), int64, 0 for the first.
            cache: keys and values of earlier steps (n, *cache_shape); later ones are not read but must be finite.

        Returns:
            [INV] latents (n, actions, H), and the keys and values of the new step (n, layers, 2, heads, observed,
            H // heads).
        """
        readout = self._encoder.readout_tokens()[self._readout_rows(self._action_readout)]
        new = torch.cat([tokens, readout.expand(len(tokens), -1, -1)], dim=1)
        positions = self._encoder.transformer_backbone_position_embedding[0, steps]
        embedded = self._encoder.embedding_layer_norm(new + positions)
        return self._run(embedded, self._growing_masks[steps].unsqueeze(1), self._actions, cache)

    def recompute(self, history: Tensor) -> Tensor:
        """Read full histories of observation tokens (n, S, observed, H): [INV] latents (n, actions, H)."""
        return self._read(history, self._action_readout, self._window_mask, self._actions)

    def foresight(self, history: Tensor) -> Tensor:
        """Read histories (n, k, observed, H) of any length k: [FRS] latents (n, foresight, H) of the newest step."""
        readout = self._layout.foresight_slice
        return self._read(history, readout, self._mask(history.shape[1], readout), self._layout.foresight)

    def _read(self, history: Tensor, readout: slice, mask: Tensor, wanted: int) -> Tensor:
        """Latents of the last `wanted` tokens: all observation tokens, then a part of the newest readout."""
        n, steps = history.shape[:2]
        observed = self._encoder.embed(history).flatten(1, 2)
        asked = self._encoder.readout_tokens()[self._readout_rows(readout)].expand(n, 1, -1, -1)
        newest = self._encoder.embed(asked, first_step=steps - 1).flatten(1, 2)
        return self._run(torch.cat([observed, newest], dim=1), mask.expand(n, 1, -1, -1), wanted)[0]

    def _run(self, x: Tensor, mask: Tensor, wanted: int, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Latents of the last `wanted` rows, and the observation rows' keys and values of each layer."""
        return read_last(self._encoder.transformer_backbone, x, mask, wanted, self._layout.observed, cache)

    def _readout_rows(self, readout: slice) -> slice:
        """A part of a step's tokens as a part of its readout tokens."""
        return slice(readout.start - self._layout.observed, readout.stop - self._layout.observed)

    def _rows(self, steps: int, readout: slice) -> Tensor:
        """Where observation tokens of the first steps, and a part of the last one's readout, lie in the sequence."""
        starts = torch.arange(steps) * self._layout.per_step
        observed = (starts[:, None] + torch.arange(self._layout.observed)).flatten()
        return torch.cat([observed, starts[-1] + torch.arange(readout.start, readout.stop)])

    def _mask(self, steps: int, readout: slice) -> Tensor:
        """The network's mask among those tokens."""
        rows = self._rows(steps, readout).to(self._encoder.attention_mask.device)
        return self._encoder.attention_mask[rows][:, rows]

    def _growing_mask(self, step: int) -> Tensor:
        """For the tokens of one step: over the observation tokens of all steps, as cached, then over themselves."""
        observed = self._layout.observed
        mask = self._mask(step + 1, self._action_readout)[step * observed :]
        cached = mask.new_zeros(len(mask), self._steps * observed)
        cached[:, : step * observed] = mask[:, : step * observed]
        return torch.cat([cached, mask[:, step * observed :]], dim=1)

    def _refuse_other_masks(self) -> None:
        """Raise UsageError where a row is allowed to see what is not computed here."""
        if goal := self._encoder.config.attention.goal_offset:
            raise UsageError(
                f"Seer: its [FRS] tokens look at the robot state {goal} steps ahead (attention.goal_offset), as in "
                "pre-training; to act, build it with the attention of the phase evaluate."
            )
