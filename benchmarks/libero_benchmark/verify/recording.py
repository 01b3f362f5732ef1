"""What LIBERO's recordings add to the common format: tasks, initial states, fixtures, and pictures beside the arrays.

Arrays are called `task3_init7/NAME`, after the task's number in its suite and the number of the initial state. The file
`meta.json`, where there is one, tells the seed of the resets (`reset_seed`, 0 where left out) and how many settle steps
come before the first recorded action (`settle`, 5); a record of the index may say otherwise under the same names. It
may also name its `suite` (`libero_10`) and its `task`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from seer_bench.errors import UsageError
from seer_bench.verification import recording
from seer_bench.verification.recording import Arrays, Index, RecordError, Recording

from ..fixtures import FixturePose
from ..suites import DEFAULT_SUITE, Task, find_task

SUBJECT = "libero"
META = "meta.json"

_DEFAULTS = {"reset_seed": 0, "settle": 5}
_EPISODE = re.compile(r"task(\d+)_init(\d+)")
_IMAGE = re.compile(r"(?P<episode>.+)_step(?P<step>\d+)_(?P<camera>.+)_image\.png")


@dataclass(frozen=True)
class Picture:
    """One recorded image."""

    step: int
    """Number of actions before it; 0 is the observation of the reset."""
    camera: str
    path: Path

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3), rows as in the recording; raises RecordError."""
        try:
            with Image.open(self.path) as image:
                if image.mode != "RGB":
                    raise RecordError(f"{self.path.name} must be an RGB image, it is {image.mode}")
                return np.asarray(image)
        except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
            raise RecordError(f"{self.path.name} cannot be read: {error}") from error


@dataclass(frozen=True)
class LiberoRecording(Recording):
    """One record of a folder, and how its episodes began."""

    suite: str
    task: int | None
    """Task of all its episodes; None where their names tell."""
    reset_seed: int
    settle: int
    """Steps of zeros between reset and first action."""
    images: Path | None
    """Folder of the images; None where the index names none."""

    def task_of(self, episode: str) -> Task:
        """The task that an episode is of; raises RecordError."""
        match = _EPISODE.fullmatch(episode)
        number = self.task if match is None else int(match[1])
        if number is None:
            raise RecordError(f"{self.name}: '{episode}' is not named like task3_init7, and the index names no task")
        if self.task not in (None, number):
            raise RecordError(f"{self.name}: '{episode}' is not of task {self.task}, which the index names")
        return self.task_at(number)

    def task_at(self, number: int) -> Task:
        """The task of a number; raises RecordError."""
        try:
            return find_task(self.suite, number)
        except UsageError as error:
            raise RecordError(f"{self.name}: {error}") from error

    def pictures_of(self, episode: str) -> list[Picture]:
        """The images of an episode by step and camera; raises RecordError where their folder is missing."""
        if self.images is None:
            return []
        if not self.images.is_dir():
            raise RecordError(f"the folder of images '{self.images.name}', which the index names, is missing")
        found = ((path, _IMAGE.fullmatch(path.name)) for path in self.images.iterdir())
        pictures = [
            Picture(int(match["step"]), match["camera"], path)
            for path, match in found
            if match is not None and match["episode"] == episode
        ]
        return sorted(pictures, key=lambda picture: (picture.step, picture.camera))


def read_index(folder: Path) -> list[LiberoRecording]:
    """The records of a folder, in the index's order; raises UsageError where index or meta.json is broken."""
    index = recording.read_index(folder, SUBJECT)
    meta = _read_meta(folder / META)
    return [_with_settings(index, record, meta) for record in index.recordings]


def episodes_of(arrays: Arrays) -> list[str]:
    """What comes before the `/` in the names of arrays, in order."""
    return list(dict.fromkeys(name.partition("/")[0] for name in arrays if "/" in name))


def unclaimed_pictures(recordings: Iterable[LiberoRecording]) -> list[str]:
    """Names of files among the images that belong to no recorded episode; none if a record is unreadable."""
    episodes: set[str] = set()
    folders: set[Path] = set()
    for record in recordings:
        if record.images is not None and record.images.is_dir():
            folders.add(record.images)
        if any(name.endswith(".npz") for name in record.files):
            try:
                episodes.update(episodes_of(record.arrays))
            except RecordError:
                return []
    found = sorted(path.name for folder in folders for path in folder.iterdir())
    return [name for name in found if (match := _IMAGE.fullmatch(name)) is None or match["episode"] not in episodes]


def init_index(episode: str) -> int | None:
    """The number of the initial state that an episode's name tells."""
    match = _EPISODE.fullmatch(episode)
    return None if match is None else int(match[2])


def names_under(arrays: Arrays, prefix: str) -> Iterator[str]:
    """What follows the prefix in the names of arrays."""
    return (name.removeprefix(prefix) for name in arrays if name.startswith(prefix))


def fixtures_of(arrays: Arrays, episode: str, now: Mapping[str, FixturePose]) -> dict[str, FixturePose]:
    """The recorded poses of an episode's fixtures; without a recorded orientation they keep the present one.

    Raises:
        RecordError: an array is malformed, or the scene has no such fixture.
    """
    poses: dict[str, FixturePose] = {}
    for name in names_under(arrays, f"{episode}/fixture_pos/"):
        if name not in now:
            raise RecordError(f"{arrays.name}: the scene has no fixture '{name}'; it has {sorted(now) or 'none'}")
        x, y, z = arrays.floats(f"{episode}/fixture_pos/{name}", (3,)).tolist()
        quaternion = now[name].quaternion
        if (key := f"{episode}/fixture_quat/{name}") in arrays:
            qw, qx, qy, qz = arrays.floats(key, (4,)).tolist()
            quaternion = (qw, qx, qy, qz)
        poses[name] = FixturePose((x, y, z), quaternion)
    return poses


def _read_meta(path: Path) -> dict[str, int]:
    """Seed and settle steps; raises UsageError."""
    if not path.is_file():
        return _DEFAULTS
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path} must hold an object")
    return _settings(str(path), tree, _DEFAULTS)


def _with_settings(index: Index, record: Recording, meta: Mapping[str, int]) -> LiberoRecording:
    """Check what the index says about a record."""
    where = f"{index.path}: record '{record.name}'"
    suite, task = record.settings.get("suite", DEFAULT_SUITE), record.settings.get("task")
    if not isinstance(suite, str):
        raise UsageError(f"{where}: 'suite' must be the name of a suite, got {suite!r}")
    if task is not None and type(task) is not int:
        raise UsageError(f"{where}: 'task' must be the number of a task, got {task!r}")
    return LiberoRecording(
        record.name,
        record.kind,
        record.folder,
        record.files,
        record.settings,
        suite=suite,
        task=task,
        images=None if index.images is None else index.folder / index.images,
        **_settings(where, record.settings, meta),
    )


def _settings(where: str, tree: Mapping[str, Any], defaults: Mapping[str, int]) -> dict[str, int]:
    """Seed and settle steps; raises UsageError."""
    values = {name: tree.get(name, default) for name, default in defaults.items()}
    for name, value in values.items():
        if type(value) is not int or value < 0:
            raise UsageError(f"{where}: '{name}' must be a whole number of at least 0, got {value!r}")
    return values
