"""The forms in which `CalvinEnv` takes an action, each with its space.

A vector becomes what the world understands, with the gripper command made -1 or +1 by its sign. The dtype of the
vector is kept: a float16 action is scaled in float16, as upstream does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from seer_bench import InvalidActionError, UsageError
from seer_bench.contracts import Array

from .actions import Action, Variant

_REACH = 2.0
"""Metres; bounds the space of absolute positions, which the simulator itself does not limit."""


@dataclass(frozen=True)
class ActionKind:
    """One action form: its name, bounds and translation for the world."""

    name: str
    bounds: tuple[float, ...]
    """The space is the box between -bounds and +bounds."""
    pack: Callable[[Array], Action]
    """From a vector whose last entry is -1 or +1."""
    variants: tuple[Variant, ...]

    def space(self) -> spaces.Box:
        """float32 box; wider dtypes are accepted and kept."""
        high = np.array(self.bounds, dtype=np.float32)
        return spaces.Box(-high, high, dtype=np.float32)

    def check_variant(self, variant: Variant) -> None:
        """Refuse a form that this version of calvin_env does not have; raises UsageError."""
        if variant not in self.variants:
            raise UsageError(
                f"action kind '{self.name}' does not exist in variant '{variant}' of calvin_env; "
                f"it does in: {', '.join(self.variants)}."
            )

    def command(self, action: Array) -> Action:
        """Check a vector and turn it into what `World.step` takes; raises InvalidActionError."""
        vector = np.asarray(action)
        if vector.shape != (len(self.bounds),):
            raise InvalidActionError(
                f"{self.name}: an action has shape ({len(self.bounds)},), this one {vector.shape}."
            )
        if vector.dtype.kind != "f":
            raise InvalidActionError(f"{self.name}: an action has a floating dtype, this one {vector.dtype}.")
        if not np.isfinite(vector).all():
            raise InvalidActionError(f"{self.name}: an action must be finite, this one is {vector.tolist()}.")
        vector = vector.copy()
        vector[-1] = 1 if vector[-1] > 0 else -1
        return self.pack(vector)


def _typed(name: str) -> Callable[[Array], Action]:
    """Pack a vector as an action dictionary."""
    return lambda vector: {"type": name, "action": vector}


_BOTH: tuple[Variant, ...] = ("main", "pinned")
_POSE = (_REACH,) * 3
_TURN = (float(np.pi),)

ACTION_KINDS = {
    kind.name: kind
    for kind in (
        ActionKind("cartesian_rel", (1.0,) * 7, lambda v: v, _BOTH),
        ActionKind("cartesian_abs", (*_POSE, *_TURN * 3, 1.0), lambda v: (v[:3], v[3:6], v[6]), _BOTH),
        ActionKind("cartesian_abs_quat", (*_POSE, *(1.0,) * 4, 1.0), lambda v: (v[:3], v[3:7], v[7]), _BOTH),
        ActionKind("joint_abs", (*_TURN * 7, 1.0), _typed("joint_abs"), ("main",)),
        ActionKind("joint_rel", (*_TURN * 7, 1.0), _typed("joint_rel"), ("main",)),
    )
}
