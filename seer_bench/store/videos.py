"""`<run>/videos/`: films of whole units and clips of failures, all of them made by replay and none of them counted.

<slug>_<size>px.mp4         a film of a unit from its start
<slug>_clip.mp4             a clip of a failed unit from the beginning of the subtask that broke
<slug>_clip.jpg             its last picture
<slug>_clip.json            what the replay measured, see `Trace`; written last, so that it vouches for the other two
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seer_bench.contracts import SubtaskResult, UnitResult
from seer_bench.errors import DamagedRecordError
from seer_bench.store._files import read_bytes, write_atomic
from seer_bench.store._json import check_keys, check_schema, dump_line, parse_object, take
from seer_bench.store.actions import actions_path

SCHEMA = "seer-bench/clip/1"
VIDEOS = "videos"

FRAMES_PER_SECOND = 20
"""Of every film."""

EVERY = 3
"""Control steps a frame; with 30 or 20 steps a second a film runs at two or three times the robot's speed."""

_FIELDS = {"schema", "unit_id", "actions_sha256", "subtask", "steps", "near", "moved", "joints", "plan", "note"}
_CLIP = "_clip.json"
_FILM = re.compile(r"([^.].*)_(\d+)px\.mp4")

Series = dict[str, tuple[float, ...]]
"""Values by name, one an entry of `Trace.steps`."""


def is_shown(steps: int, last: int | None) -> bool:
    """Whether a film has a frame after so many steps of a subtask, which ends after `last` ones."""
    return steps % EVERY == 0 or steps == last


def begins_at(subtasks: Iterable[SubtaskResult]) -> float:
    """Second at which a film of a whole unit has shown `subtasks`, the first ones of the unit."""
    frames = 1 + sum(-(-subtask.steps // EVERY) for subtask in subtasks)
    return frames / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Trace:
    """What the replay of a broken subtask measured beside the pictures."""

    unit_id: str
    actions_sha256: str
    """Of the unit's recorded actions: a clip of other ones is not shown."""
    subtask: int
    """Position of the broken subtask in the unit, from 0."""
    steps: tuple[int, ...]
    """Control steps of the subtask at which was measured."""
    near: Series = field(default_factory=dict)
    """Metres between the gripper and each movable body."""
    moved: Series = field(default_factory=dict)
    """Metres between each movable body and where it was when the subtask began."""
    joints: Series = field(default_factory=dict)
    """Change of each of the scene's joints since the subtask began, metres or radians."""
    plan: tuple[tuple[int, str], ...] = ()
    """What the policy said it was about, each with the step from which it said so."""
    note: str = ""
    """What qualifies this, or nothing."""


@dataclass(frozen=True)
class ClipFiles:
    """Where the clip of a unit is kept."""

    film: Path
    picture: Path
    trace: Path


def clip_files(run: Path, unit_id: str) -> ClipFiles:
    """The files of a unit's clip, whether they exist or not; raises StoreError where its slug is no file name."""
    stem = actions_path(run, unit_id).stem
    folder = run / VIDEOS
    return ClipFiles(*(folder / f"{stem}_clip.{kind}" for kind in ("mp4", "jpg", "json")))


def read_trace(run: Path, result: UnitResult) -> Trace | None:
    """The trace of a unit's clip; None where there is no whole clip of these recorded actions."""
    files = clip_files(run, result.unit_id)
    if not (files.trace.is_file() and files.film.is_file() and files.picture.is_file()):
        return None
    try:
        trace = _from_json(parse_object(read_bytes(files.trace), str(files.trace)), str(files.trace))
    except DamagedRecordError:  # it is made again
        return None
    same = (trace.unit_id, trace.actions_sha256) == (result.unit_id, result.actions_sha256)
    return trace if same else None


def write_trace(run: Path, trace: Trace) -> None:
    """Keep a trace beside its clip; raises StoreError where it cannot be written."""
    line = dump_line({"schema": SCHEMA, **vars(trace)})
    write_atomic(clip_files(run, trace.unit_id).trace, f"{line}\n".encode())


def films_of(run: Path) -> dict[str, Path]:
    """The smallest film of each whole unit, by the unit's slug; those that show foresight are left out."""
    found: dict[str, tuple[int, Path]] = {}
    for path in sorted((run / VIDEOS).glob("*px.mp4")):
        if match := _FILM.fullmatch(path.name):
            found[match[1]] = min((int(match[2]), path), found.get(match[1], (int(match[2]), path)))
    return {slug: path for slug, (_, path) in found.items()}


def clips_of(run: Path) -> set[str]:
    """Slugs of the units that may have a clip; `read_trace` says which of them have."""
    return {path.name.removesuffix(_CLIP) for path in (run / VIDEOS).glob(f"[!.]*{_CLIP}")}


def _from_json(data: dict[str, Any], where: str) -> Trace:
    """Read what `write_trace` wrote; raises DamagedRecordError."""
    check_schema(data, SCHEMA, where)
    check_keys(data, _FIELDS, where)
    steps = tuple(take(data, "steps", where, list))
    if not all(isinstance(step, int) for step in steps):
        raise DamagedRecordError(f"{where}: steps are {steps!r}, expected whole numbers.")
    return Trace(
        unit_id=take(data, "unit_id", where, str),
        actions_sha256=take(data, "actions_sha256", where, str),
        subtask=take(data, "subtask", where, int),
        steps=steps,
        near=_series(take(data, "near", where, dict), len(steps), where),
        moved=_series(take(data, "moved", where, dict), len(steps), where),
        joints=_series(take(data, "joints", where, dict), len(steps), where),
        plan=tuple(_said(item, where) for item in take(data, "plan", where, list)),
        note=take(data, "note", where, str),
    )


def _series(data: Mapping[str, Any], length: int, where: str) -> Series:
    """One of the groups of values."""
    for name, values in data.items():
        known = isinstance(values, list) and all(isinstance(value, int | float) for value in values)
        if not known or len(values) != length:
            raise DamagedRecordError(f"{where}: '{name}' does not hold {length} numbers.")
    return {name: tuple(values) for name, values in data.items()}


def _said(item: object, where: str) -> tuple[int, str]:
    """One entry of `plan`."""
    if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], int) and isinstance(item[1], str)):
        raise DamagedRecordError(f"{where}: plan holds {item!r}, expected a step and a text.")
    return item[0], item[1]
