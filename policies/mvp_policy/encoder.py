"""The encoders that MVP's authors publish: MAE's vision transformers in three sizes.

The files are those linked in the README of github.com/ir413/mvp: `{"model": {...}}`, under the names of MAE and timm.
The feature that MVP's own policies read is the CLS token after the final norm; the patches are there as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.imagenet_image import imagenet_image
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.vit import MaeEncoder
from seer_bench_nn.weights_file import open_weights, tensors_only
from seer_policy.controlled import FrozenEncoder

MVP_URL = "https://github.com/ir413/mvp"
"""Its README links the files."""
MD5_STARTS: Mapping[str, str] = {
    "vits-mae-hoi": "fe6e30",
    "vitb-mae-egosoup": "526093",
    "vitl-256-mae-egosoup": "5352b0",
}
"""Published encoders, and the first digits of their files' MD5, all that the README gives."""
SHAPES: Mapping[int, tuple[str, int, int]] = {
    384: ("ViT-S/16", 12, 12),
    768: ("ViT-B/16", 12, 12),
    1024: ("ViT-L/16", 24, 16),
}
"""Title, blocks and attention heads by width. ViT-S has 12 heads of 32 channels, twice as many as is usual."""
PATCH = 16
"""Pixels along each side of a patch."""

_NAMES = re.compile(r"cls_token$|pos_embed$|patch_embed\.|blocks\.|norm\.|fc_norm\.")


def read_mvp(path: Path) -> FrozenEncoder:
    """Build the encoder that a file holds; its size and that of its images are read off the shapes.

    A classifier or a decoder in the file is left out, as MVP's own code does.

    Raises:
        CheckpointError: the file cannot be opened (see `open_weights`), holds no such encoder or only a part of one.
    """
    weights = mvp_weights(path)
    width, tokens = weights["cls_token"].shape[-1], weights["pos_embed"].shape[-2]
    side = round((tokens - 1) ** 0.5)
    if width not in SHAPES or side * side != tokens - 1:
        raise CheckpointError(
            f"{path}: has {width} channels and {tokens} positions; MVP's encoders have "
            f"{', '.join(map(str, SHAPES))} channels and one position more than a square number. Fetch one of the "
            f"files linked at {MVP_URL}"
        )
    title, depth, heads = SHAPES[width]
    size = side * PATCH
    with uninitialised():
        network = MaeEncoder(width, depth, heads, size, PATCH)
    fill(network, weights, path)
    return FrozenEncoder(
        method="MVP",
        name=published_name(path) or f"{title} at {size} pixels, of no published hash",
        sha256=checkpoint_sha256(path),
        network=network.eval().requires_grad_(False),
        width=width,
        image=partial(imagenet_image, resize=size, crop=size),
    )


def mvp_weights(path: Path) -> dict[str, Tensor]:
    """The encoder's tensors in one of MVP's files, or in a plain state dict, by `MaeEncoder`'s names.

    Raises:
        CheckpointError: the file cannot be opened, or holds no vision transformer in MAE's layout.
    """
    tree = open_weights(path)
    if isinstance(tree, Mapping) and "model" in tree:
        tree = tree["model"]
    weights = tensors_only(tree, path, "the file")
    for name, axes in (("cls_token", 3), ("pos_embed", 3), ("patch_embed.proj.weight", 4)):
        if name not in weights or weights[name].ndim != axes:
            raise CheckpointError(
                f"{path}: holds no encoder of MVP's (no {name} of {axes} axes among {', '.join(list(weights)[:3])}, "
                f"...). Fetch one of the files linked at {MVP_URL}"
            )
    return {name: tensor for name, tensor in weights.items() if _NAMES.match(name)}


def published_name(path: Path) -> str:
    """What MVP's authors call the file, by its MD5; "" where the README gives no such hash."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)  # its authors give no other; it proves origin and protects nobody
        while piece := file.read(1 << 22):
            digest.update(piece)
    return next((name for name, start in MD5_STARTS.items() if digest.hexdigest().startswith(start)), "")
