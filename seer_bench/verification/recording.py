"""Folders of recordings: the index, and guarded access to the files of each record.

`index.json` is `{"schema": "seer-bench/golden-index/1", "subject": ..., "images": FOLDER, "records": {NAME: RECORD}}`
with a record `{"kind": ..., "files": [...], ...}`. Its arrays lie in its .npz file, everything else in its .json file;
images, where there are any, lie in the folder that the index names. Further keys are settings of the subject's own.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import UsageError

INDEX = "index.json"
SCHEMA = "seer-bench/golden-index/1"

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
"""What a damaged .npz file makes numpy and zipfile raise."""

_RESERVED = ("kind", "files")

T = TypeVar("T")


class RecordError(Exception):
    """A record cannot be compared as it is; becomes a verdict, never leaves a verifier."""


@dataclass(frozen=True)
class Recording:
    """One record of a folder."""

    name: str
    kind: str
    folder: Path
    files: tuple[str, ...]
    settings: Mapping[str, Any]
    """What else the index says about the record."""

    @cached_property
    def arrays(self) -> Arrays:
        """The record's .npz file; raises RecordError."""
        return Arrays(self.path(".npz"))

    @cached_property
    def tree(self) -> Any:
        """The content of the record's .json file; raises RecordError."""
        path = self.path(".json")
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecordError(f"{path.name} cannot be read: {error}") from error

    def entries(self) -> list[dict[str, Any]]:
        """The .json file as a list of objects; raises RecordError."""
        if not isinstance(self.tree, list) or not all(isinstance(entry, dict) for entry in self.tree):
            raise RecordError(f"{self.path('.json').name} must hold a list of objects")
        return self.tree

    def unused_arrays(self) -> list[str]:
        """Names of arrays that no comparison has read, in the order of the file; raises RecordError."""
        if not any(name.endswith(".npz") for name in self.files):
            return []
        return [name for name in self.arrays if name not in self.arrays.used]

    def path(self, suffix: str) -> Path:
        """The record's one file with that suffix, which may be empty; raises RecordError."""
        names = [name for name in self.files if name.endswith(suffix)]
        if len(names) != 1:
            wanted = f"one {suffix} file" if suffix else "one file"
            raise RecordError(f"{INDEX}: record '{self.name}' must name {wanted}, it names {list(self.files)}")
        path = self.folder / names[0]
        if not path.is_file():
            raise RecordError(f"{path.name} is missing")
        return path


class Arrays:
    """An .npz file whose every fault names file and array; read one array at a time, never unpickled."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.used: set[str] = set()
        try:
            self._file = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
            self._keys: tuple[str, ...] = tuple(self._file.files)
        except (*_UNREADABLE, AttributeError) as error:
            raise RecordError(f"{path.name} is no whole .npz file: {error}") from error

    def __iter__(self) -> Iterator[str]:
        """Names of the arrays, in the order in which they were written."""
        return iter(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> NDArray[Any]:
        """Read one array; raises RecordError."""
        if key not in self._keys:
            raise RecordError(f"{self.name} has no array '{key}'")
        self.used.add(key)
        try:
            return np.asarray(self._file[key])
        except _UNREADABLE as error:
            raise RecordError(f"{self.name}: array '{key}' cannot be read: {error}") from error

    def floats(self, key: str, shape: tuple[int | None, ...]) -> NDArray[np.floating[Any]]:
        """Read an array that serves as input: finite numbers of the shape (None: any length); raises RecordError."""
        array = self[key]
        free = [None if want is None else have for want, have in zip(shape, array.shape, strict=False)]
        if len(array.shape) != len(shape) or tuple(free) != shape or array.dtype.kind != "f":
            wanted = "(" + ", ".join("n" if want is None else str(want) for want in shape) + ")"
            raise RecordError(
                f"{self.name}: '{key}' must hold floats of shape {wanted}, it holds {array.dtype} {array.shape}"
            )
        if not np.isfinite(array).all():
            raise RecordError(f"{self.name}: '{key}' holds values that are not finite")
        return array


@dataclass(frozen=True)
class Index:
    """What a folder of recordings holds."""

    folder: Path
    recordings: tuple[Recording, ...]
    images: str | None
    """Subfolder of the images; None where the index names none."""

    @property
    def path(self) -> Path:
        """The index's own file, for messages."""
        return self.folder / INDEX


def read_index(folder: Path, *subjects: str) -> Index:
    """The records of a folder about one of the subjects, in the index's order.

    Raises:
        UsageError: there is no index, it cannot be read, is of another schema or subject, or is malformed.
    """
    path = folder / INDEX
    if not folder.is_dir():
        raise UsageError(f"no such folder of recordings: {folder}")
    if not path.is_file():
        raise UsageError(f"{folder} is no folder of recordings: it has no {INDEX}")
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        found = tree.get("schema") if isinstance(tree, dict) else None
        raise UsageError(f"{path}: schema is {found!r}, this version of seer-bench reads {SCHEMA!r}")
    if tree.get("subject") not in subjects:
        expected = " or ".join(map(repr, dict.fromkeys(subjects)))
        raise UsageError(f"{path}: subject is {tree.get('subject')!r}, expected {expected}")
    records = tree.get("records")
    if not isinstance(records, dict) or not records:
        raise UsageError(f"{path}: 'records' must be an object with at least one record")
    images = tree.get("images")
    if images is not None and not isinstance(images, str):
        raise UsageError(f"{path}: 'images' must be the name of a folder, got {images!r}")
    if images is not None:
        _check_inside(path.as_posix(), images)
    recordings = tuple(_recording(path, name, record) for name, record in records.items())
    return Index(folder, recordings, images)


def field(entry: dict[str, Any], key: str, kind: type[T], where: str) -> T:
    """A field of a JSON object that must be of a type; raises RecordError."""
    value = entry.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RecordError(f"{where}: '{key}' must be of type {kind.__name__}, got {value!r}")
    return value


def _recording(path: Path, name: str, record: Any) -> Recording:
    """Check one entry of the index."""
    where = f"{path}: record '{name}'"
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise UsageError(f"{where} must be an object with a 'kind'")
    files = record.get("files")
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise UsageError(f"{where}: 'files' must be a list of file names, got {files!r}")
    for file in files:
        _check_inside(where, file)
    settings = {key: value for key, value in record.items() if key not in _RESERVED}
    return Recording(name, record["kind"], path.parent, tuple(files), settings)


def _check_inside(where: str, file: str) -> None:
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise UsageError(f"{where}: {file!r} lies outside the folder")
