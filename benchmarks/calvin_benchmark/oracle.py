"""The 34 task checks: was this task done between two snapshots of a world?

Every inequality is strict. Thresholds, contact rules and their quirks are those of calvin_env's `Tasks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from seer_bench.errors import UnknownNameError

from .snapshot import BLOCKS, ROBOT, TABLE, BlockState, Snapshot, Touch

TABLE_TOP = Touch(TABLE, "base_link")
CABINET = Touch(TABLE, "plank_link")
DRAWER = Touch(TABLE, "drawer_link")


@dataclass(frozen=True)
class Rotate:
    """A block turned about the vertical by more than `degrees` (negative: clockwise), and stayed in place."""

    block: str
    degrees: float
    max_tilt: float = 30.0
    max_move: float = 0.1

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair; the cheap conditions come first."""
        before, after = start.blocks[self.block], end.blocks[self.block]
        if np.linalg.norm(np.subtract(after.position, before.position)) > self.max_move:
            return False
        if not _bodies(after) - {ROBOT}:
            return False
        rotation = Rotation.from_quat(after.quaternion) * Rotation.from_quat(before.quaternion).inv()
        x, y, z, w = rotation.as_quat()
        if abs(2 * (w * y - z * x)) > 0.9:  # the sine of a pitch of 64 degrees; Euler angles end at 90
            return False
        roll, pitch, yaw = rotation.as_euler("xyz", degrees=True)
        turned = self.degrees < yaw < 180 if self.degrees > 0 else -180 < yaw < self.degrees
        return bool(turned and abs(roll) < self.max_tilt and abs(pitch) < self.max_tilt)


@dataclass(frozen=True)
class Push:
    """A block moved along x by more than `distance` metres and still touches all that it rested on."""

    block: str
    distance: float

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        before, after = start.blocks[self.block], end.blocks[self.block]
        support = {touch for touch in before.touches if touch.body != ROBOT}
        if not support or not support <= after.touches:
            return False
        return _beyond(after.position[0] - before.position[0], self.distance)


@dataclass(frozen=True)
class Lift:
    """A block that touched `source` rose by more than `height` metres and touches nothing but the robot."""

    block: str
    height: float
    source: Touch

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair; the robot may hold the block at the start."""
        before, after = start.blocks[self.block], end.blocks[self.block]
        rose = after.position[2] - before.position[2] > self.height
        return rose and _bodies(after) == {ROBOT} and self.source in before.touches


@dataclass(frozen=True)
class Place:
    """The only thing the robot touched was a block that touched nothing else; it now lies on `destination`."""

    destination: Touch

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        held = {touch.body for touch in start.robot_touches}
        if len(held) != 1:
            return False
        (name,) = held
        if name not in start.blocks or name in {touch.body for touch in end.robot_touches}:
            return False
        return _bodies(start.blocks[name]) == {ROBOT} and self.destination in end.blocks[name].touches


@dataclass(frozen=True)
class MoveDoor:
    """The sliding door or the drawer moved by more than `distance` metres (the sign is the direction)."""

    door: str
    distance: float

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        return _beyond(getattr(end, self.door) - getattr(start, self.door), self.distance)


@dataclass(frozen=True)
class Toggle:
    """A light went on, or out."""

    light: str
    on: bool

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        return bool(getattr(start, self.light) != self.on and getattr(end, self.light) == self.on)


@dataclass(frozen=True)
class Stack:
    """A block that touched no block rests on blocks alone, slowly."""

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        blocks = set(end.blocks)
        return any(
            not _bodies(start.blocks[name]) & blocks and _rests_on(after, blocks) for name, after in end.blocks.items()
        )


@dataclass(frozen=True)
class Unstack:
    """A block that rested on blocks alone, slowly, touches none any more."""

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        blocks = set(start.blocks)
        return any(
            _rests_on(before, blocks) and not _bodies(end.blocks[name]) & blocks
            for name, before in start.blocks.items()
        )


@dataclass(frozen=True)
class PushInto:
    """Any block that touched only `source` touches `destination`.

    The robot may still hold the block at the end: upstream means to forbid it and compares the wrong things.
    """

    source: Touch
    destination: Touch

    def __call__(self, start: Snapshot, end: Snapshot) -> bool:
        """Decide for one pair."""
        return any(
            before.touches == {self.source} and self.destination in end.blocks[name].touches
            for name, before in start.blocks.items()
        )


Check = Callable[[Snapshot, Snapshot], bool]

RED, BLUE, PINK = BLOCKS

TASKS: dict[str, Check] = {
    "rotate_red_block_right": Rotate(RED, -60),
    "rotate_red_block_left": Rotate(RED, 60),
    "rotate_blue_block_right": Rotate(BLUE, -60),
    "rotate_blue_block_left": Rotate(BLUE, 60),
    "rotate_pink_block_right": Rotate(PINK, -60),
    "rotate_pink_block_left": Rotate(PINK, 60),
    "push_red_block_right": Push(RED, 0.1),
    "push_red_block_left": Push(RED, -0.1),
    "push_blue_block_right": Push(BLUE, 0.1),
    "push_blue_block_left": Push(BLUE, -0.1),
    "push_pink_block_right": Push(PINK, 0.1),
    "push_pink_block_left": Push(PINK, -0.1),
    "move_slider_left": MoveDoor("slide", 0.15),
    "move_slider_right": MoveDoor("slide", -0.15),
    "open_drawer": MoveDoor("drawer", 0.12),
    "close_drawer": MoveDoor("drawer", -0.12),
    "lift_red_block_table": Lift(RED, 0.05, TABLE_TOP),
    "lift_red_block_slider": Lift(RED, 0.03, CABINET),
    "lift_red_block_drawer": Lift(RED, 0.05, DRAWER),
    "lift_blue_block_table": Lift(BLUE, 0.05, TABLE_TOP),
    "lift_blue_block_slider": Lift(BLUE, 0.03, CABINET),
    "lift_blue_block_drawer": Lift(BLUE, 0.05, DRAWER),
    "lift_pink_block_table": Lift(PINK, 0.05, TABLE_TOP),
    "lift_pink_block_slider": Lift(PINK, 0.03, CABINET),
    "lift_pink_block_drawer": Lift(PINK, 0.05, DRAWER),
    "place_in_slider": Place(CABINET),
    "place_in_drawer": Place(DRAWER),
    "stack_block": Stack(),
    "unstack_block": Unstack(),
    "turn_on_lightbulb": Toggle("lightbulb", on=True),
    "turn_off_lightbulb": Toggle("lightbulb", on=False),
    "turn_on_led": Toggle("led", on=True),
    "turn_off_led": Toggle("led", on=False),
    "push_into_drawer": PushInto(TABLE_TOP, DRAWER),
}
"""Task name to check, in the order of upstream's task list."""

TASK_NAMES = tuple(TASKS)


def solved(task: str, start: Snapshot, end: Snapshot) -> bool:
    """Say whether `task` was done between `start` (the subtask's first instant) and `end` (now).

    Raises:
        UnknownNameError: no such task.
    """
    if task not in TASKS:
        raise UnknownNameError("CALVIN task", task, TASKS)
    return TASKS[task](start, end)


def _bodies(block: BlockState) -> set[str]:
    return {touch.body for touch in block.touches}


def _beyond(change: float, threshold: float) -> bool:
    """Whether `change` is further from zero than `threshold`, on its side."""
    return change > threshold if threshold > 0 else change < threshold


def _rests_on(block: BlockState, blocks: set[str]) -> bool:
    """Whether `block` touches blocks alone and moves slower than 1 m/s and 1 rad/s along every axis."""
    bodies = _bodies(block)
    slow = all(abs(component) < 1 for component in (*block.linear_velocity, *block.angular_velocity))
    return bool(bodies) and bodies <= blocks and slow
