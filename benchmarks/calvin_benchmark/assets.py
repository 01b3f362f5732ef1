"""CALVIN's scene files: where they are kept, whether they are whole, and how to get them.

The manifest names every file of calvin_env's `data/` folder that a scene may need, at one pinned commit,
with size and SHA-256. Nothing is installed that does not match it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from seer_bench.errors import AssetError
from seer_bench.verification import Progress

from .embedded import embedded_assets
from .scene import Scene, load_scene
from .sources import download, entries

ROOT_VARIABLE = "SEER_BENCH_CALVIN_ASSETS"
"""Environment variable that names the assets folder instead of the user's cache."""

_SCENE_SUFFIXES = (".urdf", ".obj", ".mtl", ".stl", ".png")


@dataclass(frozen=True)
class AssetFile:
    """One file as it must be."""

    path: str
    """Relative to the assets folder, with forward slashes."""
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All files of the assets folder and where they are published."""

    repository: str
    commit: str
    files: tuple[AssetFile, ...]

    @property
    def archive_url(self) -> str:
        """Where the repository's snapshot at the pinned commit can be downloaded."""
        return f"{self.repository}/archive/{self.commit}.zip"

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Problem:
    """One file that is not as the manifest says."""

    path: str
    what: str
    """`missing`, `unreadable`, `wrong size` or `altered`."""


@lru_cache(maxsize=1)
def load_manifest() -> Manifest:
    """Return the manifest that ships with the package."""
    data = json.loads(files(__package__).joinpath("data/assets_manifest.json").read_text(encoding="utf-8"))
    return Manifest(data["repository"], data["commit"], tuple(AssetFile(*row) for row in data["files"]))


def default_root() -> Path:
    """The assets folder: the environment variable's, else one in the user's cache named by the commit."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "seer-bench" / "calvin" / load_manifest().commit[:12]


def check(root: Path, manifest: Manifest | None = None) -> list[Problem]:
    """Compare every file under `root` with the manifest; an empty list means all is well."""
    wanted = manifest or load_manifest()
    return [Problem(file.path, what) for file in wanted.files if (what := _fault(root / file.path, file))]


def locate() -> Path:
    """Return the checked assets folder; one process hashes the files of a folder that is whole only once.

    Raises:
        AssetError: with what is wrong and the command that mends it.
    """
    return _whole(default_root())


@cache  # of whole folders: an exception is not kept
def _whole(root: Path) -> Path:
    """The folder, checked; raises AssetError."""
    if not root.is_dir():
        raise AssetError(f"the CALVIN assets are not installed: {root} does not exist. {_remedy()}")
    if problems := check(root):
        raise AssetError(f"the CALVIN assets in {root} are not whole: {_summary(problems)}. {_remedy()}")
    return root


def scene_root(scene: Scene) -> Path:
    """Return the folder that the scene's paths are relative to; raises AssetError as `locate` does."""
    return embedded_assets() if scene.embedded else locate()


def identity(scene_name: str) -> str:
    """SHA-256 over names and contents of the files that the scene is made from, as they must be."""
    scene = load_scene(scene_name)
    if scene.embedded:
        paths = sorted(path for path in embedded_assets().iterdir() if path.suffix in _SCENE_SUFFIXES)
        rows = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    else:
        rows = [(file.path, file.sha256) for file in load_manifest().files]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def install(
    source: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
    *,
    manifest: Manifest | None = None,
    url: str | None = None,
) -> Path:
    """Put the assets into `root` and return it; does nothing where they are already whole.

    Args:
        source: a folder (calvin_env's `data/` or one that holds it) or a .zip or .tar archive; None downloads.
        root: where to; None means `default_root()`. Other files in there are left alone.
        progress: told about the bytes as they come.
        manifest: what to install; None means the package's.
        url: archive to download instead of the manifest's.

    Raises:
        AssetError: the source lacks a file or has another version of it, the download failed, or `root` cannot
            be written. An unfinished installation is never taken for a whole one.
    """
    target = root or default_root()
    wanted = manifest or load_manifest()
    report = progress or (lambda *_: None)
    if source is not None and not source.exists():
        raise AssetError(f"--from {source}: there is no such folder or archive.")
    if target.is_dir() and not check(target, wanted):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            archive = source or download(url or wanted.archive_url, Path(scratch) / "archive.zip", report)
            staging = Path(scratch) / "staging"
            _stage(archive, staging, wanted, report)
            _move_in(staging, target, wanted)
    except OSError as error:
        raise AssetError(f"could not install the CALVIN assets in {target}: {error}") from error
    return target


def _fault(path: Path, file: AssetFile) -> str:
    """What is wrong with `path`, or an empty string."""
    try:
        if path.stat().st_size != file.size:
            return "wrong size"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    return "" if digest == file.sha256 else "altered"


def _summary(problems: list[Problem], shown: int = 3) -> str:
    parts = [f"{problem.path} is {problem.what}" for problem in problems[:shown]]
    rest = len(problems) - shown
    return ", ".join(parts) + (f" and {rest} more" if rest > 0 else "")


def _remedy() -> str:
    return (
        "Run: seer-bench assets calvin (downloads about 30 MB), or with a copy of calvin_env's data folder: "
        "seer-bench assets calvin --from DIR|ARCHIVE"
    )


def _stage(source: Path, staging: Path, manifest: Manifest, report: Progress) -> None:
    """Copy every file of the manifest from the source into `staging`, checked."""
    missing = {file.path: Problem(file.path, "missing") for file in manifest.files}
    wanted = {file.path: file for file in manifest.files}
    done = 0
    for name, stream in entries(source):
        path = _manifest_path(name, wanted)
        if path is None or path not in missing:
            continue
        file = wanted[path]
        content = stream.read(file.size + 1)
        if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
            missing[path] = Problem(path, "another version")
            continue
        (staging / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).write_bytes(content)
        del missing[path]
        done += file.size
        report("install", done, manifest.size)
    if missing:
        raise AssetError(
            f"{source} does not hold the CALVIN assets of commit {manifest.commit[:12]}: "
            f"{_summary(list(missing.values()))}. Expected: the data folder of {manifest.repository} at that commit"
        )


def _manifest_path(name: str, wanted: dict[str, AssetFile]) -> str | None:
    """The manifest path that `name` ends in, whatever folders lead to it."""
    parts = PurePosixPath(name).parts
    suffixes = ("/".join(parts[i:]) for i in range(len(parts)))
    return next((suffix for suffix in suffixes if suffix in wanted), None)


def _move_in(staging: Path, target: Path, manifest: Manifest) -> None:
    """Move the staged files to `target`; a new folder appears at once, an old one is mended file by file."""
    if not target.exists():
        # Another process may have been faster; then its files are replaced by equal ones below.
        with contextlib.suppress(OSError):
            staging.rename(target)
            return
    for file in manifest.files:
        destination = target / file.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        (staging / file.path).replace(destination)
