"""What `seer-bench inspect` shows of a head that was trained over another frozen encoder, see `controlled`."""

from __future__ import annotations

from pathlib import Path

from seer_bench.inspection import Fact, Inspection
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.loading import compare, fault_in
from seer_bench_nn.weights_file import open_weights

from .controlled import is_head, read_head
from .inspect import needed_shapes


def inspect_controlled(path: Path, method: str) -> Inspection | None:
    """Describe a head that was trained over an encoder of `method`; None where the file is sound but another one.

    Raises:
        CheckpointError: the file cannot be opened, does not say what it belongs to, or its sizes cannot be told.
    """
    if not is_head(open_weights(path)):
        return None
    head = read_head(path)
    made, sizes, weights = head.made, head.sizes, head.weights
    if made.method != method:
        return None
    facts: dict[str, Fact] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": checkpoint_sha256(path),
        "head": "ours: Seer's backbone without foresight",
        "encoder": f"{made.method} {made.encoder}",
        "encoder's sha256": made.encoder_sha256,
        "benchmark": made.benchmark,
        "history": sizes.history,
        "hidden_dim": sizes.hidden_dim,
        "layers": sizes.layers,
        "heads": made.heads,
        "resampler_queries": sizes.resampler_queries,
        "action_tokens": sizes.action_tokens,
        "gripper state": "finger positions" if made.finger_widths else "flag",
        "parameters trained": sum(tensor.numel() for tensor in weights.values()),
    }
    differences = compare(weights, needed_shapes(sizes))
    faults = [str(differences)] if differences else []
    faults += [f"{name} {fault}" for name, tensor in weights.items() if (fault := fault_in(tensor))]
    return Inspection(f"Policy head over a frozen encoder of {method}", facts, tuple(faults))
