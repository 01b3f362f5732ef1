"""What an action of a checkpoint means, which its files do not say, and what its statistics tell against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seer_bench import ActionSpec, ConventionError, Interface, UsageError
from seer_bench.contracts import Array

from .features import Description

ACTIONS: Mapping[str, ActionSpec] = {
    "calvin": ActionSpec(
        kind="cartesian_rel",
        dim=7,
        frame="world, added to the accumulated target pose",
        translation_scale=0.02,
        rotation_scale=0.05,
        rotation="euler_xyz",
        gripper_open=1,
    ),
    "libero": ActionSpec(
        kind="cartesian_rel",
        dim=7,
        frame="world, added to the measured pose",
        translation_scale=0.05,
        rotation_scale=0.5,
        rotation="rotation_vector",
        gripper_open=-1,
    ),
}
"""What policies are taken to emit: CALVIN's `rel_actions`, and LIBERO's actions as LeRobot's environment takes them."""
_GRIPPER = re.compile(r"open:(?P<open>-?\d+(\.\d+)?),closed:(?P<closed>-?\d+(\.\d+)?)")
_SLACK = 0.25
"""Share of the way from open to closed by which training data may miss either end."""
_LARGEST, _SMALLEST = 1.5, 0.1
"""What the largest movement in training data lies between, where 1 is the largest that is executed."""


@dataclass(frozen=True)
class Gripper:
    """The numbers by which a policy opens and closes the gripper; anything between is in proportion."""

    open: float
    closed: float

    @classmethod
    def parse(cls, text: str | None, spec: ActionSpec) -> Gripper:
        """Read "open:1,closed:0"; as the benchmark takes it where None. Raises UsageError."""
        if text is None:
            return cls(spec.gripper_open, -spec.gripper_open)
        match = _GRIPPER.fullmatch(text)
        if match is None or float(match["open"]) == float(match["closed"]):
            raise UsageError(f"--policy-arg gripper={text}: write the two numbers, e.g. gripper=open:1,closed:0")
        return cls(float(match["open"]), float(match["closed"]))

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        return f"open:{self.open:g},closed:{self.closed:g}"

    def is_plain(self, spec: ActionSpec) -> bool:
        """Whether the benchmark takes the same numbers."""
        return (self.open, self.closed) == (spec.gripper_open, -spec.gripper_open)

    def convert(self, actions: Array, spec: ActionSpec) -> Array:
        """Actions (..., dim) with the gripper's number as the benchmark takes it; a copy where they differ."""
        if self.is_plain(spec):
            return actions
        converted = actions.copy()
        share = (actions[..., -1] - self.closed) / (self.open - self.closed)
        converted[..., -1] = spec.gripper_open * (2 * share - 1)
        return converted

    def words(self, spec: ActionSpec) -> str:
        """What happens to it."""
        said = f"the gripper opens at {self.open:g} and closes at {self.closed:g}"
        return (
            said if self.is_plain(spec) else f"{said}, which becomes {spec.gripper_open:g} and {-spec.gripper_open:g}"
        )


def action_spec(interface: Interface) -> ActionSpec:
    """What an action is taken to mean; on a benchmark that is not known here, what that takes."""
    return ACTIONS.get(interface.benchmark, interface.action)


def check_actions(described: Description, spec: ActionSpec, gripper: Gripper, *, ranges: bool = True) -> str:
    """Compare the length of an action and, with `ranges`, the range of those in the training data with the benchmark's.

    Returns:
        What was found of the range, in words.

    Raises:
        ConventionError: they do not fit.
    """
    if described.action_dim != spec.dim:
        raise ConventionError(
            f"the checkpoint's actions have {described.action_dim} numbers; the benchmark takes {spec.dim} "
            f"({spec.kind}, {spec.frame})."
        )
    if not ranges:
        return "not checked, as asked for"
    told = described.statistics.get("action", {})
    if not {"min", "max"} <= set(told):
        return "not checked: no min and max are saved with the checkpoint"
    low, high = (np.asarray(told[name], dtype=np.float64).ravel() for name in ("min", "max"))
    if low.size != spec.dim or high.size != spec.dim:
        raise ConventionError(f"the statistics of 'action' have {low.size} numbers, the actions {spec.dim}.")
    _check_gripper(float(low[-1]), float(high[-1]), gripper)
    if spec.kind == "cartesian_rel":
        _check_movement(float(np.abs([low[:3], high[:3]]).max()), spec)
    return f"movement {low[:-1].min():.2g} to {high[:-1].max():.2g}, gripper {low[-1]:g} to {high[-1]:g}"


def _check_gripper(low: float, high: float, gripper: Gripper) -> None:
    """The range of the training data is about that between open and closed; one value alone tells nothing."""
    ends = sorted((gripper.open, gripper.closed))
    slack = _SLACK * (ends[1] - ends[0])
    if low < high and (abs(low - ends[0]) > slack or abs(high - ends[1]) > slack):
        raise ConventionError(
            f"the gripper's number is {low:g} to {high:g} in the checkpoint's training data, but is taken to be "
            f"{gripper.open:g} for open and {gripper.closed:g} for closed. State both: --policy-arg "
            f"gripper=open:{high:g},closed:{low:g} or gripper=open:{low:g},closed:{high:g}"
        )


def _check_movement(largest: float, spec: ActionSpec) -> None:
    """Neither poses nor unscaled metres."""
    if not _SMALLEST <= largest <= _LARGEST:
        raise ConventionError(
            f"the largest translation in the checkpoint's training data is {largest:.3g}, but the benchmark takes "
            f"numbers from -1 to 1 ({spec.translation_scale} m for 1, {spec.frame}). The checkpoint was trained on "
            "other actions. If it was not: --policy-arg ranges=ignore"
        )
