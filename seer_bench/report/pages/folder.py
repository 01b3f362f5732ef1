"""Writing the pages, and taking away what an earlier report of ours left in their folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

CONTENTS = "contents.json"
"""Names of the files that a report wrote; nothing else in the folder is ever deleted."""


def write_pages(pages: Mapping[str, str | Path], folder: Path) -> list[Path]:
    """Write what `render` gave; each file is replaced as a whole.

    Args:
        pages: texts, and paths of files to copy, by their names in `folder`.
        folder: made if needed.

    Returns:
        The files, in the order of `pages`.

    Raises:
        OSError: the folder cannot be written to.
    """
    stale = _listed(folder) - set(pages)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONTENTS).write_text(json.dumps(sorted({*pages, *stale}), indent=1) + "\n")
    for name, content in pages.items():
        _put(folder / name, content)
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    (folder / CONTENTS).write_text(json.dumps(sorted(pages), indent=1) + "\n")
    return [folder / name for name in pages]


def _put(path: Path, content: str | Path) -> None:
    """Write one file beside its place and rename it; a copy that is there already is left."""
    if isinstance(content, Path) and path.is_file():
        ours, theirs = path.stat(), content.stat()
        if (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns):
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        if isinstance(content, Path):
            shutil.copy2(content, beside)
        else:
            beside.write_text(content, encoding="utf-8", newline="")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _listed(folder: Path) -> set[str]:
    """What the last report wrote there; names that lead out of the folder are nobody's."""
    try:
        names = json.loads((folder / CONTENTS).read_text())
    except (OSError, ValueError):
        return set()
    if not isinstance(names, list):
        return set()
    inside = folder.resolve()
    return {n for n in names if isinstance(n, str) and inside in (folder / n).resolve().parents}
