"""One CALVIN world: bodies, physics and observations in a physics client of its own.

Equal to calvin_env bit for bit on the same processor: the same bodies are loaded in the same order at the
same poses and driven by the same engine calls. Every call names its client, so several worlds can live in
one process.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pybullet as p
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import AssetError, SimulationError, UsageError

from .actions import Action, Variant, parse_action
from .cameras import Camera, Image
from .culling import LinkCulling
from .fixtures import Button, Door, Light, Switch
from .renderer import Renderer, connect, disconnect, warm_up
from .robot import Robot
from .scene import Scene
from .snapshot import ROBOT, TABLE, BlockState, Snapshot, Touch

__all__ = ["Renderer", "Variant", "World"]

_PLACEMENT_TRIES = 1000


class World:
    """A scene with a robot that can be reset, stepped, observed and photographed.

    Args:
        scene: what to build, from `load_scene`.
        assets: folder that the scene's paths are relative to.
        variant: which version of calvin_env to follow; differs in the button's reset and the action forms.
        renderer: `tiny` (software, no GL needed), `egl` (OpenGL without a display) or `none`.
        seed: of the poses at which blocks are loaded and randomly placed; benchmark protocols use 0.
        warm_up: discard the first two OpenGL pictures, whose lighting differs from that of all later ones;
            False keeps them, to compare with a recording that begins with them.

    Raises:
        AssetError: a file of the scene is missing.
        SimulationError: the engine or the renderer could not be started.
    """

    def __init__(
        self,
        scene: Scene,
        assets: Path,
        *,
        variant: Variant = "main",
        renderer: Renderer = "tiny",
        seed: int = 0,
        warm_up: bool = True,
    ) -> None:
        self.scene = scene
        self._warm_up = warm_up
        self.variant: Variant = variant
        self.renderer: Renderer = renderer
        self.seed = seed
        self._assets = assets
        self._client = -1
        self._release: Callable[[], object] | None = None
        self.rebuild()

    def rebuild(self) -> None:
        """Start afresh, in a state that cannot depend on what ran before."""
        self.close()
        self._client = connect(self.renderer, self.scene)
        self._release = weakref.finalize(self, disconnect, self._client)
        self._build()
        if self.renderer == "egl" and self._warm_up:
            warm_up(self._client)

    def reset(self, robot_obs: ArrayLike, scene_obs: ArrayLike) -> None:
        """Put robot and scene into a recorded state and let one physics step pass.

        Args:
            robot_obs: (15,) as returned by `robot_obs`; only gripper width and arm joints are used.
            scene_obs: (24,) as returned by `scene_obs`.

        The last gripper command and the engine's caches survive: call `rebuild` first where the result must
        not depend on the past.

        Raises:
            UsageError: a wrong shape, a value that is not finite, a light that is neither 0 nor 1.
        """
        robot_state = _vector(robot_obs, 15, "robot_obs")
        scene_state = _vector(scene_obs, 6 + 6 * len(self._blocks), "scene_obs")
        slide, drawer, button, switch, lightbulb, led = scene_state[:6].tolist()
        if lightbulb not in (0, 1) or led not in (0, 1):
            raise UsageError(f"scene_obs: lights must be 0 or 1, got lightbulb={lightbulb}, led={led}")
        self._slide.reset(slide)
        self._drawer.reset(drawer)
        self._lightbulb.turn(lightbulb == 1)
        self._led.turn(led == 1)
        self._button.reset(button)
        self._switch.reset(switch)
        for uid, pose in zip(self._blocks.values(), scene_state[6:].reshape(-1, 6), strict=True):
            self._place(uid, pose[:3], p.getQuaternionFromEuler(pose[3:]))
        self._robot.reset(robot_state[7:14], robot_state[6] / 2)
        p.stepSimulation(physicsClientId=self._client)

    def reset_random(self) -> None:
        """Close doors, put lights out, scatter the blocks without contact among them, arm to its rest pose.

        Poses continue the world's random stream. Raises SimulationError if no free placement is found.
        """
        for joint in (self._slide, self._drawer, self._button, self._switch):
            joint.reset(0.0)
        self._lightbulb.turn(False)
        self._led.turn(False)
        self._scatter_blocks()
        self._robot.reset_to_rest()
        p.stepSimulation(physicsClientId=self._client)

    def step(self, action: Action) -> None:
        """Apply one action and simulate 1/30 s.

        Accepts a (7,) float array of relative motion, a tuple (position, orientation, gripper), or a
        dictionary; see `calvin_benchmark.actions`. The action is neither changed nor kept.

        Raises:
            InvalidActionError: the action is malformed; the world is unchanged.
        """
        self._robot.apply(parse_action(action, self.variant))
        for _ in range(self.scene.substeps):
            p.stepSimulation(physicsClientId=self._client)
        self._button.step()
        self._switch.step()

    def robot_obs(self) -> NDArray[np.float64]:
        """(15,): tcp xyz [m], tcp Euler [rad], gripper width [m], 7 arm joints [rad], last gripper command."""
        return self._robot.observation()

    def scene_obs(self) -> NDArray[np.float64]:
        """(24,): slide, drawer, button, switch [m], lightbulb, led [0 or 1], then xyz and Euler of each block.

        Blocks come in the scene's loading order (scene D: red, blue, pink).
        """
        values = [self._slide.position, self._drawer.position, self._button.position, self._switch.position]
        values += [float(self._lightbulb.is_on), float(self._led.is_on)]
        for uid in self._blocks.values():
            position, quaternion = self._pose(uid)
            values += [*position, *p.getEulerFromQuaternion(quaternion)]
        return np.array(values)

    def snapshot(self) -> Snapshot:
        """Everything the task checks look at, now."""
        touches = self._touches()
        return Snapshot(
            blocks={name: self._block_state(uid, touches[uid]) for name, uid in self._blocks.items()},
            robot_touches=touches[self._robot.uid],
            slide=self._slide.position,
            drawer=self._drawer.position,
            button=self._button.position,
            switch=self._switch.position,
            button_on=self._button.is_on,
            switch_on=self._switch.is_on,
            lightbulb=self._lightbulb.is_on,
            led=self._led.is_on,
        )

    @property
    def ik_joints(self) -> NDArray[np.float64]:
        """(7,) radians: joint positions that the last action sent to the arm's motors."""
        return self._robot.joint_targets.copy()

    @property
    def target_position(self) -> NDArray[np.float64]:
        """(3,) metres: the pose that relative actions add to; absolute and joint actions leave it alone."""
        return self._robot.target_position.copy()

    @property
    def target_euler(self) -> NDArray[np.float64]:
        """(3,) radians: orientation of the pose that relative actions add to."""
        return self._robot.target_euler.copy()

    def joint_velocities(self) -> NDArray[np.float64]:
        """(9,): 7 arm joints [rad/s], 2 fingers [m/s]."""
        return self._robot.joint_velocities()

    def block_velocities(self) -> NDArray[np.float64]:
        """(blocks, 6): linear [m/s] and angular [rad/s] velocity of each block, in loading order."""
        return np.array([np.concatenate(self._velocity(uid)) for uid in self._blocks.values()])

    def contact_counts(self) -> tuple[int, ...]:
        """Number of contact points of the robot, each block in loading order, and the table."""
        bodies = (self._robot.uid, *self._blocks.values(), self._table)
        return tuple(len(p.getContactPoints(bodyA=uid, physicsClientId=self._client)) for uid in bodies)

    def load_poses(self) -> NDArray[np.float64]:
        """(blocks, 7): position and quaternion at which each block was loaded."""
        return self._load_poses.copy()

    def render(self, camera: str, *, size: tuple[int, int] | None = None, depth: bool = True) -> Image:
        """Take a picture with the camera called `camera` (`static` or `gripper`).

        Args:
            camera: a key of `scene.cameras`.
            size: width, height in pixels; None means the camera's own.
            depth: whether to fill in `Image.depth`.

        Raises:
            UsageError: no such camera, or the world has no renderer.
        """
        if self.renderer == "none":
            raise UsageError("this world renders nothing; make it with renderer='tiny' or 'egl'")
        if camera not in self._cameras:
            raise UsageError(f"unknown camera {camera!r}; this scene has: {', '.join(self._cameras)}")
        return self._cameras[camera].shoot(size, depth=depth)

    def close(self) -> None:
        """Free the physics client; closing twice is fine, and so is leaving it to the garbage collector."""
        if self._release is not None:
            self._release()
        self._client = -1

    def _build(self) -> None:
        """Load everything; the order of calls decides unique ids and the last bits of the physics."""
        client, scene = self._client, self.scene
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed)))
        p.resetSimulation(physicsClientId=client)
        p.setTimeStep(1.0 / scene.steps_per_second, physicsClientId=client)
        p.setGravity(*scene.gravity, physicsClientId=client)
        self._robot = Robot(scene.robot, self._path(scene.robot_urdf), client)
        self._load_blocks()
        self._load_table()
        self._plane = p.loadURDF(self._path(scene.plane_urdf), physicsClientId=client)
        self._touch_names = self._name_links()
        tiny = self.renderer == "tiny"
        culling = LinkCulling(self._robot.uid, scene.robot.visual_boxes, client) if tiny else None
        self._cameras = {name: Camera(spec, self._robot, client, culling) for name, spec in scene.cameras.items()}

    def _load_blocks(self) -> None:
        self._blocks: dict[str, int] = {}
        for block in self.scene.blocks:
            self._blocks[block.name] = self._load_scaled(block.urdf, *self._draw_pose())
        self._load_poses = np.array([np.concatenate(self._pose(uid)) for uid in self._blocks.values()])

    def _load_table(self) -> None:
        spec, client = self.scene.fixtures, self._client
        table = self._load_scaled(self.scene.table_urdf, (0, 0, 0), (0, 0, 0, 1))
        self._table = table
        joints, links = {}, {}
        for index in range(p.getNumJoints(table, physicsClientId=client)):
            info = p.getJointInfo(table, index, physicsClientId=client)
            joints[info[1].decode()], links[info[12].decode()] = index, index
        self._slide = Door(table, joints[spec.slide_joint], spec.force, client)
        self._drawer = Door(table, joints[spec.drawer_joint], spec.force, client)
        self._lightbulb = Light(table, links[spec.lightbulb_link], spec.lightbulb_on, spec.light_off, client)
        self._led = Light(table, links[spec.led_link], spec.led_on, spec.light_off, client)
        self._button = Button(table, joints[spec.button_joint], spec.force, self._led, self.variant, client)
        self._switch = Switch(table, joints[spec.switch_joint], spec.force, self._lightbulb, client)

    def _load_scaled(self, urdf: str, position: ArrayLike, quaternion: ArrayLike) -> int:
        uid: int = p.loadURDF(
            self._path(urdf),
            position,
            quaternion,
            globalScaling=self.scene.global_scaling,
            physicsClientId=self._client,
        )
        return uid

    def _path(self, relative: str) -> str:
        path = self._assets / relative
        if not path.is_file():
            raise AssetError(f"scene {self.scene.name} needs {path}, which does not exist")
        return str(path)

    def _name_links(self) -> dict[tuple[int, int], Touch]:
        """Name every (body, link) pair that a contact point can mention."""
        names = {self._robot.uid: ROBOT, self._robot.pedestal_uid: "pedestal", self._table: TABLE}
        names |= {uid: name for name, uid in self._blocks.items()} | {self._plane: "plane"}
        touches = {}
        for uid, name in names.items():
            touches[uid, -1] = Touch(name, "base_link")
            for index in range(p.getNumJoints(uid, physicsClientId=self._client)):
                link = p.getJointInfo(uid, index, physicsClientId=self._client)[12].decode()
                touches[uid, index] = Touch(name, link)
        return touches

    def _touches(self) -> dict[int, frozenset[Touch]]:
        """What the robot and each block touch, by unique id."""
        found: dict[int, set[Touch]] = {uid: set() for uid in (self._robot.uid, *self._blocks.values())}
        for contact in p.getContactPoints(physicsClientId=self._client):
            first, second, first_link, second_link = contact[1:5]
            if first in found:
                found[first].add(self._touch_names[second, second_link])
            if second in found and second != first:
                found[second].add(self._touch_names[first, first_link])
        return {uid: frozenset(touches) for uid, touches in found.items()}

    def _block_state(self, uid: int, touches: frozenset[Touch]) -> BlockState:
        return BlockState(*self._pose(uid), *self._velocity(uid), touches)

    def _pose(self, uid: int) -> tuple[Any, Any]:
        position, quaternion = p.getBasePositionAndOrientation(uid, physicsClientId=self._client)
        return position, quaternion

    def _velocity(self, uid: int) -> tuple[Any, Any]:
        linear, angular = p.getBaseVelocity(uid, physicsClientId=self._client)
        return linear, angular

    def _place(self, uid: int, position: ArrayLike, quaternion: ArrayLike) -> None:
        p.resetBasePositionAndOrientation(uid, position, quaternion, physicsClientId=self._client)

    def _draw_pose(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw position and quaternion of a block: any surface, any yaw."""
        surface = self.scene.surfaces[self._rng.choice(len(self.scene.surfaces))]
        position = self._rng.uniform(surface.low, surface.high)
        euler = self._rng.uniform([0, 0, -np.pi], [0, 0, np.pi])
        return position, np.array(p.getQuaternionFromEuler(euler))

    def _scatter_blocks(self) -> None:
        uids = list(self._blocks.values())
        for _ in range(_PLACEMENT_TRIES):
            for uid in uids:
                self._place(uid, *self._draw_pose())
            p.stepSimulation(physicsClientId=self._client)
            pairs = itertools.combinations(uids, 2)
            if not any(p.getContactPoints(a, b, physicsClientId=self._client) for a, b in pairs):
                return
        raise SimulationError(
            f"scene {self.scene.name}: no placement of the blocks without contact in {_PLACEMENT_TRIES} tries"
        )


def _vector(value: ArrayLike, length: int, what: str) -> NDArray[np.float64]:
    vector = np.array(value, dtype=np.float64)
    if vector.shape != (length,):
        raise UsageError(f"{what}: shape must be ({length},), got {vector.shape}")
    if not np.isfinite(vector).all():
        raise UsageError(f"{what}: every value must be finite, got {vector.tolist()}")
    return vector
