"""Motions between grasps: getting clear, and letting go of things in good order."""

from __future__ import annotations

from seer_bench import SimulatorState

from ..plan import Grip, Plan, Point, Waypoint
from .table import (
    DRAWER_HANDLE_Y,
    DRAWER_TRAVEL,
    DRAWER_X,
    HALF_BLOCK,
    SLIDER_HANDLE_X,
    SLIDER_TRAVEL,
    TABLE_TOP,
    Block,
    Place,
    blocks,
    gripped_block,
)

YAW = 1.5
"""Yaw at which the arm reaches furthest; the fingers then close along x."""
CLEAR_Z = 0.58
"""Height at which the gripper can travel over the table."""
FRONT_Y = -0.09
"""y in front of cabinet, door and switch at which the gripper can turn and rise."""
REACH_IN = -0.6
"""Pitch that lets the fingers into the cabinet, under its top."""
DROP = 0.015
"""Height from which a block is let go: when it lands, it is free of the fingers."""
IN_THE_AIR = 0.49
"""Height of a block's centre above which it is held, or lies on another block."""

VIA = 0.03
"""Tolerance of a waypoint that is only passed through."""
CLOSING = 12
"""Control steps in which the fingers close on a block."""
OPENING = 8
"""Control steps in which they let go of it."""

_BEHIND_FRONT = -0.05
"""y behind which the gripper is under, or close to, what stands at the back of the table."""
_UPRIGHT = 0.1
"""Pitch below which the gripper counts as upright; it is set upright before it travels, or it would dip."""
_ASIDE = 0.08
"""From one block's centre to that of another one put down beside it."""

Waypoints = tuple[Waypoint, ...]


def angles(state: SimulatorState) -> tuple[float, float]:
    """Commanded yaw and pitch."""
    return float(state.target_euler[2]), float(state.target_euler[1])


def tcp(state: SimulatorState) -> Point:
    """Measured position of the tool centre point."""
    x, y, z = (float(v) for v in state.tcp_position)
    return x, y, z


def clear(state: SimulatorState) -> Plan | None:
    """Bring the gripper, empty, to where it can travel; None if it is there.

    A door that the fingers still lean on is moved to its end first: a subtask is over as soon as the door has moved
    far enough to count, which is not far enough to reach into what it opens.
    """
    way = _finish_slider(state) or _finish_drawer(state) or _put_aside(state) or _rise(state)
    return Plan(way, preparation=True) if way else None


def put_down(start: Point, yaw: float, spot: tuple[float, float]) -> Waypoints:
    """Carry what is held to x, y at the present height, and let it go just above the table."""
    down = (*spot, TABLE_TOP + HALF_BLOCK + DROP)
    return (
        Waypoint((*spot, start[2]), Grip.CLOSED, yaw, speed=0.6, tolerance=0.015),
        Waypoint(down, Grip.CLOSED, yaw, speed=0.5),
        Waypoint(down, Grip.OPEN, yaw, patience=1, hold=CLOSING),
    )


def wait(state: SimulatorState, steps: int = 20) -> Plan:
    """Stay and let things come to rest: there is nothing sensible to do now."""
    yaw, pitch = angles(state)
    return Plan((Waypoint(tcp(state), Grip.OPEN, yaw, pitch, patience=1, hold=steps),))


def _finish_slider(state: SimulatorState) -> Waypoints:
    """Push the sliding door on to its end, if the fingers stand beside its handle."""
    x, y, z = tcp(state)
    slide = state.joints["slide"]
    beside = x - (SLIDER_HANDLE_X - slide)
    at_handle = y > _BEHIND_FRONT and 0.50 < z < 0.60 and 0.03 < abs(beside) < 0.08
    to_go = SLIDER_TRAVEL - slide if beside > 0 else slide
    if not at_handle or to_go < 0.02 or slide < 0.02:
        return ()
    end = x - to_go - 0.01 if beside > 0 else x + to_go + 0.01
    yaw, pitch = angles(state)
    return (Waypoint((end, 0.0, z), Grip.CLOSED, yaw, pitch, speed=0.8, tolerance=0.02, patience=25),)


def _finish_drawer(state: SimulatorState) -> Waypoints:
    """Pull the drawer on to its end, if the fingers are hooked behind its handle."""
    x, y, z = tcp(state)
    drawer = state.joints["drawer"]
    behind = y - (DRAWER_HANDLE_Y - drawer)
    hooked = z < 0.42 and abs(x - DRAWER_X) < 0.05 and 0.0 < behind < 0.06
    to_go = DRAWER_TRAVEL - drawer
    if not hooked or to_go < 0.03 or drawer < 0.1:
        return ()
    yaw, pitch = angles(state)
    return (Waypoint((x, y - to_go, z), Grip.CLOSED, yaw, pitch, speed=0.8, tolerance=0.02, patience=20),)


def _put_aside(state: SimulatorState) -> Waypoints:
    """Put down a block that is held in the air over the table."""
    held = gripped_block(state)
    if held is None or state.gripper_command > 0 or held.position[2] < IN_THE_AIR or held.place is not Place.TABLE:
        return ()
    return put_down(tcp(state), angles(state)[0], _beside(state, held))


def _beside(state: SimulatorState, held: Block) -> tuple[float, float]:
    """The nearest place, x and y, where a held block can be put down beside what is below it."""
    x, y, _ = held.position
    below = [block for block in blocks(state).values() if block.name != held.name and block.place is Place.TABLE]
    room = held.extent(0.0) + 0.02
    spots = ((x, y), (x + _ASIDE, y), (x - _ASIDE, y))
    return next((spot for spot in spots if all(b.distance(*spot) > room for b in below)), spots[0])


def _rise(state: SimulatorState) -> Waypoints:
    """Let go, come out of where the gripper is, rise and set it upright."""
    x, y, z = tcp(state)
    yaw, pitch = angles(state)
    grip = Grip.OPEN if state.gripper_command > 0 else Grip.CLOSED
    way: list[Waypoint] = []
    if grip is Grip.CLOSED and gripped_block(state):
        grip = Grip.OPEN
        way.append(Waypoint((x, y, z), grip, yaw, pitch, patience=1, hold=OPENING))
    if y > _BEHIND_FRONT:
        y, z = FRONT_Y, max(z, 0.50)
        way.append(Waypoint((x, y, z), grip, yaw, pitch, speed=0.7, tolerance=VIA, patience=30))
    if z < CLEAR_Z - VIA:
        way.append(Waypoint((x, y, CLEAR_Z), grip, yaw, pitch, tolerance=VIA, patience=40))
    if abs(pitch) > _UPRIGHT:
        way.append(Waypoint((x, y, max(z, CLEAR_Z) + 0.04), grip, yaw, tolerance=VIA, patience=40))
    return tuple(way)
