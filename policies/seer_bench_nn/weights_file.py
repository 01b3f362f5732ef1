"""Opening files of weights that somebody else made: no code in them is run, and what is wrong is said in words.

Tensors come mapped from the file (`mmap`): only those that are read later take time and memory.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seer_bench.errors import CheckpointError

FileKind = Literal["torch", "legacy torch", "torchscript", "safetensors"]
"""How a file of weights is written; "legacy torch" is `torch.save` before PyTorch 1.6, which cannot be mapped."""

_HEAD = 512
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f920")
_MORE = "Fetch it again"
_ASKED_FOR = re.compile(r"(?:GLOBAL|[Uu]nsupported class|unrecognized function) (\S+)")


def file_kind(path: Path) -> FileKind:
    """Tell from a file's bytes how it is written.

    Raises:
        CheckpointError: it is missing, unreadable, cut short, or no file of weights.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path}: is a directory. Name the file of weights in it.") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}.") from error
    if head.startswith(b"PK\x03\x04"):
        return _archive_kind(path, size)
    if head.startswith(_LEGACY_MAGIC):
        return "legacy torch"
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    raise CheckpointError(f"{path}: {_what_else(head, size)}")


def open_weights(path: Path) -> Any:
    """Read a file of `torch.save` or safetensors, without running any code in it and without reading its tensors.

    Returns:
        What was saved, as a rule a dict; for safetensors a flat dict of tensors. All tensors are on the CPU.

    Raises:
        CheckpointError: as `file_kind`; or it is damaged, holds code, or is a TorchScript archive, which is a program.
    """
    kind = file_kind(path)
    if kind == "torchscript":
        raise CheckpointError(f"{path}: is a TorchScript archive, a program and not just weights; it was not opened.")
    try:
        if kind == "safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on storage classes that only the file's age is to blame for
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "torch")
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is cut short or damaged ({error}). {_MORE}.") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refused_pickle(path, error)) from error
    except MemoryError:
        raise
    except Exception as error:  # torch and pickle raise nearly anything on damaged bytes
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: is damaged: {type(error).__name__}: {reason}. {_MORE}.") from error


def tensors_only(tree: object, path: Path, what: str) -> dict[str, Tensor]:
    """`tree`, if it is a flat dict from names to dense tensors; `what` names it in messages.

    Raises:
        CheckpointError: it is something else.
    """
    if not isinstance(tree, Mapping) or not tree:
        raise CheckpointError(f"{path}: {what} is no dict of tensors but {_describe(tree)}.")
    for name, value in tree.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise CheckpointError(
                f"{path}: {what} holds {_describe(value)} under {name!r}, where a tensor is expected."
            )
    return dict(tree)


def _archive_kind(path: Path, size: int) -> FileKind:
    """Tell `torch.save` from TorchScript and from other zip archives; raises CheckpointError."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f"{path}: is cut short at {size:,} bytes (the archive's table of contents at its end is missing). {_MORE}."
        ) from error
    if "data.pkl" not in names:
        raise CheckpointError(
            f"{path}: is a zip archive, but not one of torch.save. Unpack it and name the file inside."
        )
    return "torchscript" if "constants.pkl" in names or any(n.startswith("code/") for n in names) else "torch"


def _what_else(head: bytes, size: int) -> str:
    """What a file that holds no weights is, by its first bytes, and what to do."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not size:
        return f"is empty. {_MORE}."
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return (
            "is a web page that was saved under this name, e.g. Google Drive's question about large files. "
            "Open the link in a browser, or use a downloader that answers it."
        )
    if text.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself. Run: git lfs pull"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")) or head[257:262] == b"ustar":
        return "is a compressed archive. Unpack it and name the file inside."
    if head.startswith(b"\x80"):
        return "is a Python pickle and not a file of torch.save; it was not opened, because pickles can hold code."
    return f"is no file of weights ({size:,} bytes that begin with {head[:8]!r})."


def _refused_pickle(path: Path, error: pickle.UnpicklingError) -> str:
    """Tell damage from code, and name what the file asks for; torch says both in its message alone."""
    words = str(error)
    if asked := _ASKED_FOR.search(words):
        return (
            f"{path}: holds more than weights: opening it would run or build {asked[1].rstrip('.')}. "
            "It was not opened. Ask whoever made it for a file of tensors alone."
        )
    reason = words.partition("WeightsUnpickler error:")[2].strip() or words
    return f"{path}: is damaged: {reason.partition(chr(10))[0]}. {_MORE}."


def _describe(value: object) -> str:
    """A short name for a value in a message."""
    if isinstance(value, Mapping):
        return f"a dict of {', '.join(map(repr, list(value)[:4])) or 'nothing'}"
    return f"{value!r:.40}" if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
