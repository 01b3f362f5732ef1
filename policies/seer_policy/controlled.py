"""Another frozen image encoder under Seer's backbone without foresight: what is trained over it, and its files.

This is a construction of this project and nobody's published policy. It keeps everything of Seer but two things: the
images of the future are not foreseen, and the image encoder is another one. What is left to differ between two such
policies is the encoder. Numbers made with it carry the attribute `head=ours`.

Train it with `training.train_step`; its loss is that of the actions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seer_bench.errors import CheckpointError
from seer_bench_nn.frozen import load_clip_text
from seer_bench_nn.loading import fill, uninitialised
from seer_bench_nn.weights_file import open_weights, tensors_only

from .checkpoint import Sizes, infer_sizes
from .config import SeerConfig, VisionConfig
from .model import FROZEN, Seer
from .options import PUBLISHED
from .variants import variant

_MADE, _WEIGHTS = "controlled", "head"
"""Keys of a file. They are none of Seer's, so that nothing takes a head for a checkpoint of Seer's own, which would be
played over Seer's image encoder."""


@dataclass(frozen=True)
class FrozenEncoder:
    """An image encoder that somebody else pre-trained, with its weights in place."""

    method: str
    """What tables call it, e.g. "MVP"."""
    name: str
    """Which of the method's encoders it is, e.g. "vitb-mae-egosoup"."""
    sha256: str
    """Hash of the file that it was read from."""
    network: nn.Module
    """Images (N, 3, s, s) to features (N, 1 + patches, width): a token that stands for the whole image, then the
    patches."""
    width: int
    """Channels of a feature."""
    image: Callable[[NDArray[np.uint8]], Tensor]
    """A camera's frame (height, width, 3), uint8, to an image (3, s, s), float32, as the encoder was trained on."""


@dataclass(frozen=True)
class Construction:
    """What a trained head belongs to; it is in its file, because shapes tell none of it."""

    method: str
    """The encoder's method, as `FrozenEncoder` has it."""
    encoder: str
    """The encoder's name."""
    encoder_sha256: str
    """Hash of the encoder's file."""
    benchmark: str
    """Whose observations and actions it was trained on."""
    heads: int
    """Attention heads of the backbone."""
    finger_widths: bool
    """See `SeerConfig.finger_widths`."""


@dataclass(frozen=True)
class Head:
    """A trained head that is open: its tensors are mapped from the file and not read yet."""

    path: Path
    made: Construction
    weights: Mapping[str, Tensor]
    """By the network's names, without those of the frozen encoders."""
    sizes: Sizes


def controlled_config(benchmark: str, width: int, **sizes: int) -> SeerConfig:
    """Seer's configuration for a benchmark ("calvin", "libero", "real_robot"), without foresight.

    Args:
        benchmark: whose published variant is taken.
        width: channels of the encoder's features.
        sizes: fields of `SeerConfig` to change, e.g. layers=12.
    """
    config = variant(PUBLISHED[benchmark][0]).phase("scratch").config
    return replace(config, foresight_tokens=0, vision=_any_vision(width), **sizes)  # type: ignore[arg-type]  # all int


def controlled_network(encoder: FrozenEncoder, config: SeerConfig, *, clip: Path) -> Seer:
    """A network with Seer's initial weights over the frozen encoder, to be trained.

    Args:
        encoder: the image encoder; it is part of the network afterwards.
        config: see `controlled_config`.
        clip: file of the text encoder, see `seer_bench_nn.frozen.clip_text_weights`.

    Raises:
        CheckpointError: the text encoder's file does not fit.
    """
    network = Seer(config)
    _put_in(network, encoder, clip)
    return network


def save_controlled(path: Path, network: Seer, encoder: FrozenEncoder, benchmark: str) -> None:
    """Write what was trained, and what it was trained over; the frozen encoders are not in the file.

    Args:
        path: where to.
        network: as `controlled_network` built it.
        encoder: the one that it was built with.
        benchmark: whose observations and actions it was trained on.
    """
    config = network.config
    made = Construction(
        encoder.method, encoder.name, encoder.sha256, benchmark, config.heads, finger_widths=config.finger_widths
    )
    trained = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(FROZEN)}
    torch.save({_MADE: asdict(made), _WEIGHTS: trained}, path)


def is_head(tree: object) -> bool:
    """Whether what a file holds was written by `save_controlled`."""
    return isinstance(tree, Mapping) and _MADE in tree


def read_head(path: Path) -> Head:
    """Open a trained head.

    Raises:
        CheckpointError: the file cannot be opened, was not written by `save_controlled`, or its sizes cannot be told.
    """
    tree = open_weights(path)
    if not isinstance(tree, Mapping) or not is_head(tree):
        raise CheckpointError(
            f"{path}: does not say which frozen encoder it was trained over, so that it is no checkpoint of this "
            "policy. Such files are written by seer_policy.controlled.save_controlled. A checkpoint of Seer's is "
            "played with: --policy seer"
        )
    weights = tensors_only(tree.get(_WEIGHTS), path, f"its '{_WEIGHTS}'")
    return Head(path, _construction(path, tree[_MADE]), weights, infer_sizes(weights, path))


def load_controlled(head: Head, encoder: FrozenEncoder, *, clip: Path) -> Seer:
    """Build the network on the CPU, in evaluation mode, with all weights in place.

    Args:
        head: what was trained.
        encoder: the one that it was trained over.
        clip: file of the text encoder.

    Raises:
        CheckpointError: a file does not fit, or the head was trained over another encoder.
    """
    made = head.made
    if (made.method, made.encoder_sha256) != (encoder.method, encoder.sha256):
        raise CheckpointError(
            f"{head.path}: was trained over {made.method} {made.encoder} (sha256 {made.encoder_sha256}), and not over "
            f"the {encoder.method} {encoder.name} that was given (sha256 {encoder.sha256}). Give its own encoder file."
        )
    config = _config_of(head, encoder)
    with uninitialised():
        network = Seer(config)
    fill(network, head.weights, head.path, leave=FROZEN)
    _put_in(network, encoder, clip)
    return network.eval()


def _construction(path: Path, block: object) -> Construction:
    """What a file says of itself; raises CheckpointError."""
    kinds = get_type_hints(Construction)
    fault = f"has the keys {', '.join(map(str, block))}" if isinstance(block, Mapping) else f"is {type(block).__name__}"
    if isinstance(block, Mapping) and set(block) == set(kinds):
        wrong = [name for name, kind in kinds.items() if type(block[name]) is not kind]
        if not wrong:
            return Construction(**block)
        fault = f"says {wrong[0]} {block[wrong[0]]!r}"
    raise CheckpointError(f"{path}: its '{_MADE}' {fault}; it needs {', '.join(kinds)}. Train and save it again.")


def _config_of(head: Head, encoder: FrozenEncoder) -> SeerConfig:
    """The configuration that a head's shapes and its construction ask for; raises CheckpointError."""
    made, sizes = head.made, head.sizes
    wrong = {
        "vision_width": sizes.vision_width != encoder.width,
        "foresight_tokens": sizes.foresight_tokens != 0,
        "hidden_dim": made.heads < 1 or sizes.hidden_dim % max(made.heads, 1) != 0,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise CheckpointError(
            f"{head.path}: {name} is {getattr(sizes, name)}, which does not go with {made.heads} heads, no "
            f"foresight and an encoder of {encoder.width} channels. Train and save it again."
        )
    given = SeerConfig(
        sizes.history, sizes.hidden_dim, heads=made.heads, finger_widths=made.finger_widths, foresight_tokens=0
    )
    return replace(sizes.applied_to(given), vision=_any_vision(encoder.width))


def _any_vision(width: int) -> VisionConfig:
    """Of a vision encoder without blocks: it only keeps the place for the one that is put in."""
    return VisionConfig(width, depth=0)


def _put_in(network: Seer, encoder: FrozenEncoder, clip: Path) -> None:
    """Give a network its frozen encoders."""
    network.add_module("vision_encoder", encoder.network.requires_grad_(False))
    load_clip_text(network.clip_model, clip)
