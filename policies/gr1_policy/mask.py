"""Who may attend to whom."""

from __future__ import annotations

import torch
from torch import Tensor


def attention_mask(observed: int, queries: int, valid: Tensor) -> Tensor:
    """A mask (B, 1, L, L) over L = S * (observed + queries) tokens; row = query, column = key, True = may attend.

    Every token sees the observation tokens before it, itself included if it is one: attention is causal even among the
    tokens of one step. Queries are seen by nobody, not even by themselves. Steps that are not valid are not seen.

    Published code subtracts 10,000 from the scores of what is hidden, which leaves it no weight in float32 as long as
    something is seen: the first step has to be valid.

    Args:
        observed: observation tokens of a step; they come first.
        queries: query tokens of a step.
        valid: boolean (B, S), which steps hold an observation.
    """
    per_step = observed + queries
    rows = torch.arange(valid.shape[1] * per_step, device=valid.device)
    is_key = valid.repeat_interleave(per_step, dim=1) & (rows % per_step < observed)
    causal = rows[None, :] <= rows[:, None]
    return (causal & is_key[:, None, :]).unsqueeze(1)
