"""What stands in a world: robot, blocks, table and plane, loaded into a physics client."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import AssetError, SimulationError

from .actions import Variant
from .engine import p
from .fixtures import Button, Door, Light, Switch
from .robot import Robot
from .scene import Scene
from .snapshot import ROBOT, TABLE, BlockState, Touch

_PLACEMENT_TRIES = 1000


class Bodies:
    """The bodies of one physics client; loading them empties it first.

    The order of calls decides unique ids and the last bits of the physics.

    Args:
        scene: what to load.
        assets: folder that the scene's paths are relative to.
        variant: which version of calvin_env the button follows.
        seed: of the poses at which blocks are loaded and randomly placed.
        client: the physics client.

    Raises:
        AssetError: a file of the scene is missing.
    """

    def __init__(self, scene: Scene, assets: Path, variant: Variant, seed: int, client: int) -> None:
        self._scene = scene
        self._assets = assets
        self._client = client
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        p.resetSimulation(physicsClientId=client)
        p.setTimeStep(1.0 / scene.steps_per_second, physicsClientId=client)
        p.setGravity(*scene.gravity, physicsClientId=client)
        self.robot = Robot(scene.robot, self._path(scene.robot_urdf), client)
        self._load_blocks()
        self._load_table(variant)
        self._plane = p.loadURDF(self._path(scene.plane_urdf), physicsClientId=client)
        self._touch_names = self._name_links()

    def touches(self) -> dict[int, frozenset[Touch]]:
        """What the robot and each block touch, by unique id."""
        found: dict[int, set[Touch]] = {uid: set() for uid in (self.robot.uid, *self.blocks.values())}
        for contact in p.getContactPoints(physicsClientId=self._client):
            first, second, first_link, second_link = contact[1:5]
            if first in found:
                found[first].add(self._touch_names[second, second_link])
            if second in found and second != first:
                found[second].add(self._touch_names[first, first_link])
        return {uid: frozenset(touches) for uid, touches in found.items()}

    def block_state(self, uid: int, touches: frozenset[Touch]) -> BlockState:
        """Pose, velocity and contacts of a block."""
        return BlockState(*self.pose(uid), *self.velocity(uid), touches)

    def pose(self, uid: int) -> tuple[Any, Any]:
        """Position [m] and quaternion (x, y, z, w) of a body."""
        position, quaternion = p.getBasePositionAndOrientation(uid, physicsClientId=self._client)
        return position, quaternion

    def velocity(self, uid: int) -> tuple[Any, Any]:
        """Linear [m/s] and angular [rad/s] velocity of a body."""
        linear, angular = p.getBaseVelocity(uid, physicsClientId=self._client)
        return linear, angular

    def place(self, uid: int, position: ArrayLike, quaternion: ArrayLike) -> None:
        """Put a body at a pose."""
        p.resetBasePositionAndOrientation(uid, position, quaternion, physicsClientId=self._client)

    def scatter_blocks(self) -> None:
        """Draw poses until no two blocks touch; raises SimulationError if that does not happen."""
        uids = list(self.blocks.values())
        for _ in range(_PLACEMENT_TRIES):
            for uid in uids:
                self.place(uid, *self._draw_pose())
            p.stepSimulation(physicsClientId=self._client)
            pairs = itertools.combinations(uids, 2)
            if not any(p.getContactPoints(a, b, physicsClientId=self._client) for a, b in pairs):
                return
        raise SimulationError(
            f"scene {self._scene.name}: no placement of the blocks without contact in {_PLACEMENT_TRIES} tries"
        )

    def _load_blocks(self) -> None:
        self.blocks: dict[str, int] = {}
        for block in self._scene.blocks:
            self.blocks[block.name] = self._load_scaled(block.urdf, *self._draw_pose())
        self.load_poses = np.array([np.concatenate(self.pose(uid)) for uid in self.blocks.values()])

    def _load_table(self, variant: Variant) -> None:
        spec, client = self._scene.fixtures, self._client
        table = self._load_scaled(self._scene.table_urdf, (0, 0, 0), (0, 0, 0, 1))
        self.table = table
        joints, links = {}, {}
        for index in range(p.getNumJoints(table, physicsClientId=client)):
            info = p.getJointInfo(table, index, physicsClientId=client)
            joints[info[1].decode()], links[info[12].decode()] = index, index
        self.slide = Door(table, joints[spec.slide_joint], spec.force, client)
        self.drawer = Door(table, joints[spec.drawer_joint], spec.force, client)
        self.lightbulb = Light(table, links[spec.lightbulb_link], spec.lightbulb_on, spec.light_off, client)
        self.led = Light(table, links[spec.led_link], spec.led_on, spec.light_off, client)
        self.button = Button(table, joints[spec.button_joint], spec.force, self.led, variant, client)
        self.switch = Switch(table, joints[spec.switch_joint], spec.force, self.lightbulb, client)

    def _load_scaled(self, urdf: str, position: ArrayLike, quaternion: ArrayLike) -> int:
        uid: int = p.loadURDF(
            self._path(urdf),
            position,
            quaternion,
            globalScaling=self._scene.global_scaling,
            physicsClientId=self._client,
        )
        return uid

    def _path(self, relative: str) -> str:
        path = self._assets / relative
        if not path.is_file():
            raise AssetError(f"scene {self._scene.name} needs {path}, which does not exist")
        return str(path)

    def _name_links(self) -> dict[tuple[int, int], Touch]:
        """Name every (body, link) pair that a contact point can mention."""
        names = {self.robot.uid: ROBOT, self.robot.pedestal_uid: "pedestal", self.table: TABLE}
        names |= {uid: name for name, uid in self.blocks.items()} | {self._plane: "plane"}
        touches = {}
        for uid, name in names.items():
            touches[uid, -1] = Touch(name, "base_link")
            for index in range(p.getNumJoints(uid, physicsClientId=self._client)):
                link = p.getJointInfo(uid, index, physicsClientId=self._client)[12].decode()
                touches[uid, index] = Touch(name, link)
        return touches

    def _draw_pose(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw position and quaternion of a block: any surface, any yaw."""
        surface = self._scene.surfaces[self._rng.choice(len(self._scene.surfaces))]
        position = self._rng.uniform(surface.low, surface.high)
        euler = self._rng.uniform([0, 0, -np.pi], [0, 0, np.pi])
        return position, np.array(p.getQuaternionFromEuler(euler))
