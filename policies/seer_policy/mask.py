"""The unidirectional attention mask: who may attend to whom in the multi-modal encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .config import STATE_TOKEN, AttentionOptions, TokenLayout


def attention_mask(
    layout: TokenLayout, steps: int, options: AttentionOptions, rng: np.random.RandomState | None = None
) -> NDArray[np.bool_]:
    """A mask (L, L) over the L = steps * layout.per_step tokens; row = query, column = key, True = may attend.

    * Observation tokens, [FRS] and [INV] see the observation tokens of their own and of earlier steps.
    * [INV] sees the [FRS] of its own step too: the foreseen images guide the actions.
    * No other readout token is seen by anyone, not even by itself.
    * With `options.isolated_actions`, [INV] sees only the images (on demand the state) and [FRS] of its own step.
    * With `options.goal_offset` = g, the [FRS] of step i sees the state of step i + g. The last g steps have no such
      goal; the losses leave them out.

    Args:
        layout: the tokens of one step.
        steps: number of steps.
        options: departures of pre-training.
        rng: draws the hidden [FRS] tokens, step by step; without it `options.hidden_foresight` hides none.

    Note:
        The paper lets [FRS] drop language and history in pre-training as well. The published code and weights do
        not, and this mask follows them.
    """
    rows = np.arange(steps * layout.per_step)
    step, kind = np.divmod(rows, layout.per_step)
    observed = kind < layout.observed
    mask = (step[None, :] <= step[:, None]) & observed[None, :]
    for i in range(steps):
        block = _step_view(mask, layout, i, i)
        block[layout.action_slice, layout.foresight_slice] = True
    if options.isolated_actions and layout.foresight:
        _isolate_actions(mask, layout, steps, options, rng)
    if options.goal_offset:
        for i in range(steps - options.goal_offset):
            _step_view(mask, layout, i, i + options.goal_offset)[layout.foresight_slice, STATE_TOKEN] = True
    return mask


def _step_view(mask: NDArray[np.bool_], layout: TokenLayout, query: int, key: int) -> NDArray[np.bool_]:
    """The part of the mask between the tokens of two steps, writable."""
    n = layout.per_step
    return mask[query * n : (query + 1) * n, key * n : (key + 1) * n]


def _isolate_actions(
    mask: NDArray[np.bool_],
    layout: TokenLayout,
    steps: int,
    options: AttentionOptions,
    rng: np.random.RandomState | None,
) -> None:
    """Cut [INV] off from text and history, in place."""
    hidden = int(options.hidden_foresight * layout.foresight)
    for i in range(steps):
        mask[i * layout.per_step :][layout.action_slice] = False
        actions = _step_view(mask, layout, i, i)[layout.action_slice]
        actions[:, layout.image_slice] = True
        actions[:, STATE_TOKEN] = options.actions_see_state
        actions[:, layout.foresight_slice] = True
        if rng is not None and hidden:
            actions[:, layout.observed + rng.choice(layout.foresight, hidden, replace=False)] = False
