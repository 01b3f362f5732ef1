"""What `seer-bench inspect` shows of a checkpoint of LeRobot's; LeRobot itself is not needed for it."""

from __future__ import annotations

from math import prod
from pathlib import Path

from seer_bench.errors import CheckpointError
from seer_bench.inspection import Fact, Inspection
from seer_bench_nn.needs import needs_torch

from .features import CONFIG, WEIGHTS, read_description

with needs_torch("inspecting a checkpoint of LeRobot's"):
    from safetensors import SafetensorError, safe_open


def inspect(path: Path) -> Inspection | None:
    """Describe a pretrained policy of LeRobot's; None where the path is no folder with a configuration.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    if not (path / CONFIG).is_file():
        return None
    found = read_description(path)
    try:
        with safe_open(path / WEIGHTS, framework="np") as file:
            keys = list(file.keys())
            shapes = [file.get_slice(key).get_shape() for key in keys]
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path / WEIGHTS}: cannot be read ({error}).") from error
    facts: dict[str, Fact] = {"type": found.type}
    for feature in found.inputs:
        facts[feature.name] = " x ".join(map(str, feature.shape))
    facts["action"] = found.action_dim
    facts["actions executed of a prediction"] = found.action_steps
    facts["observations looked at"] = int(found.config.get("n_obs_steps", 1))
    facts["parameters"] = sum(prod(shape) for shape in shapes)
    return Inspection("LeRobot policy", facts)
