"""Turns a plan into relative actions, closed over the commanded and the measured pose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from seer_bench import ActionSpec, ConventionError, SimulatorState
from seer_bench.contracts import Array

from .plan import Grip, Plan, Waypoint

_POSITION_REACHED = 1e-3
"""Metres between commanded position and waypoint."""
_ANGLE_REACHED = 0.02
"""Radians between commanded and wanted angles."""
_STILL = 5e-4
"""Metres a step, below which the arm counts as standing still."""
_STILL_STEPS = 3
"""Control steps of standing still after which the arm will not come nearer: it is blocked or out of reach."""


class Follower(ABC):
    """Follows one plan after another, waypoint by waypoint; a follower belongs to one robot.

    What it takes to arrive, and which action leads there, is the benchmark's: subclasses say it.
    """

    def __init__(self) -> None:
        self._waypoints: Iterator[tuple[int, Waypoint]] = iter(())
        self._number, self._count = 0, 0
        self._current: Waypoint | None = None
        self._travelling = True
        self._steps = 0
        self._still = 0
        self._last_tcp = np.full(3, np.inf)

    def follow(self, plan: Plan) -> None:
        """Drop the current plan and begin this one."""
        self._waypoints = iter(enumerate(plan.waypoints, start=1))
        self._count = len(plan.waypoints)
        self._next_waypoint()

    def act(self, state: SimulatorState) -> Array | None:
        """The next action (7,), float64, each motion component in [-1, 1]; None once the plan has ended.

        Every waypoint gets at least one action, so a plan that has just begun always has one.
        """
        while self._current is not None:
            if self._travelling and self._steps and self._done_travelling(self._current, state):
                self._travelling, self._steps = False, 0
            if self._travelling or self._steps < self._current.hold:
                self._steps += 1
                action = self._towards(self._current, state)
                self._last_tcp = np.array(state.tcp_position)
                return action
            self._next_waypoint()
        return None

    @property
    def doing(self) -> str:
        """Where the plan is, e.g. "waypoint 2 of 5, to (0.10, -0.05, 0.46) m, gripper open"; "" without a plan."""
        if self._current is None:
            return ""
        x, y, z = self._current.position
        way = f"{'to' if self._travelling else 'staying at'} ({x:.2f}, {y:.2f}, {z:.2f}) m"
        return f"waypoint {self._number} of {self._count}, {way}, gripper {self._current.grip.value}"

    def _next_waypoint(self) -> None:
        """Set out for the next waypoint, if there is one."""
        self._number, self._current = next(self._waypoints, (0, None))
        self._travelling, self._steps, self._still = True, 0, 0

    @abstractmethod
    def _done_travelling(self, waypoint: Waypoint, state: SimulatorState) -> bool:
        """The arm has arrived, will not come nearer, or the waypoint's patience is at its end."""

    @abstractmethod
    def _towards(self, waypoint: Waypoint, state: SimulatorState) -> Array:
        """One action towards the waypoint."""


class Controller(Follower):
    """Follows plans by actions that are added to an accumulated target pose.

    The commanded pose is moved to each waypoint along a straight line in each coordinate, never faster than one
    action allows and never past the waypoint: what the arm lags behind is therefore bounded, and nothing winds up.

    Args:
        action: what an action means; translations and rotations must be relative, Euler angles.

    Raises:
        ConventionError: the actions are of another kind.
    """

    def __init__(self, action: ActionSpec) -> None:
        check_action(action)
        super().__init__()
        self._action = action

    def _done_travelling(self, waypoint: Waypoint, state: SimulatorState) -> bool:
        """The command is at the waypoint, and the arm has caught up or stands still; or patience is at its end."""
        if self._steps >= waypoint.patience:
            return True
        left = np.abs(_translation(waypoint, state)).max() < _POSITION_REACHED
        turned = np.abs(_rotation(waypoint, state)).max() < _ANGLE_REACHED
        if not (left and turned):
            self._still = 0
            return False
        moved = float(np.linalg.norm(state.tcp_position - self._last_tcp))
        self._still = self._still + 1 if moved < _STILL else 0
        lag = float(np.linalg.norm(state.tcp_position - np.array(waypoint.position)))
        return lag < waypoint.tolerance or self._still >= _STILL_STEPS

    def _towards(self, waypoint: Waypoint, state: SimulatorState) -> Array:
        """One action towards the waypoint."""
        spec = self._action
        assert spec.translation_scale is not None  # noqa: S101 - checked in __init__, for the type checker
        assert spec.rotation_scale is not None  # noqa: S101 - as above
        speed = waypoint.speed
        move = np.clip(_translation(waypoint, state) / spec.translation_scale, -speed, speed)
        turn = np.clip(_rotation(waypoint, state) / spec.rotation_scale, -1, 1)
        grip = spec.gripper_open if waypoint.grip is Grip.OPEN else -spec.gripper_open
        return np.concatenate([move, turn, [grip]])


def check_action(action: ActionSpec) -> None:
    """Refuse actions that the controller cannot emit.

    Raises:
        ConventionError: they are no 7-dim relative Cartesian actions with Euler angles.
    """
    scales = action.translation_scale, action.rotation_scale
    if action.kind != "cartesian_rel" or action.dim != 7 or action.rotation != "euler_xyz" or None in scales:
        raise ConventionError(
            f"the expert emits 7-dim relative Cartesian actions with Euler angles and known scales; the benchmark "
            f"takes '{action.kind}' of dim {action.dim}, rotation '{action.rotation}', scales {scales}."
        )


def wrap(angle: Array | float) -> Array:
    """Angles in radians, brought into [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def _translation(waypoint: Waypoint, state: SimulatorState) -> Array:
    """What the commanded position (3,) lacks, metres."""
    return np.asarray(waypoint.position - state.target_position)


def _rotation(waypoint: Waypoint, state: SimulatorState) -> Array:
    """What the commanded Euler angles (3,) lack, the short way round, radians."""
    return wrap(np.array([waypoint.roll, waypoint.pitch, waypoint.yaw]) - state.target_euler)
