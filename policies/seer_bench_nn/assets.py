"""The files of the frozen encoders: which are needed, where they are published, and putting them into the cache.

What is installed is a part of what was published, each encoder without what is not run, as safetensors; the
numbers stay as they are. `manifest.json` beside them says what they were made from.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from seer_bench.errors import AssetError, CheckpointError, SeerBenchError
from seer_bench.store import checkpoint_sha256
from seer_bench.verification import Progress

from .needs import needs_torch

with needs_torch("checking the frozen encoders"):
    from safetensors.torch import save_file
    from torch import Tensor, nn

    from .clip_text import ClipTextEncoder
    from .frozen import CLIP_SHA256, CLIP_URL, MAE_MD5_START, MAE_URL, clip_text_weights, mae_weights, md5_of
    from .loading import compare, fault_in, shapes, uninitialised
    from .vit import MaeEncoder

ROOT_VARIABLE = "SEER_BENCH_SEER_ASSETS"
"""Environment variable that names the assets folder instead of the user's cache."""

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_SCHEMA = "seer-bench/seer-assets/1"
_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")


@dataclass(frozen=True)
class Encoder:
    """One frozen encoder."""

    name: str
    title: str
    url: str
    file: str
    """Its name in the assets folder."""
    build: Callable[[], nn.Module]
    read: Callable[[Path], dict[str, Tensor]]
    is_published: Callable[[Path], bool]
    """Whether a file is the published one, by its hash."""


@dataclass(frozen=True)
class Record:
    """An installed file, and what it was made from."""

    sha256: str
    source: str
    """Name of the file that the user had."""
    source_sha256: str
    published: bool
    """Whether that was the published file, as far as its publisher gives a hash; else it is only recorded."""


def _is_published_mae(path: Path) -> bool:
    return md5_of(path).startswith(MAE_MD5_START)


def _is_published_clip(path: Path) -> bool:
    return checkpoint_sha256(path) == CLIP_SHA256


ENCODERS = (
    Encoder("mae", "MAE ViT-B/16", MAE_URL, "mae_vit_base.safetensors", MaeEncoder, mae_weights, _is_published_mae),
    Encoder(
        "clip",
        "CLIP ViT-B/32",
        CLIP_URL,
        "clip_text.safetensors",
        ClipTextEncoder,
        clip_text_weights,
        _is_published_clip,
    ),
)


def default_root() -> Path:
    """The assets folder: the environment variable's, else one in the user's cache."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "seer-bench" / "seer"


def locate(name: str) -> Path:
    """The installed file of an encoder, "mae" or "clip"; a process hashes it only once.

    Raises:
        AssetError: it is missing or altered; the message says where it is published and what to run.
    """
    return _checked(default_root(), name)


@cache  # of files that are whole: an exception is not kept
def _checked(root: Path, name: str) -> Path:
    """The file, if it is as recorded; raises AssetError."""
    encoder = next(encoder for encoder in ENCODERS if encoder.name == name)
    if fault := _fault(root, encoder, read_manifest(root)):
        raise AssetError(f"{encoder.title} is needed: {root / encoder.file} is {fault}. {_needed((encoder,))}")
    return root / encoder.file


def read_manifest(root: Path) -> dict[str, Record]:
    """What the folder's manifest says, by encoder; empty where there is none.

    Raises:
        AssetError: it cannot be understood.
    """
    path = root / _MANIFEST
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["schema"] != _SCHEMA:
            raise ValueError(f"its schema is {tree['schema']!r}")
        return {name: Record(**row) for name, row in tree["files"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AssetError(f"{path}: cannot be used ({error}). Delete it and install again.") from error


def install_clip(source: Path | None = None, root: Path | None = None, progress: Progress | None = None) -> Path:
    """As `install`, for CLIP alone: policies with another image encoder need nothing else."""
    return install(source, root, progress, tuple(encoder for encoder in ENCODERS if encoder.name == "clip"))


def install(
    source: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
    encoders: tuple[Encoder, ...] | None = None,
) -> Path:
    """Check the installed encoders, or make them from files that the user has; the folder they lie in.

    Nothing is downloaded. Files are told apart by what they hold: the name of a single one does not matter.

    Args:
        source: a file, or a folder that is searched for files that end as weights do; None only checks.
        root: where to; None means `default_root()`.
        progress: told about each encoder that is installed.
        encoders: those that are needed; None means all.

    Raises:
        AssetError: an encoder is still missing or altered; the message says which, where it is published, and why
            files of the source were refused. What was found is installed nevertheless.
    """
    target = root or default_root()
    report = progress or (lambda *_: None)
    if source is not None and not source.exists():
        raise AssetError(f"--from {source}: there is no such file or folder.")
    records = read_manifest(target)
    needed = ENCODERS if encoders is None else encoders
    wanted = [encoder for encoder in needed if _fault(target, encoder, records)]
    refusals: list[str] = []
    for path in _candidates(source) if wanted else ():
        report(f"read {path.name}", len(needed) - len(wanted), len(needed))
        encoder, weights, why = _recognise(path, wanted)
        if encoder is None:
            refusals.append(why)
            continue
        records[encoder.name] = record = _convert(path, encoder, weights, target)
        if not record.published:
            _log.warning("%s: is not the %s that its authors publish; taken as it is.", path, encoder.title)
        _write_manifest(target, records)
        wanted.remove(encoder)
        if not wanted:
            break
    if wanted:
        found = f"Not used: {' '.join(refusals[:4])} " if refusals else ""
        raise AssetError(f"the folder {target}: {_faults(target, wanted, records)}. {found}{_needed(tuple(wanted))}")
    return target


def _candidates(source: Path | None) -> Iterator[Path]:
    """Files that may hold an encoder, a published file's own name first."""
    if source is None or source.is_file():
        yield from () if source is None else (source,)
        return
    names = [encoder.url.rpartition("/")[2] for encoder in ENCODERS]
    files = (path for path in source.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    yield from sorted(files, key=lambda path: (path.name not in names, path))


def _recognise(path: Path, wanted: list[Encoder]) -> tuple[Encoder | None, dict[str, Tensor], str]:
    """Which of the wanted encoders a file holds, with its weights; else why it is none of them."""
    refusals = []
    for encoder in wanted:
        try:
            weights = encoder.read(path)
            _check(path, encoder, weights)
            return encoder, weights, ""
        except CheckpointError as error:
            refusals.append(str(error))
    return None, {}, " ".join(dict.fromkeys(refusals))


def _check(path: Path, encoder: Encoder, weights: dict[str, Tensor]) -> None:
    """Compare names, shapes and numbers with what the network needs; raises CheckpointError."""
    with uninitialised():
        needed = shapes(encoder.build().state_dict())
    if differences := compare(weights, needed):
        raise CheckpointError(f"{path}: is no whole {encoder.title}: {differences}.")
    for name, tensor in weights.items():
        if fault := fault_in(tensor):
            raise CheckpointError(f"{path}: {name} {fault}. Fetch it again.")


def _convert(path: Path, encoder: Encoder, weights: dict[str, Tensor], target: Path) -> Record:
    """Write an encoder's weights into the folder; the file appears at once or not at all."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target) as scratch:
            staged = Path(scratch) / encoder.file
            save_file({name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}, staged)
            record = Record(checkpoint_sha256(staged), path.name, checkpoint_sha256(path), encoder.is_published(path))
            staged.replace(target / encoder.file)
    except OSError as error:
        raise AssetError(f"could not install {encoder.title} in {target}: {error}") from error
    return record


def _write_manifest(target: Path, records: dict[str, Record]) -> None:
    """Replace the manifest; raises AssetError."""
    tree: dict[str, Any] = {"schema": _SCHEMA, "files": {name: asdict(record) for name, record in records.items()}}
    staged = target / f".{_MANIFEST}.{os.getpid()}"
    try:
        staged.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
        staged.replace(target / _MANIFEST)
    except OSError as error:
        raise AssetError(f"could not write {target / _MANIFEST}: {error}") from error


def _fault(root: Path, encoder: Encoder, records: dict[str, Record]) -> str:
    """What is wrong with an installed file, or an empty string."""
    path, record = root / encoder.file, records.get(encoder.name)
    if record is None or not path.is_file():
        return "not installed"
    try:
        return "" if checkpoint_sha256(path) == record.sha256 else "altered"
    except SeerBenchError:
        return "unreadable"


def _faults(root: Path, encoders: list[Encoder], records: dict[str, Record]) -> str:
    """What is wrong with several of them."""
    return ", ".join(f"{encoder.title} is {_fault(root, encoder, records)}" for encoder in encoders)


def _needed(encoders: tuple[Encoder, ...]) -> str:
    """Where the files are published and what to do with them."""
    urls = "".join(f"\n  {encoder.title}: {encoder.url}" for encoder in encoders)
    name = "clip" if [encoder.name for encoder in encoders] == ["clip"] else "seer"
    return (
        f"Fetch:{urls}\nand run: seer-bench assets {name} --from FILE|FOLDER (once; all policies read the same files)\n"
        "Trained checkpoints are not installed but given with --ckpt."
    )
