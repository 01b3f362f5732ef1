"""Folders as LeRobot's `save_pretrained` writes them, without LeRobot: its JSON files, statistics and no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

Shapes = Mapping[str, tuple[int, ...]]
Write = Callable[..., Path]

LIBERO: Shapes = {
    "observation.images.image": (3, 256, 256),
    "observation.images.image2": (3, 256, 256),
    "observation.state": (8,),
}
CALVIN: Shapes = {
    "observation.images.top": (3, 200, 200),
    "observation.state": (7,),
}


def features(shapes: Shapes) -> dict[str, Any]:
    return {name: {"type": _kind(name), "shape": list(shape)} for name, shape in shapes.items()}


def _kind(name: str) -> str:
    if name == "action":
        return "ACTION"
    return "VISUAL" if "images" in name else "STATE"


def statistics(shapes: Shapes) -> dict[str, np.ndarray]:
    known = {"mean": 0.0, "std": 0.5, "min": -1.0, "max": 1.0}
    sizes = {name: (shape[0], 1, 1) if len(shape) == 3 else shape for name, shape in shapes.items()}
    return {f"{name}.{kind}": np.full(sizes[name], value) for name in shapes for kind, value in known.items()}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a checkpoint and returns its folder."""

    def write_one(
        inputs: Shapes = LIBERO,
        *,
        kind: str = "act",
        renames: Mapping[str, str] | None = None,
        changed: Mapping[str, Any] | None = None,
        action_dim: int = 7,
        **config: Any,
    ) -> Path:
        shapes: Shapes = {**inputs, "action": (action_dim,)}
        numbers = {**statistics(shapes), **{key: np.asarray(value) for key, value in (changed or {}).items()}}
        save_file({key: value for key, value in numbers.items() if value.size}, tmp_path / "numbers.safetensors")
        normal = {
            "registry_name": "normalizer_processor",
            "config": {
                "features": features(shapes),
                "norm_map": dict.fromkeys(("VISUAL", "STATE", "ACTION"), "MEAN_STD"),
            },
            "state_file": "numbers.safetensors",
        }
        rename = {"registry_name": "rename_observations_processor", "config": {"rename_map": renames or {}}}
        tree = {
            "type": kind,
            "input_features": features(inputs),
            "output_features": features({"action": (action_dim,)}),
        }
        _dump(tmp_path / "config.json", {**tree, **config})
        _dump(tmp_path / "policy_preprocessor.json", {"steps": [rename, normal]})
        _dump(tmp_path / "policy_postprocessor.json", {"steps": [normal]})
        save_file({"model.weight": np.zeros((2, 3), np.float32)}, tmp_path / "model.safetensors")
        return tmp_path

    return write_one


def _dump(path: Path, tree: Any) -> None:
    path.write_text(json.dumps(tree))
