"""Motions that every task of LIBERO-LONG is made of: picking up, carrying, letting go, rising."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from seer_bench import SimulatorState

from ..controller import wrap
from ..plan import Attempt, Grip, Plan, Point, Waypoint, shifted

VIA = 0.03
"""Tolerance of a waypoint that is only passed through."""
CLOSING = 10
"""Control steps in which the fingers close on an object."""
OPENING = 6
"""Control steps in which they let go of it."""
FORWARD = np.pi / 2
"""Yaw at which the arm starts; the fingers then close along y, across the way in which the arm reaches (+x)."""
_LEAVE = 0.10
"""Metres by which the gripper rises from what it has let go."""

Waypoints = tuple[Waypoint, ...]


def tcp(state: SimulatorState) -> Point:
    """Measured position of the tool centre point."""
    return point(state.tcp_position)


def place(state: SimulatorState, name: str) -> Point:
    """Position of an object, fixture or site."""
    return point(state.bodies[name].position)


def yaw(state: SimulatorState, name: str) -> float:
    """How far an object, fixture or site is turned about the vertical, radians."""
    return float(Rotation.from_quat(state.bodies[name].quaternion).as_euler("xyz")[2])


def in_body(state: SimulatorState, name: str, offset: Point) -> Point:
    """The world position of a point that is fixed to a body, given in metres along the body's axes."""
    body = state.bodies[name]
    return point(body.position + Rotation.from_quat(body.quaternion).apply(offset))


def point(values: ArrayLike) -> Point:
    """Three numbers as a point."""
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z


def angles(state: SimulatorState) -> tuple[float, float, float]:
    """Measured yaw, pitch and roll of the gripper."""
    roll, pitch, turn = (float(v) for v in state.tcp_euler)
    return turn, pitch, roll


def closing_along(direction: float) -> float:
    """The gripper's yaw at which its fingers close along a horizontal direction, given in radians from +x.

    The two fingers are alike, so there are two such yaws; this is the one nearer to `FORWARD`, where the arm turns its
    wrist the least.
    """
    return FORWARD + float(wrap(2 * (direction - FORWARD))) / 2


def nudge(attempt: Attempt, done: int) -> Point:
    """The displacement for the next grasp; none at the first grasp of each object.

    Count each grasp as an attempt and let every other plan be a preparation: then the number of attempts exceeds
    the number `done` of objects that are where they belong exactly if the next grasp is a retry.
    """
    return attempt.nudge if attempt.number > done else (0.0, 0.0, 0.0)


def pick(grasp: Point, turn: float, *, above: float, lift: float) -> Waypoints:
    """From above: down to `grasp` with the gripper turned to yaw `turn`, close the fingers, and lift.

    Args:
        grasp: where the tool centre point is when the fingers close.
        turn: yaw of the gripper; the fingers close along this direction.
        above: metres over `grasp` at which the gripper has opened and turned.
        lift: metres by which the object is raised.
    """
    return (
        Waypoint(shifted(grasp, z=above), Grip.OPEN, turn, tolerance=0.015),
        Waypoint(grasp, Grip.OPEN, turn, speed=0.7),
        Waypoint(grasp, Grip.CLOSED, turn, patience=1, hold=CLOSING),
        Waypoint(shifted(grasp, z=lift), Grip.CLOSED, turn, tolerance=VIA),
    )


def put(spot: Point, turn: float, *, over: float) -> Waypoints:
    """Carry what is held over `spot` at the height `over`, lower it there, let go and rise."""
    x, y, _ = spot
    return (
        Waypoint((x, y, over), Grip.CLOSED, turn, tolerance=0.012),
        Waypoint(spot, Grip.CLOSED, turn, speed=0.6),
        Waypoint(spot, Grip.OPEN, turn, patience=1, hold=OPENING),
        Waypoint(shifted(spot, z=_LEAVE), Grip.OPEN, turn, tolerance=VIA),
    )


def spot_for(state: SimulatorState, name: str, goal: Point) -> Point:
    """Where the tool centre point must be so that the held object's origin is at `goal`, however it is held."""
    return point(np.asarray(goal) - (state.bodies[name].position - state.tcp_position))


def rise(state: SimulatorState, height: float) -> Plan | None:
    """Open the fingers and go straight up to `height` metres; None if the gripper is about there, or higher."""
    x, y, z = tcp(state)
    if z > height - VIA:
        return None
    turn, pitch, roll = angles(state)
    way = Waypoint((x, y, height), Grip.OPEN, turn, pitch, tolerance=VIA, patience=40, roll=roll)
    return Plan((way,), preparation=True)


def wait(state: SimulatorState) -> Plan:
    """Stay with open fingers and let things come to rest: there is nothing else to do."""
    turn, pitch, roll = angles(state)
    here = Waypoint(tcp(state), Grip.OPEN, turn, pitch, patience=1, hold=20, roll=roll)
    return Plan((here,), preparation=True)
