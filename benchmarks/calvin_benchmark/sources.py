"""Where scene files come from: a download, and what a folder or an archive holds."""

from __future__ import annotations

import http.client
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from seer_bench.errors import AssetError
from seer_bench.verification import Progress

_CHUNK = 1 << 20
_TIMEOUT_S = 60


def download(url: str, to: Path, report: Progress) -> Path:
    """Fetch `url` into the file `to` and return it; raises AssetError."""
    request = urllib.request.Request(url, headers={"User-Agent": "seer-bench"})  # noqa: S310  # our own URL
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response, to.open("wb") as out:  # noqa: S310
            total, done = int(response.headers.get("Content-Length") or 0), 0
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                report("download", done, total)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise AssetError(_download_failed(url, str(error))) from error
    if total and done != total:
        raise AssetError(_download_failed(url, f"it ended after {done} of {total} bytes"))
    return to


def _download_failed(url: str, why: str) -> str:
    return (
        f"could not download {url}: {why}. Try again, or fetch it elsewhere and run: "
        "seer-bench assets calvin --from DIR|ARCHIVE"
    )


def entries(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of every regular file in a folder or archive; nothing is extracted.

    Raises:
        AssetError: there is no such folder or archive, or it is damaged.
    """
    if source.is_dir():
        yield from _folder_entries(source)
    elif not source.is_file():
        raise AssetError(f"no such folder or archive: {source}")
    else:
        try:
            if zipfile.is_zipfile(source):
                yield from _zip_entries(source)
            else:
                yield from _tar_entries(source)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise AssetError(f"{source} is no whole .zip or .tar archive: {error}") from error


def _folder_entries(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    base = source / "data" if (source / "data").is_dir() else source
    for path in sorted(base.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                yield path.relative_to(base).as_posix(), stream


def _zip_entries(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield info.filename, stream


def _tar_entries(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream
