"""Limits of a robot's commands. A command beyond them is refused as it is: clipping would execute what nobody meant."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from real_robot_benchmark.reading import FaultyFileError, Reader, compose
from seer_bench.errors import InvalidActionError, PolicyError, UsageError

if TYPE_CHECKING:
    from real_robot_benchmark.robot.io import Pose, Reading, Target

ACTION_DIM = 7
_SLACK = 1e-6
"""What rounding may add to a value at its limit."""
_UNIT = 1e-3
"""What the norm of a quaternion may differ from 1."""
_AXES = "xyz"


class UnsafeCommandError(PolicyError):
    """A target beyond the limits; it was not sent."""


@dataclass(frozen=True)
class Limits:
    """What no target may exceed."""

    low: tuple[float, float, float]
    """Corner of the workspace, metres, base frame."""
    high: tuple[float, float, float]
    """The opposite corner."""
    max_step_m: float = 0.035
    """Between two targets; the longest that one action can ask for is 0.02 m along each axis, 0.0346 m."""
    max_turn_rad: float = 0.09
    """Between two targets; the largest that one action can ask for is 0.05 rad about each axis, 0.0866 rad."""
    max_speed_m_s: float = 0.55
    """Of the target, from beat to beat."""
    max_tilt_rad: float = math.pi / 3
    """Between the tool's z axis and straight down."""
    max_lag_m: float = 0.10
    """Between the target and the measured position: a blocked arm must not wind up."""
    max_age_s: float = 0.25
    """Of the state and of every picture when the policy is asked."""

    def __post_init__(self) -> None:
        """Refuse limits that are none."""
        for axis, low, high in zip(_AXES, self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise UsageError(f"limits: the workspace goes from {low} to {high} m along {axis}; low is below high.")
        for name, value in _scalars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"limits: {name} is {value}; it is a number above 0.")

    def tightened(self, other: Limits) -> Limits:
        """The limits of both; raises UsageError where their workspaces do not meet."""
        scalars: dict[str, Any] = {name: min(value, _scalars(other)[name]) for name, value in _scalars(self).items()}
        corners: dict[str, Any] = {
            "low": tuple(map(max, self.low, other.low)),
            "high": tuple(map(min, self.high, other.high)),
        }
        return replace(self, **corners, **scalars)


def load_limits(path: Path) -> Limits:
    """Read limits from a YAML file: `low` and `high`, each [x, y, z] in metres, and what else differs from usual.

    Raises:
        FaultyFileError: an entry is missing, unknown or there twice; its line is named.
        UsageError: the file cannot be read, or a value is none.
    """
    corners, others = ("low", "high"), [field.name for field in fields(Limits) if field.name.startswith("max_")]
    reader = Reader()
    entries = reader.mapping(compose(path), "the file", required=corners, optional=others)
    if reader.faults:
        raise FaultyFileError(
            path, reader.faults, "'low' and 'high' are corners of the workspace, [x, y, z] in metres."
        )
    try:
        found = {name: yaml.safe_load(yaml.serialize(node)) for name, node in entries.items()}
        values: dict[str, Any] = {k: _corner(v) if k in corners else _number(v) for k, v in found.items()}
        return Limits(**values)
    except (ValueError, OverflowError, yaml.YAMLError, UsageError) as error:
        raise UsageError(f"{path}: {error}") from error


class Guard:
    """Looks at every action and every target before anything is sent; one an attempt.

    Args:
        limits: of the robot and of the operator.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: tuple[float, Target] | None = None

    def begin(self, reading: Reading, first: Target, now: float) -> None:
        """Take the place that an attempt begins at; raises UnsafeCommandError where it is beyond the limits."""
        self._check_place(reading.pose, "the robot stands at")
        self._last = (now, first)

    def check_action(self, action: object) -> None:
        """Refuse what is no action.

        Raises:
            InvalidActionError: no floating array (7,), a value that is not finite, or one beyond [-1, 1].
        """
        if not isinstance(action, np.ndarray) or action.shape != (ACTION_DIM,) or action.dtype.kind != "f":
            what = f"{action.dtype} {action.shape}" if isinstance(action, np.ndarray) else type(action).__name__
            raise InvalidActionError(f"the action is {what}; it is a floating array ({ACTION_DIM},).")
        if not np.isfinite(action).all():
            raise InvalidActionError(f"the action is not finite: {_listed(action)}.")
        if (np.abs(action) > 1 + _SLACK).any():
            raise InvalidActionError(f"the action has a value beyond [-1, 1]: {_listed(action)}.")

    def check(self, target: Target, reading: Reading, now: float) -> None:
        """Refuse a target beyond the limits; one that passes counts as sent.

        Args:
            target: what would be sent.
            reading: the newest.
            now: the beat on which it would be sent, seconds; what it leaves late is no matter of the policy's.

        Raises:
            UnsafeCommandError: naming the limit and the value.
        """
        limits, pose = self._limits, target.pose
        self._check_place(pose, "the target is at")
        if self._last is not None:
            before, last = self._last
            step = float(np.linalg.norm(pose.position - last.pose.position))
            turn = _angle(last.pose, pose)
            _refuse(step, limits.max_step_m, "m", "one step of the target")
            _refuse(turn, limits.max_turn_rad, "rad", "one turn of the target")
            _refuse(step / max(now - before, 1e-9) if step else 0.0, limits.max_speed_m_s, "m/s", "the target's speed")
        lag = float(np.linalg.norm(pose.position - reading.pose.position))
        _refuse(lag, limits.max_lag_m, "m", "the robot lags behind its target by more than allowed:")
        self._last = (now, target)

    def distrust(self, reading: Reading, now: float) -> str:
        """Why a reading cannot be acted on: it holds no pose, or a part of it is too old; "" for no reason."""
        if fault := _pose_fault(reading.pose):
            return f"the measured pose {fault}"
        ages = {"the state": now - reading.at}
        ages |= {f"the picture of '{name}'": now - frame.at for name, frame in reading.cameras.items()}
        what, age = max(ages.items(), key=lambda item: item[1])
        return (
            f"{what} is {age:.2f} s old; {self._limits.max_age_s} s are allowed" if age > self._limits.max_age_s else ""
        )

    def _check_place(self, pose: Pose, what: str) -> None:
        """Workspace and orientation; raises UnsafeCommandError."""
        limits = self._limits
        if fault := _pose_fault(pose):
            raise UnsafeCommandError(f"{what} a pose that {fault}.")
        for axis, value, low, high in zip(_AXES, pose.position, limits.low, limits.high, strict=True):
            if not low - _SLACK <= value <= high + _SLACK:
                raise UnsafeCommandError(
                    f"{what} {axis} = {value:.3f} m, outside of the workspace ({low:.3f} to {high:.3f} m)."
                )
        down = -Rotation.from_quat(pose.rotation).apply([0.0, 0.0, 1.0])[2]
        tilt = math.acos(min(1.0, max(-1.0, float(down))))
        if tilt > limits.max_tilt_rad:
            raise UnsafeCommandError(
                f"{what} a tilt of {tilt:.2f} rad from straight down; {limits.max_tilt_rad:.2f} rad are allowed."
            )


def _refuse(value: float, limit: float, unit: str, what: str) -> None:
    """Raise UnsafeCommandError for a value above its limit."""
    if not value <= limit + _SLACK:  # so that NaN is refused, too
        raise UnsafeCommandError(f"{what} is {value:.3f} {unit}; {limit:g} {unit} are allowed.")


def _pose_fault(pose: Pose) -> str:
    """Why something is no pose; "" where it is one."""
    if np.shape(pose.position) != (3,) or np.shape(pose.rotation) != (4,):
        return f"has shapes {np.shape(pose.position)} and {np.shape(pose.rotation)} instead of (3,) and (4,)"
    if not (np.isfinite(pose.position).all() and np.isfinite(pose.rotation).all()):
        return "is not finite"
    norm = float(np.linalg.norm(pose.rotation))
    return "" if abs(norm - 1) < _UNIT else f"holds a quaternion of norm {norm:.3f} instead of 1"


def _angle(last: Pose, following: Pose) -> float:
    """Radians between two orientations."""
    return float((Rotation.from_quat(last.rotation).inv() * Rotation.from_quat(following.rotation)).magnitude())


def _scalars(limits: Limits) -> dict[str, float]:
    """All limits but the corners."""
    return {name: value for name, value in vars(limits).items() if name.startswith("max_")}


def _corner(value: object) -> tuple[float, float, float]:
    """[x, y, z]; raises ValueError."""
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"{value!r} is no corner [x, y, z] in metres.")
    return (_number(value[0]), _number(value[1]), _number(value[2]))


def _number(value: object) -> float:
    """A number; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number.")
    return float(value)


def _listed(action: np.ndarray[Any, Any]) -> str:
    """The values, short."""
    return "[" + ", ".join(f"{value:.4g}" for value in action.tolist()) + "]"
