"""Where an input of the policy comes from: fields of the benchmark, turned, cut and joined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seer_bench import ConventionError, ImageSpec, UnknownNameError, UsageError
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

Orientation = Literal["upright", "raw", "rot180"]
ORIENTATIONS: tuple[Orientation, ...] = ("upright", "raw", "rot180")

_UPSIDE_DOWN: Mapping[str, tuple[bool, bool]] = {
    "upright": (False, False),
    "raw": (True, False),
    "rot180": (False, True),
}
"""Whether rows, and whether columns, run the other way than in an upright picture; see `ImageSpec.orientation`."""
_TURNS = {
    (False, False): "",
    (True, False): "flipped top to bottom",
    (False, True): "flipped left to right",
    (True, True): "turned by 180 degrees",
}
_PIECE = re.compile(r"(?P<field>[^\[\]/+]+)(\[(?P<first>\d+)(?P<colon>:(?P<stop>\d+))?\])?")


@dataclass(frozen=True)
class ImageSource:
    """A picture in the orientation that the policy was trained on."""

    field: str
    given: ImageSpec
    wanted: Orientation

    @property
    def fields(self) -> tuple[str, ...]:
        """What is read."""
        return (self.field,)

    @property
    def text(self) -> str:
        """As `parse_source` reads it."""
        return f"{self.field}/{self.wanted}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels first."""
        return (3, self.given.height, self.given.width)

    @property
    def turn(self) -> str:
        """What happens to its orientation, in words; empty where nothing does."""
        return _TURNS[self._flips]

    def take(self, row: Mapping[str, Array]) -> Array:
        """The picture uint8 (height, width, 3), a copy."""
        rows, columns = self._flips
        turned = row[self.field][:: -1 if rows else 1, :: -1 if columns else 1]
        return np.array(turned, order="C")

    @property
    def _flips(self) -> tuple[bool, bool]:
        """Whether rows and columns are reversed."""
        ours, theirs = _UPSIDE_DOWN[self.given.orientation], _UPSIDE_DOWN[self.wanted]
        return (ours[0] != theirs[0], ours[1] != theirs[1])


@dataclass(frozen=True)
class Piece:
    """Entries `first` to `stop` - 1 of a vector."""

    field: str
    first: int
    stop: int
    whole: bool

    @property
    def text(self) -> str:
        """As `parse_source` reads it."""
        if self.whole:
            return self.field
        return f"{self.field}[{self.first}{'' if self.stop == self.first + 1 else f':{self.stop}'}]"


@dataclass(frozen=True)
class VectorSource:
    """Pieces of vectors, one after another."""

    pieces: tuple[Piece, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """What is read."""
        return tuple(piece.field for piece in self.pieces)

    @property
    def text(self) -> str:
        """As `parse_source` reads it."""
        return "+".join(piece.text for piece in self.pieces)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the joined vector."""
        return (sum(piece.stop - piece.first for piece in self.pieces),)

    def take(self, row: Mapping[str, Array]) -> Array:
        """The joined vector, float32."""
        joined = np.concatenate([row[piece.field][piece.first : piece.stop] for piece in self.pieces])
        return joined.astype(np.float32)


Source = ImageSource | VectorSource


def parse_source(text: str, fields: Mapping[str, FieldSpec], turn: Orientation) -> Source:
    """Read "rgb_static", "rgb_agentview/rot180" or "eef_position+gripper_qpos[0:2]".

    Args:
        text: of one source.
        fields: what the benchmark gives.
        turn: orientation of a picture where the text names none.

    Raises:
        ConventionError: a field is of a kind, or entries do not exist, that cannot be given.
        UnknownNameError: there is no such field or orientation.
        UsageError: it cannot be read.
    """
    name, slash, orientation = text.partition("/")
    if slash and orientation not in ORIENTATIONS:
        raise UnknownNameError("orientation", orientation, ORIENTATIONS, f"Given as: {text}")
    spec = fields.get(name)
    if slash or isinstance(spec, ImageSpec):
        if not isinstance(_known(name, fields), ImageSpec) or not isinstance(spec, ImageSpec):
            raise ConventionError(f"{text}: '{name}' is a vector, which has no orientation.")
        if spec.kind != "rgb":
            raise ConventionError(f"{text}: '{name}' is a depth image; inputs of LeRobot's policies are RGB.")
        chosen = next((word for word in ORIENTATIONS if word == orientation), turn)
        return ImageSource(name, spec, chosen)
    return VectorSource(tuple(_piece(part, text, fields) for part in text.split("+")))


def _piece(part: str, text: str, fields: Mapping[str, FieldSpec]) -> Piece:
    """One vector, or entries of it."""
    match = _PIECE.fullmatch(part.strip())
    if match is None:
        raise UsageError(f"'{text}': '{part}' cannot be read; write FIELD, FIELD[3] or FIELD[0:7], joined by +.")
    name = match["field"]
    spec = _known(name, fields)
    if isinstance(spec, ImageSpec):
        raise ConventionError(f"'{text}': '{name}' is an image, which cannot be joined to vectors.")
    if match["first"] is None:
        return Piece(name, 0, spec.size, whole=True)
    first = int(match["first"])
    stop = int(match["stop"]) if match["colon"] else first + 1
    if not first < stop <= spec.size:
        raise ConventionError(f"'{text}': '{part}' is not within '{name}', which has {spec.size} entries.")
    return Piece(name, first, stop, whole=False)


def _known(name: str, fields: Mapping[str, FieldSpec]) -> FieldSpec:
    """The field of that name; raises UnknownNameError."""
    if name not in fields:
        raise UnknownNameError("observation field", name, fields)
    return fields[name]
