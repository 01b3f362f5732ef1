"""Reading the files that MPI's authors publish.

`MPI-small-state_dict.pt` and `MPI-base-state_dict.pt` are plain state dicts of the whole pre-training network, with
its decoder and DistilBERT; its training code keeps the same under "model_state_dict". Only what represents images is
taken. Sizes are read off the shapes, so that the JSON files published beside them are not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.imagenet_image import imagenet_image
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.weights_file import open_weights, tensors_only
from seer_policy.controlled import FrozenEncoder

from .deformable import POINTS
from .encoder import MpiEncoder

MPI_URL = "https://github.com/OpenDriveLab/MPI"
"""Its README links the files."""
SIZES: Mapping[tuple[int, int, int], str] = {(384, 12, 6): "Small", (768, 12, 12): "Base"}
"""Published encoders by width, blocks and heads. No hashes are published."""
RESIZE = 256 / 224
"""The shorter side before the middle is cut out, in sides of what is cut out, as in MPI's Franka Kitchen evaluation."""

_PARTS = (
    "img_token",
    "patch2embed.",
    "encoder_pe",
    "ctx_enc_pe",
    "encoder_blocks.",
    "encoder_norm.",
    "temporal_attn.",
    "temporal_attn_norm.",
    "token_aggregate.",
    "vis_latents",
)
_MARKS = ("patch2embed.proj.weight", "encoder_pe", "temporal_attn.sampling_offsets.weight", "vis_latents")


def read_mpi(path: Path) -> FrozenEncoder:
    """Build the encoder that a file holds.

    Frames are prepared as in MPI's own policies (its Franka Kitchen evaluation) and in its pre-training, normalised by
    ImageNet's statistics; the short example in its README leaves the statistics out.

    Raises:
        CheckpointError: the file cannot be opened (see `open_weights`), holds no such encoder or only a part of one.
    """
    weights = mpi_weights(path)
    patches, width = weights["encoder_pe"].shape[-2:]
    patch, side = weights["patch2embed.proj.weight"].shape[-1], round(patches**0.5)
    heads = len(weights["temporal_attn.sampling_offsets.weight"]) // (2 * POINTS)
    depth = len({name.split(".")[1] for name in weights if name.startswith("encoder_blocks.")})
    if side * side != patches or not heads or width % (2 * heads) or width % 4:
        raise CheckpointError(
            f"{path}: has {patches} positions, {width} channels and {heads} heads, which fit no encoder of MPI's. "
            f"Fetch one of the files linked at {MPI_URL}"
        )
    with uninitialised():
        network = MpiEncoder(width, depth, heads, side * patch, patch)
    fill(network, weights, path)
    return FrozenEncoder(
        method="MPI",
        name=SIZES.get((width, depth, heads), f"of {width} channels, {depth} blocks and {heads} heads"),
        sha256=checkpoint_sha256(path),
        network=network.eval().requires_grad_(False),
        width=width,
        image=partial(imagenet_image, resize=round(side * patch * RESIZE), crop=side * patch),
    )


def mpi_weights(path: Path) -> dict[str, Tensor]:
    """The image encoder's tensors in one of MPI's files, by `MpiEncoder`'s names.

    Raises:
        CheckpointError: the file cannot be opened, or is none of MPI's.
    """
    tree = open_weights(path)
    if isinstance(tree, Mapping) and "model_state_dict" in tree:
        tree = tree["model_state_dict"]
    held = (
        {str(name).removeprefix("module."): tensor for name, tensor in tree.items()}
        if isinstance(tree, Mapping)
        else {}
    )
    for mark in _MARKS:
        if not isinstance(held.get(mark), Tensor) or held[mark].ndim < 2:
            raise CheckpointError(
                f"{path}: holds no encoder of MPI's (no {mark} among {', '.join(list(held)[:3])}, ...). Fetch "
                f"MPI-small-state_dict.pt or MPI-base-state_dict.pt, linked at {MPI_URL}"
            )
    weights = tensors_only(held, path, "the file")
    return {name: tensor for name, tensor in weights.items() if name.startswith(_PARTS)}
