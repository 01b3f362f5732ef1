"""What `seer-bench inspect` shows of a checkpoint of MT-ACT."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from seer_bench.errors import CheckpointError
from seer_bench.inspection import Inspection
from seer_bench_nn.needs import needs_torch

with needs_torch("inspecting a checkpoint of MT-ACT's"):
    from seer_bench_nn.weights_file import open_weights

    from .checkpoint import FORMAT, build, is_official, read_checkpoint, read_metadata


def inspect(path: Path) -> Inspection | None:
    """Describe a checkpoint of MT-ACT, ours or RoboAgent's; None where the file is sound but something else.

    Raises:
        CheckpointError: the file cannot be opened, or was altered.
    """
    if read_metadata(path).get("format") == FORMAT:
        checkpoint = read_checkpoint(path)
        facts = {
            "benchmark": checkpoint.benchmark,
            **{name: value for name, value in asdict(checkpoint.config).items() if isinstance(value, int | float)},
            "parameters": sum(w.numel() for name, w in checkpoint.weights.items() if ".running_" not in name),
        }
        try:
            build(checkpoint)
        except CheckpointError as error:
            return Inspection("MT-ACT checkpoint", facts, (str(error),))
        return Inspection("MT-ACT checkpoint", facts)
    if is_official(open_weights(path)):
        return Inspection("RoboAgent checkpoint", {"to play it": "python -m mtact_policy.convert --help"})
    return None
