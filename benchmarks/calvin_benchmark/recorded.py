"""Snapshots from recordings of upstream (the arrays of an `oracle_truth` record)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from .snapshot import BLOCKS, ROBOT, TABLE, BlockState, Snapshot, Touch

BODIES = (ROBOT, "pedestal", *BLOCKS, TABLE, "plane")
"""Bodies of scene D by unique id, in the recordings."""

TABLE_LINKS = (
    "button_link",
    "switch_link",
    "slide_link",
    "drawer_link",
    "led_link",
    "light_link",
    "plank_link",
    "base_link",
)
"""Links of the table by index; index -1 is the base."""

_OWNERS = (ROBOT, *BLOCKS, TABLE)


def recorded_snapshots(arrays: Mapping[str, NDArray[Any]]) -> list[Snapshot]:
    """Rebuild every snapshot of a record.

    Args:
        arrays: block_pos, block_quat, block_lin_vel, block_ang_vel (S, 3, .), doors, button, switch, lights
            (S, 2), contact_offsets (S + 1,) and contact_ids (C, 5): owner, bodyA, bodyB, linkA, linkB.
    """
    data = {name: arrays[name] for name in _FIELDS}  # an npz file would decompress at every access
    return [_snapshot(data, i) for i in range(len(data["doors"]))]


_FIELDS = (
    "block_pos",
    "block_quat",
    "block_lin_vel",
    "block_ang_vel",
    "doors",
    "button",
    "switch",
    "lights",
    "contact_offsets",
    "contact_ids",
)


def _snapshot(data: Mapping[str, NDArray[Any]], i: int) -> Snapshot:
    touches: dict[str, set[Touch]] = {owner: set() for owner in _OWNERS}
    first, last = data["contact_offsets"][i : i + 2]
    for owner, _, body, _, link in data["contact_ids"][first:last].tolist():
        touches[_OWNERS[owner]].add(_touch(body, link))
    blocks = {
        name: BlockState(
            tuple(data["block_pos"][i, k].tolist()),
            tuple(data["block_quat"][i, k].tolist()),
            tuple(data["block_lin_vel"][i, k].tolist()),
            tuple(data["block_ang_vel"][i, k].tolist()),
            frozenset(touches[name]),
        )
        for k, name in enumerate(BLOCKS)
    }
    (slide, drawer), (button, button_on), (switch, switch_on), (lightbulb, led) = (
        data[name][i].tolist() for name in ("doors", "button", "switch", "lights")
    )
    return Snapshot(
        blocks=blocks,
        robot_touches=frozenset(touches[ROBOT]),
        slide=slide,
        drawer=drawer,
        button=button,
        switch=switch,
        button_on=bool(button_on),
        switch_on=bool(switch_on),
        lightbulb=bool(lightbulb),
        led=bool(led),
    )


def _touch(body: int, link: int) -> Touch:
    """Name a contact; links of other bodies than the table are told apart by number alone."""
    name = BODIES[body]
    if name == TABLE:
        return Touch(name, TABLE_LINKS[link])
    return Touch(name, "base_link" if link == -1 else f"link_{link}")
