"""What recordings of networks share: weights drawn into a module, a reduced vision encoder, PyTorch's refusals."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench.verification.records import Comparator

from .fields import Fields
from .weights import draw_weight

MOST = 1 << 16
"""No size of a network that can be replayed is greater; seeds may be."""


@torch.no_grad()
def fill_drawn(module: nn.Module, seed: int, *, computed: Collection[str] = (), leave: tuple[str, ...] = ()) -> None:
    """Give a module the recorded weights.

    Args:
        module: the network.
        seed: the recording's `weight_seed`.
        computed: names of the tensors that the network computes itself, and that are never drawn.
        leave: beginnings of names that keep their values.
    """
    for name, parameter in module.named_parameters():
        if name not in computed and not name.startswith(leave):
            parameter.copy_(torch.from_numpy(draw_weight(name, tuple(parameter.shape), seed)))


def reduced_vision(fields: Fields) -> tuple[int, int, int] | None:
    """Key `small`: width, depth and heads of a vision encoder that is not the published one; None without the key.

    Raises:
        RecordError: there is no encoder of these sizes.
    """
    if "small" not in fields:
        return None
    small = fields.inner("small")
    small.refuse_unknown(("E", "vdepth", "vheads"))
    width, depth, heads = (small.integer(key, most=MOST) for key in ("E", "vdepth", "vheads"))
    if width % heads or width % 4:
        raise RecordError(f"{small.where}: 'E' is {width}; it must be a multiple of 4 and of vheads ({heads})")
    return width, depth, heads


def guarded(compare: Comparator[Recording]) -> Comparator[Recording]:
    """The comparison; what PyTorch refuses, e.g. for its size, becomes the record's verdict."""

    def run(recording: Recording, comparison: Comparison) -> None:
        try:
            compare(recording, comparison)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).partition("\n")[0] or "not enough memory"
            raise RecordError(f"cannot be replayed here: {type(error).__name__}: {reason}") from error

    return run
