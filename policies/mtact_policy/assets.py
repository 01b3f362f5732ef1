"""MiniLM's two files, which make sentence embeddings: where they are published, and putting them into the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

from seer_bench.errors import AssetError, CheckpointError
from seer_bench.store import checkpoint_sha256
from seer_bench.verification import Progress
from seer_bench_nn.needs import needs_torch

with needs_torch("reading sentences with MiniLM"):
    from seer_bench_nn.minilm import URL, VOCABULARY, WEIGHTS

ROOT_VARIABLE = "SEER_BENCH_MINILM"
"""Environment variable that names the folder of the files instead of the user's cache."""

FILES = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""Published files and their sha256. With them, all 38 embeddings that RoboAgent publishes come out to 2e-7."""


def default_root() -> Path:
    """The folder of the files: the environment variable's, else one in the user's cache."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "seer-bench" / "minilm"


def locate() -> Path:
    """The folder with both files, checked once a process.

    Raises:
        AssetError: a file is missing or altered; the message says where it is published and what to run.
    """
    return _whole(default_root())


@cache  # of folders that are whole: an exception is not kept
def _whole(root: Path) -> Path:
    """The folder, checked; raises AssetError."""
    if wanted := _wanted(root):
        raise AssetError(f"MiniLM makes the sentence embeddings of the policy 'mtact'. {_missing(root, wanted)}")
    return root


def install(source: Path | None = None, root: Path | None = None, progress: Progress | None = None) -> Path:
    """Check the installed files, or copy them from a folder that the user has; the folder they lie in.

    Nothing is downloaded.

    Args:
        source: a folder that is searched for both; None only checks.
        root: where to; None means `default_root()`.
        progress: told about each file that is installed.

    Raises:
        AssetError: a file is still missing or altered. What was found is installed nevertheless.
    """
    target = root or default_root()
    report = progress or (lambda *_: None)
    if source is not None and not source.is_dir():
        raise AssetError(f"--from {source}: there is no such folder.")
    if source is not None:
        for number, name in enumerate(_wanted(target)):
            report(f"look for {name}", number, len(FILES))
            if found := next((path for path in sorted(source.rglob(name)) if _is(path, FILES[name])), None):
                _copy(found, target)
    if wanted := _wanted(target):
        searched = f"{source} does not hold them as published. " if source else ""
        raise AssetError(searched + _missing(target, wanted))
    return target


def _wanted(root: Path) -> list[str]:
    """Names of files that are missing or not as published."""
    return [name for name, sha256 in FILES.items() if not _is(root / name, sha256)]


def _is(path: Path, sha256: str) -> bool:
    """Whether a file is there and has that hash."""
    try:
        return path.is_file() and checkpoint_sha256(path) == sha256
    except CheckpointError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy a file into a folder; it appears at once or not at all."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target) as scratch:
            Path(shutil.copyfile(source, Path(scratch) / source.name)).replace(target / source.name)
    except OSError as error:
        raise AssetError(f"could not install {source} in {target}: {error}") from error


def _missing(root: Path, wanted: Collection[str]) -> str:
    """What is not there as published, and what to do."""
    rows = "".join(f"\n  {name} (sha256 {FILES[name]})" for name in wanted)
    return (
        f"Missing or altered in {root}:{rows}\nFetch from {URL}/tree/main and run: seer-bench assets mtact --from DIR"
    )
