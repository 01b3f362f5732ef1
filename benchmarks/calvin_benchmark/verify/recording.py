"""What CALVIN's recordings add to the common format: variant, scene, chains and initial states.

A record may name its `variant` ("main" or "pinned") and `scene` ("D"); left out, they are `main` and `D`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from seer_bench.errors import UsageError
from seer_bench.verification import recording
from seer_bench.verification.recording import RecordError, Recording, field

from ..actions import Variant
from ..chains import STATE_FIELDS, Chain, InitialState, load_chains
from ..scene import scene_names

SUBJECT = "calvin"


@dataclass(frozen=True)
class CalvinRecording(Recording):
    """One record of a folder, and what to replay it in."""

    variant: Variant
    scene: str


def read_index(folder: Path) -> list[CalvinRecording]:
    """The records of a folder, in the index's order; raises UsageError where the index is broken."""
    index = recording.read_index(folder, SUBJECT)
    return [_with_settings(index.path, record) for record in index.recordings]


def chain_of(entry: dict[str, Any], where: str) -> Chain:
    """The benchmark's chain that an entry names by `sequence_index`; raises RecordError."""
    return chain_at(field(entry, "sequence_index", int, where), where)


def chain_at(index: int, where: str) -> Chain:
    """The benchmark's chain of that number; raises RecordError."""
    chains = load_chains()
    if not 0 <= index < len(chains):
        raise RecordError(f"{where}: there is no chain {index}; chains are numbered 0 to {len(chains) - 1}")
    return chains[index]


def initial_state(entry: dict[str, Any], where: str) -> InitialState:
    """The symbolic state that an entry starts from, else that of its chain; raises RecordError."""
    if "initial_state" not in entry:
        return chain_of(entry, where).initial_state
    values = field(entry, "initial_state", dict, where)
    if set(values) != set(STATE_FIELDS):
        raise RecordError(f"{where}: 'initial_state' must have the keys {list(STATE_FIELDS)}, got {list(values)}")
    for key, value in values.items():
        known = _STATE_VALUES.get(key, ("table", "slider_left", "slider_right"))
        if not any(type(value) is type(other) and value == other for other in known):
            raise RecordError(f"{where}: initial state '{key}' is {value!r}; known: {known}")
    return InitialState(**values)


_STATE_VALUES: dict[str, tuple[Any, ...]] = {
    "led": (0, 1),
    "lightbulb": (0, 1),
    "slider": ("left", "right"),
    "drawer": ("open", "closed"),
    "grasped": (0,),
}
"""The others are places of blocks."""


def _with_settings(path: Path, record: Recording) -> CalvinRecording:
    """Check variant and scene."""
    variant, scene = record.settings.get("variant", "main"), record.settings.get("scene", "D")
    for what, value, known in (("variant", variant, get_args(Variant)), ("scene", scene, scene_names())):
        if value not in known:
            raise UsageError(f"{path}: record '{record.name}': {what} is {value!r}; known: {', '.join(known)}")
    return CalvinRecording(record.name, record.kind, record.folder, record.files, record.settings, variant, scene)
