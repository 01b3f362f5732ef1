"""Whether the installed meshes, textures and models are upstream's."""

from __future__ import annotations

import hashlib
import json
import os.path
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

from seer_bench.errors import AssetError

from .package import load_upstream

_REMEDY = "Run: pip install --force-reinstall 'seer-bench[libero]'"
_SHOWN = 3


@lru_cache(maxsize=1)
def manifest() -> dict[str, tuple[int, str]]:
    """Size in bytes and SHA-256 of every asset file, by its path below the assets folder."""
    data = json.loads(files(__package__).joinpath("data/assets_manifest.json").read_text(encoding="utf-8"))
    return {path: (size, sha256) for path, size, sha256 in data["files"]}


def identity() -> str:
    """SHA-256 over names and contents of all assets, as they must be."""
    return hashlib.sha256(json.dumps(sorted(manifest().items())).encode()).hexdigest()


@cache  # of folders that are whole: an exception is not kept
def check_folder(root: Path) -> None:
    """Check that every asset is there with its size, and the contents of all models (`.xml`); takes milliseconds.

    Raises:
        AssetError: naming what is missing or altered, and the command that mends it.
    """
    _refuse([path for path, (size, _) in manifest().items() if not _has_size(root / path, size)], root)
    check_files(root, (root / path for path in manifest() if path.endswith(".xml")))


def check_files(root: Path, paths: Iterable[Path]) -> None:
    """Check the contents of some assets, each once a process; a file outside of `root` is not one.

    Raises:
        AssetError: naming what is altered, and the command that mends it.
    """
    known = manifest()
    # Upstream's models name their files by way of "..", which is resolved as text: site-packages may be a link.
    below = {Path(_normal(path)) for path in paths}
    relative = sorted(path.relative_to(root).as_posix() for path in below if path.is_relative_to(root))
    _refuse([path for path in relative if path not in known or _sha256(root / path) != known[path][1]], root)


def check_everything(root: Path) -> None:
    """Check the contents of all assets, which takes a second or two.

    Raises:
        AssetError: naming what is missing or altered, and the command that mends it.
    """
    check_folder(root)
    check_files(root, (root / path for path in manifest()))


def installed_root() -> Path:
    """The folder that `libero.libero` takes its assets from."""
    return Path(_normal(load_upstream().assets))


def _normal(path: Path) -> str:
    """A path without "..", links left as they are."""
    return os.path.normpath(path)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


@cache
def _sha256(path: Path) -> str:
    """Of a file's contents; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _refuse(wrong: list[str], root: Path) -> None:
    """Raise AssetError for files that are not as they must be."""
    if wrong:
        rest = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise AssetError(
            f"{len(wrong)} of the LIBERO assets in {root} are missing or altered: {', '.join(wrong[:_SHOWN])}{rest}. "
            f"{_REMEDY}"
        )
