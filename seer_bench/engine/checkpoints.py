"""Which checkpoints are meant by paths and patterns, and where the run of each goes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seer_bench.errors import CheckpointError, RunMismatchError
from seer_bench.registry import CHECKPOINTS, load_fetcher, plugins
from seer_bench.store import checkpoint_sha256, read_manifest
from seer_bench.store.manifest import MANIFEST

_MAGIC = re.compile(r"[*?[]")
_SHOWN = 5
"""Names of a folder that a message lists."""


@dataclass(frozen=True)
class Weights:
    """One checkpoint among several."""

    path: Path
    sha256: str
    """As `checkpoint_sha256` gives it."""


def is_pattern(text: str, base: Path = Path()) -> bool:
    """Whether a text names files by a pattern; what exists under the very name is no pattern."""
    return bool(_MAGIC.search(text)) and not (base / Path(text).expanduser()).exists()


def local_checkpoint(policy: str, path: Path, *, base: Path = Path(), option: str = "--ckpt") -> Path:
    """Where a checkpoint lies on this machine, as an absolute path.

    What is no path here is fetched, if the policy knows how to (entry points `seer_bench.checkpoints`).

    Args:
        policy: whose it is.
        path: a path, or what the policy can fetch.
        base: what a relative path is relative to.
        option: what it was given as, for messages.

    Raises:
        CheckpointError: there is no such file or directory, or it cannot be fetched.
    """
    found = base / path.expanduser()
    if found.exists():
        return found.absolute()
    if policy in plugins(CHECKPOINTS):
        return load_fetcher(policy)(str(path)).absolute()
    raise CheckpointError(f"{option} {found}: there is no such file or directory.")


def find_checkpoints(texts: Sequence[str], policy: str, *, base: Path = Path(), option: str = "--ckpt") -> list[Path]:
    """The files and directories that paths and patterns name: texts in their order, matches by number, then name.

    Args:
        texts: paths, patterns such as "runs/*.pth" and "runs/**/last.pth", or what the policy can fetch.
        policy: whose they are.
        base: what relative ones are relative to.
        option: what the texts were given as, for messages.

    Raises:
        CheckpointError: a path that does not exist or cannot be fetched, or a pattern without a match.
    """
    found: list[Path] = []
    for text in texts:
        if not text:
            raise CheckpointError(f"{option}: one of the paths is empty; is a variable of the shell not set?")
        full = base / Path(text).expanduser()
        if is_pattern(text, base):
            number = next(i for i, part in enumerate(full.parts) if _MAGIC.search(part))
            root = Path(*full.parts[:number])
            matches = [path for path in root.glob(str(Path(*full.parts[number:]))) if not path.name.startswith(".")]
            if not matches:
                raise CheckpointError(f"{option} {text}: matches nothing. {_listing(root)}")
            found.extend(sorted(matches, key=lambda path: natural(str(path))))
        elif full.exists():
            found.append(full)
        else:
            found.append(local_checkpoint(policy, Path(text), base=base, option=option))
    return found


def distinct(paths: Sequence[Path]) -> tuple[list[Weights], list[str]]:
    """Hash checkpoints; of those with the same contents the first one stays, and each other one gives a sentence.

    Raises:
        CheckpointError: one cannot be read.
    """
    kept: dict[str, Weights] = {}
    skipped = []
    for path in paths:
        weights = Weights(path, checkpoint_sha256(path))
        first = kept.setdefault(weights.sha256, weights)
        if first is not weights:
            same = "was named already" if first.path.samefile(path) else f"holds the same as {first.path}"
            skipped.append(f"{path}: left out, since it {same}.")
    return list(kept.values()), skipped


def folders(parent: Path, prefix: str, weights: Sequence[Weights]) -> list[Path]:
    """The run directory of each checkpoint: `parent`/`prefix``stem`, with a piece of its hash where stems are equal.

    A checkpoint stays in the directory that holds its run already, whatever else is evaluated beside it.

    Raises:
        RunMismatchError: a directory holds a run of other weights.
        StoreError: what a directory holds cannot be read.
    """
    stems = [item.path.absolute().stem for item in weights]
    counts = Counter(stems)
    places = []
    for stem, item in zip(stems, weights, strict=True):
        plain = parent / f"{prefix}{stem}"
        own = parent / f"{prefix}{stem}-{item.sha256[:8]}"
        before = [folder for folder in (plain, own) if _held(folder) == item.sha256]
        place = before[0] if before else own if counts[stem] > 1 else plain
        held = _held(place)
        if held is not None and held != item.sha256:
            raise RunMismatchError(
                f"{place} holds a run of other weights than {item.path}, which has the same name. Choose another --out."
            )
        places.append(place)
    return places


def names_of(weights: Sequence[Weights]) -> list[str]:
    """What checkpoints are called: by their names, or by their paths where two have the same name."""
    counts = Counter(item.path.name for item in weights)
    return [item.path.name if counts[item.path.name] == 1 else str(item.path) for item in weights]


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts "9.pth" before "10.pth"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


def _held(place: Path) -> str | None:
    """Hash of the weights whose run is in `place`, or below it as shards; None where there is no run."""
    for folder in (place, *sorted(place.glob("shard-*-of-*"))):
        if (folder / MANIFEST).is_file():
            checkpoint = read_manifest(folder).checkpoint
            return "" if checkpoint is None else checkpoint.sha256
    return None


def _listing(root: Path) -> str:
    """What there is in the folder that a pattern searches."""
    if not root.is_dir():
        return f"There is no folder {root}."
    names = sorted((child.name for child in root.iterdir() if not child.name.startswith(".")), key=natural)
    where = "The current folder" if root == Path() else str(root)
    if not names:
        return f"{where} is empty."
    return f"{where} holds {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if names[_SHOWN:] else ''}."
