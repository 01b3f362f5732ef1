"""Poses of what stands fixed in a scene (stove, cabinet, caddy, microwave): they are no part of an initial state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seer_bench.errors import UsageError

_EXPECTED = "expected {'position': [x, y, z], 'quaternion': [w, x, y, z]}"


@dataclass(frozen=True)
class FixturePose:
    """Where a fixture stands."""

    position: tuple[float, float, float]
    """Metres, world frame."""
    quaternion: tuple[float, float, float, float]
    """(w, x, y, z), as MuJoCo's models keep it."""

    def to_json(self) -> dict[str, list[float]]:
        """As protocols and records hold it."""
        return {"position": list(self.position), "quaternion": list(self.quaternion)}

    @classmethod
    def from_json(cls, data: object, *, where: str) -> FixturePose:
        """Read what `to_json` wrote; raises UsageError, naming `where`."""
        if not isinstance(data, Mapping) or set(data) != {"position", "quaternion"}:
            raise UsageError(f"{where}: {data!r} is no fixture pose; {_EXPECTED}.")
        position, quaternion = (_numbers(data[key]) for key in ("position", "quaternion"))
        if len(position) != 3 or len(quaternion) != 4:
            raise UsageError(f"{where}: {data!r} is no fixture pose; {_EXPECTED}.")
        return cls((position[0], position[1], position[2]), (quaternion[0], *quaternion[1:]))  # type: ignore[arg-type]


def _numbers(value: object) -> list[float]:
    """A list of numbers as floats; empty for anything else."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(number, (int, float)) for number in value):
        return []
    return [float(number) for number in value]
