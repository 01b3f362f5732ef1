"""Files in the layout of the published ones, of any size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def published_shapes(shared: Path, name: str, part: str = "checkpoint") -> dict[str, Sequence[int]]:
    """Shapes of a published checkpoint: calvin, large or libero; part "frozen_not_saved": of what is not in it."""
    tree = json.loads((shared / "specs" / f"seer_state_dict_{name}.json").read_text())
    found: dict[str, Sequence[int]] = tree[part]
    return found


def hollow(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Tensors of these shapes that share one number each: they take no room in a file."""
    return {name: torch.full((), 0.01).expand(tuple(shape)) for name, shape in shapes.items()}


def write_official(path: Path, weights: Mapping[str, Tensor], *, epoch: int = 33, **more: Any) -> Path:
    """A file as the published ones: names with `module.`, an optimiser's moments, a schedule."""
    moments = {
        i: {"step": torch.tensor(9.0), "exp_avg": torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)}
        for i, tensor in enumerate(weights.values())
    }
    tree = {
        "epoch": epoch,
        "model_state_dict": {f"module.{name}": tensor for name, tensor in weights.items()},
        "optimizer_state_dict": {"state": moments, "param_groups": [{"lr": 0.0, "params": list(moments)}]},
        "lr_scheduler_state_dict": {"base_lrs": [1e-3], "last_epoch": 9, "lr_lambdas": [{}]},
    }
    torch.save(tree | more, path)
    return path
