"""One CALVIN world: bodies, physics and observations in a physics client of its own.

Equal to calvin_env bit for bit on the same processor: the same bodies are loaded in the same order at the
same poses and driven by the same engine calls. Every call names its client, so several worlds can live in
one process.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import UsageError

from .actions import Action, Variant, parse_action
from .bodies import Bodies
from .cameras import Camera, Image
from .culling import LinkCulling
from .engine import p
from .renderer import Renderer, connect, disconnect, warm_up
from .scene import Scene
from .snapshot import Snapshot

__all__ = ["Renderer", "Variant", "World"]


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
        self._bodies = Bodies(self.scene, self._assets, self.variant, self.seed, self._client)
        robot, boxes = self._bodies.robot, self.scene.robot.visual_boxes
        culling = LinkCulling(robot.uid, boxes, self._client) if self.renderer == "tiny" else None
        self._cameras = {name: Camera(spec, robot, self._client, culling) for name, spec in self.scene.cameras.items()}
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
        scene_state = _vector(scene_obs, 6 + 6 * len(self._bodies.blocks), "scene_obs")
        slide, drawer, button, switch, lightbulb, led = scene_state[:6].tolist()
        if lightbulb not in (0, 1) or led not in (0, 1):
            raise UsageError(f"scene_obs: lights must be 0 or 1, got lightbulb={lightbulb}, led={led}")
        self._bodies.slide.reset(slide)
        self._bodies.drawer.reset(drawer)
        self._bodies.lightbulb.turn(lightbulb == 1)
        self._bodies.led.turn(led == 1)
        self._bodies.button.reset(button)
        self._bodies.switch.reset(switch)
        for uid, pose in zip(self._bodies.blocks.values(), scene_state[6:].reshape(-1, 6), strict=True):
            self._bodies.place(uid, pose[:3], p.getQuaternionFromEuler(pose[3:]))
        self._bodies.robot.reset(robot_state[7:14], robot_state[6] / 2)
        p.stepSimulation(physicsClientId=self._client)

    def reset_random(self) -> None:
        """Close doors, put lights out, scatter the blocks without contact among them, arm to its rest pose.

        Poses continue the world's random stream. Raises SimulationError if no free placement is found.
        """
        for joint in (self._bodies.slide, self._bodies.drawer, self._bodies.button, self._bodies.switch):
            joint.reset(0.0)
        self._bodies.lightbulb.turn(False)
        self._bodies.led.turn(False)
        self._bodies.scatter_blocks()
        self._bodies.robot.reset_to_rest()
        p.stepSimulation(physicsClientId=self._client)

    def step(self, action: Action) -> None:
        """Apply one action and simulate 1/30 s.

        Accepts a (7,) float array of relative motion, a tuple (position, orientation, gripper), or a
        dictionary; see `calvin_benchmark.actions`. The action is neither changed nor kept.

        Raises:
            InvalidActionError: the action is malformed; the world is unchanged.
        """
        self._bodies.robot.apply(parse_action(action, self.variant))
        for _ in range(self.scene.substeps):
            p.stepSimulation(physicsClientId=self._client)
        self._bodies.button.step()
        self._bodies.switch.step()

    def robot_obs(self) -> NDArray[np.float64]:
        """(15,): tcp xyz [m], tcp Euler [rad], gripper width [m], 7 arm joints [rad], last gripper command."""
        return self._bodies.robot.observation()

    def scene_obs(self) -> NDArray[np.float64]:
        """(24,): slide, drawer, button, switch [m], lightbulb, led [0 or 1], then xyz and Euler of each block.

        Blocks come in the scene's loading order (scene D: red, blue, pink).
        """
        values = [
            self._bodies.slide.position,
            self._bodies.drawer.position,
            self._bodies.button.position,
            self._bodies.switch.position,
        ]
        values += [float(self._bodies.lightbulb.is_on), float(self._bodies.led.is_on)]
        for uid in self._bodies.blocks.values():
            position, quaternion = self._bodies.pose(uid)
            values += [*position, *p.getEulerFromQuaternion(quaternion)]
        return np.array(values)

    def snapshot(self) -> Snapshot:
        """Everything the task checks look at, now."""
        touches = self._bodies.touches()
        return Snapshot(
            blocks={name: self._bodies.block_state(uid, touches[uid]) for name, uid in self._bodies.blocks.items()},
            robot_touches=touches[self._bodies.robot.uid],
            slide=self._bodies.slide.position,
            drawer=self._bodies.drawer.position,
            button=self._bodies.button.position,
            switch=self._bodies.switch.position,
            button_on=self._bodies.button.is_on,
            switch_on=self._bodies.switch.is_on,
            lightbulb=self._bodies.lightbulb.is_on,
            led=self._bodies.led.is_on,
        )

    @property
    def ik_joints(self) -> NDArray[np.float64]:
        """(7,) radians: joint positions that the last action sent to the arm's motors."""
        return self._bodies.robot.joint_targets.copy()

    @property
    def target_position(self) -> NDArray[np.float64]:
        """(3,) metres: the pose that relative actions add to; absolute and joint actions leave it alone."""
        return self._bodies.robot.target_position.copy()

    @property
    def target_euler(self) -> NDArray[np.float64]:
        """(3,) radians: orientation of the pose that relative actions add to."""
        return self._bodies.robot.target_euler.copy()

    def joint_velocities(self) -> NDArray[np.float64]:
        """(9,): 7 arm joints [rad/s], 2 fingers [m/s]."""
        return self._bodies.robot.joint_velocities()

    def block_velocities(self) -> NDArray[np.float64]:
        """(blocks, 6): linear [m/s] and angular [rad/s] velocity of each block, in loading order."""
        return np.array([np.concatenate(self._bodies.velocity(uid)) for uid in self._bodies.blocks.values()])

    def contact_counts(self) -> tuple[int, ...]:
        """Number of contact points of the robot, each block in loading order, and the table."""
        bodies = (self._bodies.robot.uid, *self._bodies.blocks.values(), self._bodies.table)
        return tuple(len(p.getContactPoints(bodyA=uid, physicsClientId=self._client)) for uid in bodies)

    def load_poses(self) -> NDArray[np.float64]:
        """(blocks, 7): position and quaternion at which each block was loaded."""
        return self._bodies.load_poses.copy()

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

    def __reduce__(self) -> NoReturn:
        """Refuse copying and pickling: a copy would drive the same physics client."""
        raise UsageError(
            "a CALVIN world can be neither copied nor pickled, because a copy would share its physics client; "
            "make a new environment instead, e.g. gymnasium.make(env.spec)"
        )


def _vector(value: ArrayLike, length: int, what: str) -> NDArray[np.float64]:
    vector = np.array(value, dtype=np.float64)
    if vector.shape != (length,):
        raise UsageError(f"{what}: shape must be ({length},), got {vector.shape}")
    if not np.isfinite(vector).all():
        raise UsageError(f"{what}: every value must be finite, got {vector.tolist()}")
    return vector
