"""The two encoders that policies take from others and never train: MAE's for images, CLIP's for instructions.

Each comes from the file that its own authors publish.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench.store import checkpoint_sha256

from .clip_text import ClipTextEncoder
from .loading import Shape, fill
from .vit import MaeEncoder
from .weights_file import file_kind, open_weights, tensors_only

MAE_URL = "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth"
"""MAE ViT-B/16 pre-trained on ImageNet-1K, as linked in the README of github.com/facebookresearch/mae."""
MAE_MD5_START = "8cad7c"
"""First digits of that file's MD5, all that the same README gives."""
CLIP_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
"""Of ViT-B-32.pt: OpenAI's own code takes the folder in the address for the file's hash, and checks it."""
CLIP_URL = f"https://openaipublic.azureedge.net/clip/models/{CLIP_SHA256}/ViT-B-32.pt"
"""CLIP ViT-B/32, as listed in clip/clip.py of github.com/openai/CLIP."""

_CLIP_VISION_STEM = "visual.conv1.weight"
_CLIP_VISION_STEM_SHAPE: Shape = (768, 3, 32, 32)
_CLIP_TEXT_NAMES = re.compile(
    r"token_embedding\.|positional_embedding$|transformer\.resblocks\.|ln_final\.|text_projection$"
)
_MAE_ENCODER_NAMES = re.compile(r"cls_token$|pos_embed$|patch_embed\.|blocks\.|norm\.|fc_norm\.")
_HUGGING_FACE_MARK = "text_model.embeddings.token_embedding.weight"


def load_mae(encoder: MaeEncoder, path: Path) -> None:
    """Fill the image encoder from MAE's file; raises CheckpointError as `mae_weights` and `fill` do."""
    fill(encoder, mae_weights(path), path)


def load_clip_text(encoder: ClipTextEncoder, path: Path) -> None:
    """Fill the text encoder from CLIP's file; raises CheckpointError as `clip_text_weights` and `fill` do."""
    fill(encoder, clip_text_weights(path), path)


def mae_weights(path: Path, *, title: str = "MAE", url: str = MAE_URL) -> dict[str, Tensor]:
    """Weights of the encoder in a file of MAE's layout: `{"model": {...}}`, or a plain state dict, e.g. in safetensors.

    A decoder or a classifier, which some of these files hold as well, is left out.

    Args:
        path: the file.
        title: whose encoder is wanted, for messages.
        url: where it is published, for messages.

    Returns:
        Tensors by `MaeEncoder`'s names, mapped from the file; shapes are not checked here.

    Raises:
        CheckpointError: the file cannot be opened (see `open_weights`), or holds no such encoder.
    """
    tree = open_weights(path)
    if isinstance(tree, Mapping) and "model" in tree:
        tree = tree["model"]
    weights = tensors_only(tree, path, "the file")
    if "patch_embed.proj.weight" not in weights or "cls_token" not in weights:
        raise CheckpointError(
            f"{path}: holds no {title} encoder (no patch_embed.proj.weight and cls_token among {_names(weights)}). "
            f"Wanted is {url}"
        )
    return {name: tensor for name, tensor in weights.items() if _MAE_ENCODER_NAMES.match(name)}


def md5_of(path: Path) -> str:
    """Hash of a file as the authors of MAE and MVP give it; it proves origin and protects from nobody."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def clip_text_weights(path: Path, *, pinned: str = CLIP_SHA256) -> dict[str, Tensor]:
    """Weights of the text tower in a file of CLIP ViT-B/32.

    The file is OpenAI's TorchScript archive, a plain state dict of `torch.save`, or safetensors, the latter two with
    OpenAI's names. The archive is a program: it is opened only if its sha256 is the one that OpenAI publishes.

    Args:
        path: the file.
        pinned: sha256 that a TorchScript archive must have.

    Returns:
        Tensors by `ClipTextEncoder`'s names, in the file's precision (OpenAI's: float16 but for a few); shapes are
        not checked here.

    Raises:
        CheckpointError: the file cannot be opened (see `open_weights`), is an archive of another sha256, holds
            another CLIP, or none.
    """
    weights = _open_clip(path, pinned)
    if _HUGGING_FACE_MARK in weights:
        raise CheckpointError(
            f"{path}: holds CLIP under the names of Hugging Face's transformers; wanted are OpenAI's, as in {CLIP_URL}"
        )
    if "token_embedding.weight" not in weights or "text_projection" not in weights:
        raise CheckpointError(
            f"{path}: holds no text tower of CLIP (no token_embedding.weight and text_projection among "
            f"{_names(weights)}). Wanted is {CLIP_URL}"
        )
    stem = weights.get(_CLIP_VISION_STEM)
    if any(name.startswith("visual.") for name in weights) and (
        stem is None or tuple(stem.shape) != _CLIP_VISION_STEM_SHAPE
    ):
        raise CheckpointError(f"{path}: holds another CLIP than ViT-B/32, by its image tower. Wanted is {CLIP_URL}")
    return {name: tensor for name, tensor in weights.items() if _CLIP_TEXT_NAMES.match(name)}


def _open_clip(path: Path, pinned: str) -> dict[str, Tensor]:
    """All tensors of a CLIP file by name; raises CheckpointError."""
    if file_kind(path) == "torchscript":
        return _open_torchscript(path, pinned)
    tree = open_weights(path)
    if isinstance(tree, Mapping) and isinstance(tree.get("state_dict"), Mapping):
        tree = tree["state_dict"]
    return tensors_only(tree, path, "the file")


def _open_torchscript(path: Path, pinned: str) -> dict[str, Tensor]:
    """State dict of a TorchScript archive whose sha256 is the pinned one."""
    found = checkpoint_sha256(path)
    if found != pinned:
        raise CheckpointError(
            f"{path}: is a TorchScript archive, which can run code, and its sha256 {found} is not that of OpenAI's "
            f"ViT-B-32.pt ({pinned}). It was not opened. Fetch {CLIP_URL}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch deprecates the only reader of this file
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]  # untyped in torch
    return {name: tensor for name, tensor in module.state_dict().items() if isinstance(tensor, Tensor)}


def _names(weights: Mapping[str, Tensor]) -> str:
    """The first names, for a message."""
    return ", ".join(list(weights)[:3]) + (", ..." if len(weights) > 3 else "")
