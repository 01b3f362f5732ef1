"""The policy `mpi`: MPI's frozen encoder under Seer's backbone without foresight.

Seer's paper reports MPI on LIBERO-LONG but not what it put on top of the encoder. The policy head here is ours, and
runs say so.
"""

from __future__ import annotations

from seer_bench import Policy, PolicyContext
from seer_bench_nn.needs import needs_torch

with needs_torch("the policy 'mpi'"):
    from seer_policy.controlled_policy import make_controlled

    from .weights import MPI_URL, read_mpi


def make_policy(context: PolicyContext) -> Policy:
    """Load a trained head and the encoder that it was trained over.

    Raises:
        AssetError: the text encoder is not installed.
        CheckpointError: a file is missing, cannot be opened, or belongs to another encoder or benchmark.
        UsageError: an option or the device cannot be used.
    """
    return make_controlled(context, "mpi", read_mpi, MPI_URL)
