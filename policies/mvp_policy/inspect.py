"""What `seer-bench inspect` shows of a head over MVP's encoder."""

from __future__ import annotations

from pathlib import Path

from seer_bench.inspection import Inspection
from seer_bench_nn.needs import needs_torch

with needs_torch("inspecting a head over MVP's encoder"):
    from seer_policy.controlled_inspect import inspect_controlled


def inspect(path: Path) -> Inspection | None:
    """Describe such a head; None where the file is sound but something else.

    Raises:
        CheckpointError: the file cannot be opened, or its sizes cannot be told.
    """
    return inspect_controlled(path, "MVP")
