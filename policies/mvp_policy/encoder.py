"""The encoders that MVP's authors publish: MAE's vision transformers in three sizes.

The files are those linked in the README of github.com/ir413/mvp: `{"model": {...}}`, under the names of MAE and timm.
The feature that MVP's own policies read is the CLS token after the final norm; the patches are there as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from seer_bench.errors import CheckpointError
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.frozen import mae_weights, md5_of
from seer_bench_nn.imagenet_image import imagenet_image
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.vit import MaeEncoder
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


def read_mvp(path: Path) -> FrozenEncoder:
    """Build the encoder that a file holds; its size and that of its images are read off the shapes.

    A classifier or a decoder in the file is left out, as MVP's own code does.

    Raises:
        CheckpointError: the file cannot be opened (see `open_weights`), holds no such encoder or only a part of one.
    """
    weights = mae_weights(path, title="MVP", url=f"one of the files linked at {MVP_URL}")
    positions = tuple(weights["pos_embed"].shape) if "pos_embed" in weights else ()
    tokens, width = positions[-2:] if len(positions) == 3 else (0, 0)
    side = round(max(tokens - 1, 0) ** 0.5)
    if width not in SHAPES or side * side != tokens - 1:
        raise CheckpointError(
            f"{path}: has positions of the shape {positions}; MVP's encoders have (1, a square number and one, "
            f"{' or '.join(map(str, SHAPES))}). Fetch one of the files linked at {MVP_URL}"
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


def published_name(path: Path) -> str:
    """What MVP's authors call the file, by its MD5; "" where the README gives no such hash."""
    found = md5_of(path)
    return next((name for name, start in MD5_STARTS.items() if found.startswith(start)), "")
