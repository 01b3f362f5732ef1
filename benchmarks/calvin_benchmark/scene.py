"""What a CALVIN world consists of, as data: robot, table, blocks, fixtures and cameras.

Every number comes from `data/scenes.json`; a scene there overrides the defaults of the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from seer_bench.errors import UnknownNameError

Vector3 = tuple[float, float, float]
"""Metres along x, y, z of the world, or radians about them (fixed axes: roll, pitch, yaw)."""

Colour = tuple[float, float, float, float]
"""Red, green, blue, alpha in [0, 1]."""


@dataclass(frozen=True)
class BlockSpec:
    """One movable block."""

    name: str
    """`block_red`, `block_blue` or `block_pink`."""
    urdf: str
    half_extents: Vector3
    """Half the edge lengths of the block as simulated (the scene's scaling applied), metres."""


@dataclass(frozen=True)
class Surface:
    """A box of positions from which the centre of a block may be drawn."""

    name: str
    low: Vector3
    high: Vector3


@dataclass(frozen=True)
class LinkBox:
    """An axis-aligned box, in the frame of a robot link, that holds all that is drawn of the link."""

    link: int
    low: Vector3
    high: Vector3


@dataclass(frozen=True)
class RobotSpec:
    """The arm: where it stands, which joint is which, how its motors are driven."""

    base_position: Vector3
    base_euler: Vector3
    pedestal_radius: float
    """The white cylinder under the base is visual only; its length is the height of the base."""
    pedestal_setback: float
    """How far behind the base the cylinder's axis stands, metres."""
    rest_joints: tuple[float, ...]
    """(7,) radians: the pose after a random reset, and the null-space target of inverse kinematics."""
    arm_joints: tuple[int, ...]
    arm_lower: tuple[float, ...]
    """(7,) radians: solutions of inverse kinematics are clipped to [arm_lower, arm_upper]."""
    arm_upper: tuple[float, ...]
    arm_force: float
    """Newton metres."""
    arm_max_velocity: float
    """Radians per second."""
    null_space_bound: float
    """Inverse kinematics takes every joint as limited to [-bound, bound] with a range of bound."""
    finger_joints: tuple[int, int]
    finger_closed: float
    """Joint position of one finger, metres."""
    finger_open: float
    finger_max_velocity: float
    """Metres per second."""
    close_force: float
    """Newton; far stronger than the opening force."""
    open_force: float
    gear_ratio: float
    """The gear constraint that keeps the fingers symmetric."""
    gear_erp: float
    gear_force: float
    tcp_link: int
    """Link whose pose is observed and commanded (tool centre point)."""
    visual_boxes: tuple[LinkBox, ...]
    """Links that need not be drawn while their box is out of the picture; may be empty."""
    metres_per_unit: float
    """Scale of a relative action's translation."""
    radians_per_unit: float
    """Scale of a relative action's rotation."""


@dataclass(frozen=True)
class FixtureSpec:
    """Moving and glowing parts of the table, by their URDF names."""

    slide_joint: str
    drawer_joint: str
    button_joint: str
    switch_joint: str
    lightbulb_link: str
    led_link: str
    force: float
    """Newton: friction of doors and switch, spring of the button."""
    lightbulb_on: Colour
    led_on: Colour
    light_off: Colour


@dataclass(frozen=True)
class CameraSpec:
    """A pinhole camera, fixed in the world (eye, target, up) or carried by a robot link."""

    size: tuple[int, int]
    """Width, height in pixels."""
    fov: float
    """Vertical opening angle, degrees."""
    near: float
    """Metres, as is far."""
    far: float
    eye: Vector3 | None = None
    """None: the camera sits on `link`."""
    target: Vector3 | None = None
    up: Vector3 | None = None
    link: str | None = None
    """Looks along the link's +y axis with -z up; None: the camera is fixed in the world."""


@dataclass(frozen=True)
class Scene:
    """Everything that `World` needs to build a scene; paths are relative to the assets folder."""

    name: str
    robot_urdf: str
    table_urdf: str
    plane_urdf: str
    global_scaling: float
    """Scaling of table and blocks; robot and plane are not scaled."""
    steps_per_second: int
    control_frequency: int
    """Actions per second."""
    gravity: Vector3
    robot: RobotSpec
    fixtures: FixtureSpec
    cameras: dict[str, CameraSpec]
    blocks: tuple[BlockSpec, ...]
    """In loading order, which is also their order in scene observations (A, C: not red, blue, pink)."""
    surfaces: tuple[Surface, ...]
    """Where blocks are placed at loading and by a random reset; the order is part of the random draw."""
    embedded: bool = False
    """True: the scene's files ship with this package; False: they are among the official assets."""

    @property
    def substeps(self) -> int:
        """Physics steps per action."""
        return self.steps_per_second // self.control_frequency

    @property
    def asset_files(self) -> tuple[str, ...]:
        """The URDF files of the scene, in loading order; they name meshes and textures beside them."""
        return (self.robot_urdf, *(block.urdf for block in self.blocks), self.table_urdf, self.plane_urdf)


def scene_names() -> tuple[str, ...]:
    """Names that `load_scene` knows."""
    return tuple(_scene_file()["scenes"])


@cache
def load_scene(name: str) -> Scene:
    """Return the scene called `name`; raises UnknownNameError for a name that is not in the data file."""
    data = _scene_file()
    if name not in data["scenes"]:
        raise UnknownNameError("CALVIN scene", name, data["scenes"])
    tree = _overlay(data["defaults"], data["scenes"][name])
    boxes = tuple(_build(LinkBox, box) for box in tree["robot"]["visual_boxes"])
    tree["robot"] = _build(RobotSpec, {**tree["robot"], "visual_boxes": boxes})
    tree["fixtures"] = _build(FixtureSpec, tree["fixtures"])
    tree["cameras"] = {key: _build(CameraSpec, camera) for key, camera in tree["cameras"].items()}
    tree["blocks"] = tuple(_build(BlockSpec, block) for block in tree["blocks"])
    tree["surfaces"] = tuple(_build(Surface, surface) for surface in tree["surfaces"])
    return _build(Scene, {"name": name, **tree})


@lru_cache(maxsize=1)
def _scene_file() -> dict[str, Any]:
    text = files(__package__).joinpath("data/scenes.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Merge two trees; `top` wins, dictionaries are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


T = TypeVar("T")


def _build(kind: type[T], tree: dict[str, Any]) -> T:
    """Make a dataclass of a JSON object: no field may be unknown, lists become tuples."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # T is always a dataclass here
    if unknown := set(tree) - known:
        raise ValueError(f"data/scenes.json: {kind.__name__} has no field {sorted(unknown)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in tree.items()})
