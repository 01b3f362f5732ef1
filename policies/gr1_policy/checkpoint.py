"""Reading the snapshots that GR-1's authors publish (`snapshot_ABC.pt`, `snapshot_ABCD.pt`), and building the network.

Such a file is a dict of `torch.save` with the key `state_dict`; names have no prefix, `module.` in front of all of them
is taken off. Published code loads it without asking for all names. What may be in it beside the trained weights is
therefore taken as it comes:

* the frozen encoders: used if they are there, whatever else is installed; the image tower of CLIP is never run;
* the causal triangles of the attention (`attn.bias`, `attn.masked_bias`): checked and left out;
* an embedding of a vocabulary of one (`transformer.wte`) that nothing reads: left out;
* the image queries and the image decoder: without them, actions are the same;
* anything else that the published network does not have: left out, as published code does, but said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench_nn.frozen import load_clip_text, load_mae
from seer_bench_nn.loading import Shape, fill, shapes, uninitialised
from seer_bench_nn.weights_file import open_weights, tensors_only

from .config import Gr1Config
from .model import CLIP, MAE, Gr1

FORESIGHT = ("obs_queries.", "obs_hand_queries.", "mask_token", "decoder_")
"""First parts of the names of the weights that actions do not depend on."""
GR1_URL = "https://github.com/bytedance/GR-1"
"""Its README links the snapshots."""

_PREFIX = "module."
"""What PyTorch's data-parallel training puts in front of all names."""
_MARKS = ("embed_timestep.weight", "action_queries.weight", "embed_hand_img.weight")
"""Names by which a state dict is taken for GR-1's."""
_TRIANGLE = re.compile(r"transformer\.h\.\d+\.attn\.bias$")
_NEVER_READ = re.compile(r"transformer\.wte\.weight$|transformer\.h\.\d+\.attn\.masked_bias$")
_CLIP_NEVER_RUN = re.compile(r"visual\.|logit_scale$|transformer\.resblocks\.\d+\.attn_mask$")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that is open: its tensors are mapped from the file and not read yet."""

    path: Path
    weights: Mapping[str, Tensor]
    """What was trained, and the position embedding of the image decoder."""
    unread: tuple[str, ...]
    """Names that the published network does not have either."""
    mae: Mapping[str, Tensor]
    """MAE's encoder by its own names; empty where the snapshot does not hold it."""
    clip: Mapping[str, Tensor]
    """CLIP's text tower by its own names; empty where the snapshot does not hold it."""

    @property
    def foresight(self) -> bool:
        """Whether it can foresee images."""
        return any(name.startswith(FORESIGHT) for name in self.weights)


def is_gr1(tree: object) -> bool:
    """Whether what a file holds looks like a snapshot of GR-1, whole or not."""
    return any(name in _state_dict(tree) for name in _MARKS)


def read_snapshot(path: Path, config: Gr1Config) -> Snapshot:
    """Open a snapshot: the published layout, or a plain state dict of the same names, e.g. in safetensors.

    Shapes are not checked here.

    Raises:
        CheckpointError: the file cannot be opened (see `seer_bench_nn.weights_file`), is no snapshot of GR-1, or holds
            an attention that is not causal.
    """
    tree = open_weights(path)
    if not is_gr1(tree):
        found = _state_dict(tree)
        holds = ", ".join(map(str, list(found)[:3])) if found else f"a {type(tree).__name__}"
        raise CheckpointError(f"{path}: is no snapshot of GR-1; it holds {holds}, ... Check --ckpt.")
    everything = tensors_only(_state_dict(tree), path, "the snapshot")
    known = trained_shapes(config)
    weights: dict[str, Tensor] = {}
    unread: list[str] = []
    for name, tensor in everything.items():
        if name in known:
            weights[name] = tensor
        elif _TRIANGLE.match(name):
            _check_triangle(name, tensor, path)
        elif not name.startswith((CLIP, MAE)) and not _NEVER_READ.match(name):
            unread.append(name)
    clip = _inner(everything, CLIP)
    return Snapshot(
        path=path,
        weights=weights,
        unread=tuple(unread),
        mae=_inner(everything, MAE),
        clip={name: tensor for name, tensor in clip.items() if not _CLIP_NEVER_RUN.match(name)},
    )


def trained_shapes(config: Gr1Config) -> dict[str, Shape]:
    """Shape by name of all tensors but those of the frozen encoders."""
    with torch.device("meta"):
        needed = shapes(Gr1(config).state_dict())
    return {name: shape for name, shape in needed.items() if not name.startswith((CLIP, MAE))}


def build_gr1(snapshot: Snapshot, config: Gr1Config, *, mae: Path | None, clip: Path | None) -> Gr1:
    """The network with all weights, in float32 and evaluation mode.

    Args:
        snapshot: the trained weights.
        config: the sizes.
        mae: MAE's file; not needed where the snapshot holds the encoder, which comes first as in published code.
        clip: CLIP's file; likewise.

    Raises:
        CheckpointError: a file does not fit, is damaged, or is needed and missing.
    """
    with uninitialised():
        model = Gr1(config)
    absent = () if snapshot.foresight else FORESIGHT
    fill(model, snapshot.weights, snapshot.path, leave=(CLIP, MAE, *absent))
    if snapshot.mae:
        fill(model.model_mae, snapshot.mae, snapshot.path)
    elif mae is not None:
        load_mae(model.model_mae, mae)
    else:
        raise CheckpointError(f"{snapshot.path}: does not hold the MAE encoder, and no file of it is given.")
    if snapshot.clip:
        fill(model.model_clip, snapshot.clip, snapshot.path)
    elif clip is not None:
        load_clip_text(model.model_clip, clip)
    else:
        raise CheckpointError(f"{snapshot.path}: does not hold CLIP's text tower, and no file of it is given.")
    return model.eval()


def _state_dict(tree: object) -> Mapping[object, object]:
    """What lies under the key `state_dict`, or the whole, by names without `module.`; empty where it is no dict."""
    inner = tree["state_dict"] if isinstance(tree, Mapping) and "state_dict" in tree else tree
    if not isinstance(inner, Mapping):
        return {}
    if all(isinstance(name, str) and name.startswith(_PREFIX) for name in inner):
        return {name.removeprefix(_PREFIX): value for name, value in inner.items()}
    return inner


def _inner(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _check_triangle(name: str, tensor: Tensor, path: Path) -> None:
    """Raise CheckpointError where an attention's buffer lets a token see a later one, or hides an earlier one."""
    length = tensor.shape[-1] if tensor.dim() else 0
    square = tensor.reshape(length, length) if tensor.numel() == length**2 else None
    if square is None or not torch.equal(square != 0, torch.ones(length, length, dtype=torch.bool).tril()):
        raise CheckpointError(f"{path}: {name} is no causal triangle; GR-1's attention is causal. Check --ckpt.")
