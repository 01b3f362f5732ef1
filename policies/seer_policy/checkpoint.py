"""Reading the checkpoints that Seer's authors publish, and building the network that fits one.

Such a file is a dict of `torch.save`: `epoch`, `model_state_dict`, `optimizer_state_dict`, `lr_scheduler_state_dict`.
Names carry the prefix `module.` of DistributedDataParallel, and only trained tensors are in it: the frozen encoders
have files of their own (see `seer_bench_nn.frozen`). No configuration is stored. What shapes tell is read off them; the
number of attention heads and the form of the gripper state leave no trace and come from the variant that the caller
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench_nn.frozen import load_clip_text, load_mae
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.weights_file import open_weights, tensors_only

from .config import SeerConfig
from .model import FROZEN, Seer
from .variants import variants

_PREFIX = "module."
_MARKS = ("transformer_backbone_position_embedding", "action_pred_token", "image_primary_projector.weight")
"""Names by which a state dict is taken for Seer's."""
_FORESIGHT_TOKENS = "obs_tokens"
_IMAGE_DECODER = ("mask_token", "image_decoder")
"""First parts of the names of the image decoder's weights."""


@dataclass(frozen=True)
class Sizes:
    """What the shapes of a checkpoint tell; fields are named as in `SeerConfig`."""

    history: int
    hidden_dim: int
    layers: int
    resampler_queries: int
    foresight_tokens: int
    action_tokens: int
    vision_width: int

    @classmethod
    def of(cls, config: SeerConfig) -> Sizes:
        """The sizes that a configuration asks for."""
        own = {name: getattr(config, name) for name in cls.__dataclass_fields__ if name != "vision_width"}
        return cls(**own, vision_width=config.vision.width)

    def against(self, other: Sizes) -> list[str]:
        """Where the other sizes are different, e.g. "history 10 (not 7)"."""
        theirs = asdict(other)
        return [f"{name} {size} (not {theirs[name]})" for name, size in asdict(self).items() if size != theirs[name]]

    def applied_to(self, config: SeerConfig) -> SeerConfig:
        """The configuration with these sizes; the rest, e.g. the number of heads, stays."""
        own = asdict(self)
        return replace(config, vision=replace(config.vision, width=own.pop("vision_width")), **own)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is open: its tensors are mapped from the file and not read yet."""

    path: Path
    weights: Mapping[str, Tensor]
    """By the network's names, without `module.`; without the image decoder where there are no [FRS] tokens."""
    sizes: Sizes
    epoch: int | None
    """Counted from 0, as its authors do; None where the file is a plain state dict."""
    peak_learning_rate: float | None
    """Of the schedule, where the file keeps it."""
    other_bytes: int
    """Size of the tensors that are none of the network's: the optimiser's state, which is never read."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint: the published layout, or a plain state dict of the same names, e.g. in safetensors.

    Raises:
        CheckpointError: the file cannot be opened (see `seer_bench_nn.weights_file`), or is no checkpoint of Seer's.
    """
    tree = open_weights(path)
    if not is_seer(tree):
        holds = ", ".join(map(str, list(tree)[:3])) if isinstance(tree, Mapping) else type(tree).__name__
        raise CheckpointError(f"{path}: is no checkpoint of Seer; it holds {holds}, ... Check --ckpt.")
    extras: Mapping[str, Any] = {}
    if isinstance(tree, Mapping) and "model_state_dict" in tree:
        extras = {key: value for key, value in tree.items() if key != "model_state_dict"}
        tree = tree["model_state_dict"]
    weights = _without_prefix(tensors_only(tree, path, "the checkpoint"), path)
    if _FORESIGHT_TOKENS not in weights:  # its authors save an image decoder all the same, which nothing feeds
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith(_IMAGE_DECODER)}
    epoch = extras.get("epoch")
    return Checkpoint(
        path=path,
        weights=weights,
        sizes=infer_sizes(weights, path),
        epoch=epoch if isinstance(epoch, int) else None,
        peak_learning_rate=_peak_learning_rate(extras.get("lr_scheduler_state_dict")),
        other_bytes=_tensor_bytes(extras),
    )


def is_seer(tree: object) -> bool:
    """Whether what a file holds looks like a checkpoint of Seer's, whole or not."""
    if isinstance(tree, Mapping) and "model_state_dict" in tree:
        tree = tree["model_state_dict"]
    return isinstance(tree, Mapping) and any(str(name).removeprefix(_PREFIX) in _MARKS for name in tree)


def infer_sizes(weights: Mapping[str, Tensor], path: Path) -> Sizes:
    """Read the network's sizes off the shapes of its tensors.

    Args:
        weights: tensor by name, without `module.`.
        path: the file, for messages.

    Raises:
        CheckpointError: tensors that tell the sizes are missing, or have shapes that no Seer has.
    """
    _, history, _, _ = _shape(weights, path, "transformer_backbone_position_embedding", "1, history, 1, hidden_dim")
    _, _, actions, _ = _shape(weights, path, "action_pred_token", "1, 1, action_tokens, hidden_dim")
    foresight = 0
    if _FORESIGHT_TOKENS in weights:
        _, _, foresight, _ = _shape(weights, path, _FORESIGHT_TOKENS, "1, 1, 2 * foresight_tokens, hidden_dim")
        if foresight % 2 or round((foresight // 2) ** 0.5) ** 2 != foresight // 2:
            raise CheckpointError(
                f"{path}: obs_tokens holds {foresight} tokens; two cameras need twice a square number, e.g. 18."
            )
    queries, width = _shape(weights, path, "perceiver_resampler.latents", "resampler_queries, vision_width")
    hidden, _ = _shape(weights, path, "text_projector.weight", "hidden_dim, 512")
    layers = {name.split(".")[2] for name in weights if name.startswith("transformer_backbone.h.")}
    if hidden % 16 or width % 4:
        raise CheckpointError(
            f"{path}: hidden_dim is {hidden} and vision_width {width}; Seer needs multiples of 16 and of 4."
        )
    return Sizes(history, hidden, len(layers), queries, foresight // 2, actions, width)


def fitting(sizes: Sizes) -> dict[str, tuple[str, ...]]:
    """Published variants with these sizes, and which of their phases; several where no shape tells them apart."""
    found = {
        name: tuple(phase for phase, use in one.phases.items() if Sizes.of(use.config) == sizes)
        for name, one in variants().items()
    }
    return {name: phases for name, phases in found.items() if phases}


def build_seer(
    checkpoint: Checkpoint,
    config: SeerConfig,
    *,
    mae: Path,
    clip: Path,
    vision_precision: torch.dtype = torch.float32,
) -> Seer:
    """Build the network on the CPU, in evaluation mode, with all weights in place.

    Every file is checked whole before it is used: all names, all shapes, no number that is NaN or infinite.

    Args:
        checkpoint: the trained weights.
        config: of the same sizes.
        mae: file of the image encoder, see `frozen.mae_weights`.
        clip: file of the text encoder, see `frozen.clip_text_weights`.
        vision_precision: of the image encoder, officially bfloat16; all else is float32. Its weights are rounded while
            they are read, so that they never lie in memory in float32.

    Raises:
        CheckpointError: one of the files does not fit.
    """
    with uninitialised():
        model = Seer(config)
    model.vision_encoder.to(vision_precision)
    fill(model, checkpoint.weights, checkpoint.path, leave=FROZEN)
    load_mae(model.vision_encoder, mae)
    load_clip_text(model.clip_model, clip)
    return model.eval()


def _without_prefix(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Tensors by names without `module.`; raises CheckpointError where two become one."""
    bare = {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
    if len(bare) != len(weights):
        double = next(name for name in bare if name in weights and _PREFIX + name in weights)
        raise CheckpointError(f"{path}: holds both {double} and {_PREFIX}{double}; which one is meant cannot be told.")
    return bare


def _shape(weights: Mapping[str, Tensor], path: Path, name: str, wanted: str) -> tuple[int, ...]:
    """Shape of a tensor that tells sizes; `wanted` says its axes, 1 standing for itself."""
    if name not in weights:
        raise CheckpointError(f"{path}: {name} is missing, so that the sizes of the network cannot be told.")
    shape, axes = tuple(weights[name].shape), wanted.split(", ")
    ones = all(size == 1 for size, axis in zip(shape, axes, strict=False) if axis == "1")
    if len(shape) != len(axes) or not ones or 0 in shape:
        raise CheckpointError(f"{path}: {name} has the shape {shape}; expected: ({wanted}).")
    return shape


def _peak_learning_rate(scheduler: object) -> float | None:
    """From the state of a PyTorch scheduler."""
    rates = scheduler.get("base_lrs") if isinstance(scheduler, Mapping) else None
    return float(rates[0]) if isinstance(rates, list) and rates and isinstance(rates[0], int | float) else None


def _tensor_bytes(tree: object) -> int:
    """Bytes of all tensors in nested dicts and lists, without reading them."""
    if isinstance(tree, Tensor):
        return tree.nbytes
    if isinstance(tree, Mapping):
        return sum(map(_tensor_bytes, tree.values()))
    return sum(map(_tensor_bytes, tree)) if isinstance(tree, list | tuple) else 0
