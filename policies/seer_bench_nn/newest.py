"""The newest step of a history that fills up and then slides, without the work whose results nobody reads.

In the policies here, a step's observation tokens see the observation tokens of their own and of earlier steps, and
what is read out of a step is seen by no other step. Two things follow. Observation tokens never change as later steps
come, so that their keys and values can be kept while the history fills. And only the newest step has to be read out.
Once the history is full, each new frame moves all others to an earlier position: then everything that depends on
positions, which is all of the transformer, is computed anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from .gpt2 import Gpt2, Gpt2Block


class NewestReader(Protocol):
    """Reads the newest step out of a history."""

    @property
    def cache_shape(self) -> tuple[int, ...]:
        """Shape of the keys and values that one history keeps: (layers, 2, heads, S * observed, channels)."""

    def grow(self, tokens: Tensor, steps: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Read one more step into histories that are not full yet; they may differ in length.

        Args:
            tokens: observation tokens of the new step (n, observed, H).
            steps: position of the new step in its history (n,), int64, 0 for the first.
            cache: keys and values of earlier steps (n, *cache_shape); later ones are not read but must be finite.

        Returns:
            What is read out (n, ...), and the keys and values of the new step (n, layers, 2, heads, observed,
            channels).
        """

    def recompute(self, history: Tensor) -> Tensor:
        """What is read out of full histories of observation tokens (n, S, observed, H)."""


@dataclass
class _History:
    """What a slot remembers."""

    sentence: Tensor
    """Sentence feature (512,)."""
    steps: deque[Tensor]
    """Observation tokens of up to S steps, each (observed, H)."""
    age: int = 0
    """Frames seen since the reset."""
    cache: Tensor | None = field(default=None, repr=False)
    """Keys and values while the history fills, see `NewestReader.cache_shape`."""


class SlotMemory:
    """The histories of all slots. Which numbers come out for one does not depend on the age of the others.

    Args:
        newest: reads the newest step.
        length: steps of a full history (S).
        observed: observation tokens of a step.
        device: where to compute.
    """

    def __init__(self, newest: NewestReader, length: int, observed: int, device: torch.device) -> None:
        self._newest, self._length, self._observed, self._device = newest, length, observed, device
        self._slots: dict[int, _History] = {}

    def reset(self, slot: int, sentence: Tensor) -> None:
        """Forget what a slot has seen; `sentence` (512,) is what it is to do."""
        self._slots[slot] = _History(sentence.to(self._device, torch.float32), deque(maxlen=self._length))

    def sentences(self, slots: Sequence[int]) -> Tensor:
        """What the slots are to do (n, 512)."""
        return torch.stack([self._slots[slot].sentence for slot in slots])

    def history(self, slot: int) -> Tensor:
        """Observation tokens (k, observed, H) of the steps that a slot remembers."""
        return torch.stack([*self._slots[slot].steps])

    def remember(self, slots: Sequence[int], tokens: Tensor) -> Tensor:
        """Append a step of observation tokens (n, observed, H) to each history; what is read out (n, ...)."""
        histories = [self._slots[slot] for slot in slots]
        for history, row in zip(histories, tokens, strict=True):
            history.steps.append(row.clone())  # a view would hold on to all rows
            history.age += 1
        growing = [history.age <= self._length for history in histories]
        # Each way is gone by all rows or by none: shapes, and with them the order in which sums are taken, must not
        # depend on how old the other slots are.
        grown = self._grow_all(histories, tokens) if any(growing) else None
        if grown is not None and all(growing):
            return grown
        recomputed = self._newest.recompute(torch.stack([self._window(history) for history in histories])).clone()
        if grown is None:
            return recomputed
        return torch.where(torch.tensor(growing, device=self._device)[:, None, None], grown, recomputed)

    def _grow_all(self, histories: Sequence[_History], tokens: Tensor) -> Tensor:
        """What is read out of histories that still fill; of the others, numbers without meaning."""
        empty = torch.zeros(self._newest.cache_shape, device=self._device)
        caches = [empty if history.cache is None else history.cache for history in histories]
        positions = [(history.age - 1) % self._length for history in histories]
        steps = torch.tensor(positions, device=self._device)
        latents, kept = self._newest.grow(tokens, steps, torch.stack(caches))
        for history, cache, position, new in zip(histories, caches, positions, kept, strict=True):
            if history.age >= self._length:
                history.cache = None  # the next frame moves all others to an earlier position
            else:
                history.cache = cache.clone() if cache is empty else cache
                history.cache[..., position * self._observed : (position + 1) * self._observed, :] = new
        return latents.clone()

    def _window(self, history: _History) -> Tensor:
        """The last S steps (S, observed, H); a history that is not full is filled up with its newest step."""
        missing = self._length - len(history.steps)
        return torch.stack([*history.steps, *[history.steps[-1]] * missing])


def read_last(
    transformer: Gpt2, x: Tensor, mask: Tensor, wanted: int, observed: int, cache: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run a transformer for the sake of its last rows alone.

    Args:
        transformer: in evaluation mode.
        x: tokens (n, rows, H).
        mask: (n, 1, rows, keys), True where a row may attend; the cached keys come first.
        wanted: how many of the last rows are wanted.
        observed: how many of the first rows' keys and values are to be kept, where there is a cache.
        cache: keys and values that come before (n, layers, 2, heads, length, channels).

    Returns:
        Latents (n, wanted, H), and the keys and values of the first `observed` rows in the layout of the cache; an
        empty tensor without one.
    """
    kept = []
    blocks = transformer.blocks
    for i, block in enumerate(blocks):
        q, k, v = block.attn.project(block.ln_1(x))
        if cache is not None:
            kept.append(torch.stack([k, v], dim=1)[..., :observed, :])
            k, v = torch.cat([cache[:, i, 0], k], dim=2), torch.cat([cache[:, i, 1], v], dim=2)
        if i == len(blocks) - 1:  # what the other rows would become nobody reads
            x = row_by_row(partial(_advance, block), x[:, -wanted:], q[:, :, -wanted:], k, v, mask[..., -wanted:, :])
        else:
            x = _advance(block, x, q, k, v, mask)
    latents: Tensor = transformer.ln_f(x)
    return latents, torch.stack(kept, dim=1) if kept else latents.new_empty(0)


def row_by_row(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """Call a function for each slot alone.

    For products of a few rows in all, libraries choose another order of summation by the place of a row, and a slot's
    bits would depend on its place among the others. Larger products do not have this fault, and are worth a batch.
    """
    return torch.cat([function(*(column[i : i + 1] for column in rows)) for i in range(len(rows[0]))])


def _advance(block: Gpt2Block, x: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """A block's effect on tokens (n, rows, H), given all that it attends to."""
    x = x + block.attn.attend(q, k, v, mask)
    out: Tensor = x + block.mlp(block.ln_2(x))
    return out
