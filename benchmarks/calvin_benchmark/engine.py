"""The physics engine: `from .engine import p` imports pybullet without the line that it prints when it is loaded."""

from __future__ import annotations

from seer_bench.errors import MissingExtraError

from .quiet import quiet

try:
    with quiet():
        import pybullet as p
except ModuleNotFoundError as error:
    raise MissingExtraError("CALVIN's simulator", "pybullet", "calvin") from error

__all__ = ["p"]
