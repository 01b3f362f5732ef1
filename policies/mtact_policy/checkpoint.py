"""Checkpoints of MT-ACT: one safetensors file that says everything that it takes to play it.

Tensors are named `network.NAME` and `statistics.NAME` (float32, see `model.Mtact` and `statistics.Statistics`).
The file's metadata, all text, are:

    format      "seer-bench/mtact/1"
    benchmark   name of the benchmark whose demonstrations it was trained on
    config      `MtactConfig` as JSON
    sha256      of the benchmark, the config and all tensors; recomputed when a file is read
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seer_bench.errors import CheckpointError, UnknownNameError, UsageError
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.weights_file import file_kind, open_weights, tensors_only

from .config import MtactConfig
from .embodiments import EMBODIMENTS
from .model import Mtact
from .statistics import Statistics

FORMAT = "seer-bench/mtact/1"
"""What the metadata's `format` says."""
COUNTERS = "num_batches_tracked"
"""End of the names of BatchNorm's counters, which change nothing and are not kept."""
_NETWORK, _STATISTICS = "network.", "statistics."
_OFFICIAL_MARKS = ("model.proj_text_emb.weight", "model.backbones.0.0.film_models.1.weight")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read whole."""

    path: Path
    benchmark: str
    config: MtactConfig
    statistics: Statistics
    weights: Mapping[str, Tensor]
    """By the network's names."""


def save_checkpoint(path: Path, model: Mtact, statistics: Statistics, benchmark: str) -> None:
    """Write a network, in float32, with the statistics of the demonstrations that it was trained on.

    Raises:
        UnknownNameError: there is no such benchmark.
        CheckpointError: the statistics do not fit the network, or can be none.
    """
    if benchmark not in EMBODIMENTS:
        raise UnknownNameError("benchmark of MT-ACT", benchmark, EMBODIMENTS)
    Statistics.read(vars(statistics), model.config.state_dim, model.config.action_dim, path)
    weights = kept(model.state_dict())
    tensors = {_NETWORK + name: tensor.detach().float().cpu().contiguous() for name, tensor in weights.items()}
    tensors |= {_STATISTICS + name: torch.from_numpy(array.copy()) for name, array in vars(statistics).items()}
    config = msgspec.json.encode(model.config).decode()
    sha256 = _sha256(benchmark, config, tensors)
    save_file(tensors, path, {"format": FORMAT, "benchmark": benchmark, "config": config, "sha256": sha256})


def read_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint and check it whole.

    Raises:
        CheckpointError: it cannot be opened, is of another layout, or was altered.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(_other_layout(path, metadata))
    benchmark, sizes, recorded = (metadata.get(key, "") for key in ("benchmark", "config", "sha256"))
    config = _config(sizes, path)
    tensors = tensors_only(open_weights(path), path, "the checkpoint")
    arrays = {name: tensor.float().numpy() for name, tensor in _under(tensors, _STATISTICS).items()}
    statistics = Statistics.read(arrays, config.state_dim, config.action_dim, path)
    if recorded != (found := _sha256(benchmark, sizes, tensors)):
        raise CheckpointError(
            f"{path}: was altered: its sha256 is {found}, recorded is {recorded or 'nothing'}. Fetch it again."
        )
    return Checkpoint(path, benchmark, config, statistics, _under(tensors, _NETWORK))


def build(checkpoint: Checkpoint) -> Mtact:
    """The network on the CPU, in evaluation mode; raises CheckpointError where names or shapes do not fit."""
    with uninitialised():
        model = Mtact(checkpoint.config)
    fill(model, checkpoint.weights, checkpoint.path, leave=_counters(model))
    return model.eval()


def read_metadata(path: Path) -> dict[str, str]:
    """Text in a safetensors file; empty for any other file of weights.

    Raises:
        CheckpointError: it is no file of weights, or cannot be read.
    """
    if file_kind(path) != "safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: is cut short or damaged ({error}). Fetch it again.") from error


def is_official(tree: object) -> bool:
    """Whether what a file holds looks like a checkpoint of RoboAgent's (see `convert`)."""
    return isinstance(tree, Mapping) and all(mark in tree for mark in _OFFICIAL_MARKS)


def kept(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without BatchNorm's counters."""
    return {name: tensor for name, tensor in weights.items() if not name.endswith(COUNTERS)}


def _sha256(benchmark: str, config: str, tensors: Mapping[str, Tensor]) -> str:
    """Hash of a checkpoint: two texts, then of each tensor, in the order of names, its name, shape and bytes."""
    digest = hashlib.sha256(f"{benchmark}\n{config}\n".encode())
    for name in sorted(tensors):
        array = tensors[name].float().numpy()
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _counters(model: Mtact) -> list[str]:
    """Names of BatchNorm's counters."""
    return [name for name in model.state_dict() if name.endswith(COUNTERS)]


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _config(text: str, path: Path) -> MtactConfig:
    """The sizes that a file records."""
    try:
        return msgspec.json.decode(text, type=MtactConfig)
    except (msgspec.MsgspecError, UsageError) as error:
        raise CheckpointError(f"{path}: its recorded sizes cannot be: {error}.") from error


def _other_layout(path: Path, metadata: Mapping[str, str]) -> str:
    """What to do with a file that is not ours."""
    if is_official(open_weights(path)):
        return (
            f"{path}: is in RoboAgent's layout, which lacks the statistics and sizes that it takes to play it. Convert "
            f"it with: python -m mtact_policy.convert {path} OUT.safetensors --benchmark NAME --statistics FILE.pkl"
        )
    found = f"its format is {metadata['format']!r}" if "format" in metadata else "it has no format"
    return f"{path}: is no checkpoint of MT-ACT ({found}; needed is {FORMAT!r}). Check --ckpt."
