"""The user's installed calvin_env as a backend: the same protocols on the original simulator.

Code, configuration and scene files are all those of upstream's checkout; nothing of our scene data reaches its
simulation, so that agreement with `World` is evidence about both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import UsageError

from .actions import AbsolutePose, Action, Command, RelativeMotion, Variant, parse_action
from .cameras import Image
from .engine import p
from .renderer import Renderer
from .scene import Scene
from .snapshot import ROBOT, BlockState, Snapshot, Touch
from .upstream_package import build_env, find_checkout, free_env, installed_variant, require_variant


class UpstreamWorld:
    """A `Backend` over calvin_env's `PlayTableSimEnv`.

    Its cameras are rendered when asked, not at every step; the tactile camera is left out. Only one can exist in a
    process at a time, because calvin_env leaves the client id out of several engine calls.

    Args:
        scene: its name selects upstream's scene file; "A" to "D".
        variant: which version must be installed.
        renderer: `tiny`, `egl`, or `none` for a world without cameras.
        seed: of the poses at which blocks are loaded.

    Raises:
        MissingUpstreamError: calvin_env or something that it needs is not installed.
        UsageError: calvin_env cannot be imported, was not installed in place, or is not the variant's version; it has
            no such scene; or another simulator of this process is in its way.
        SimulationError: EGL does not work here.
    """

    def __init__(self, scene: Scene, *, variant: Variant = "main", renderer: Renderer = "none", seed: int = 0) -> None:
        self.scene = scene
        self.variant: Variant = variant
        self.renderer: Renderer = renderer
        self.seed = seed
        self._env: Any = None
        self._info: dict[str, Any] = {}
        self._checkout = find_checkout()
        require_variant(variant, installed_variant(self._checkout), self._checkout)
        self.rebuild()

    @property
    def target_position(self) -> NDArray[np.float64]:
        """Accumulated commanded position of the tool centre point (3,), metres, world frame."""
        return np.array(self._env.robot.target_pos)

    @property
    def target_euler(self) -> NDArray[np.float64]:
        """Accumulated commanded orientation (3,), radians, fixed-axis xyz."""
        return np.array(self._env.robot.target_orn)

    @property
    def info(self) -> dict[str, Any]:
        """What upstream's `get_info` told of the current state, as upstream's own task checks take it."""
        return self._info

    def rebuild(self) -> None:
        """Start afresh: a new upstream environment on a new physics client."""
        self.close()
        self._env = build_env(self._checkout, self.scene, self.renderer, self.seed)
        self._cameras = {camera.name: camera for camera in self._env.cameras}
        self._sizes = {name: (camera.width, camera.height) for name, camera in self._cameras.items()}
        self._touch_names = _name_links(self._env)
        # The first pictures under EGL lack shadows; upstream's reset takes them before a policy sees any.
        self._observation, self._info = self._env.get_obs(), self._env.get_info()
        self._env.cameras = []  # from here on a step would render each of them, looked at or not

    def reset(self, robot_obs: ArrayLike, scene_obs: ArrayLike) -> None:
        """Put robot (15,) and scene (24,) into a state."""
        robot, scene = np.array(robot_obs, dtype=np.float64), np.array(scene_obs, dtype=np.float64)
        self._observation, self._info = self._env.reset(robot, scene), self._env.get_info()

    def step(self, action: Action) -> None:
        """One control step at 30 Hz; raises InvalidActionError as `World.step` does, leaving the world unchanged."""
        command = parse_action(action, self.variant)
        self._observation, _, _, self._info = self._env.step(_in_upstreams_form(command))

    def robot_obs(self) -> NDArray[np.float64]:
        """Proprioception (15,), laid out as `World.robot_obs`."""
        return np.array(self._observation["robot_obs"], dtype=np.float64)

    def scene_obs(self) -> NDArray[np.float64]:
        """State of doors, button, switch, lights and blocks (24,)."""
        return np.array(self._observation["scene_obs"], dtype=np.float64)

    def snapshot(self) -> Snapshot:
        """What the task checks look at, from upstream's `get_info`."""
        robot, scene, names = self._info["robot_info"], self._info["scene_info"], self.scene.fixtures
        button, switch = scene["buttons"][names.button_joint], scene["switches"][names.switch_joint]
        return Snapshot(
            blocks={name: self._block_state(block) for name, block in scene["movable_objects"].items()},
            robot_touches=self._touches(robot["contacts"]),
            slide=scene["doors"][names.slide_joint]["current_state"],
            drawer=scene["doors"][names.drawer_joint]["current_state"],
            button=button["joint_state"],
            switch=switch["joint_state"],
            button_on=bool(button["logical_state"]),
            switch_on=bool(switch["logical_state"]),
            lightbulb=bool(scene["lights"]["lightbulb"]["logical_state"]),
            led=bool(scene["lights"]["led"]["logical_state"]),
        )

    def render(self, camera: str, *, size: tuple[int, int] | None = None, depth: bool = True) -> Image:
        """Take a picture of the current state with upstream's camera; `size` is (width, height), which must be equal.

        Raises:
            UsageError: no such camera, no renderer, or a size that is not square, as upstream's cameras are.
        """
        if self.renderer == "none":
            raise UsageError("this world renders nothing; make it with renderer='tiny' or 'egl'")
        if camera not in self._cameras:
            raise UsageError(f"unknown camera {camera!r}; this scene has: {', '.join(self._cameras)}")
        width, height = size or self._sizes[camera]
        if width != height:
            raise UsageError(f"calvin_env's cameras take square pictures; {camera!r} was asked for {width} x {height}")
        source = self._cameras[camera]
        source.width, source.height = width, height
        rgb, metres = source.render()
        return Image(np.ascontiguousarray(rgb, dtype=np.uint8), np.asarray(metres, np.float32) if depth else None)

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        if self._env is not None:
            free_env(self._env)
            self._env = None

    def _block_state(self, info: dict[str, Any]) -> BlockState:
        return BlockState(
            info["current_pos"],
            info["current_orn"],
            info["current_lin_vel"],
            info["current_ang_vel"],
            self._touches(info["contacts"]),
        )

    def _touches(self, contacts: list[tuple[Any, ...]]) -> frozenset[Touch]:
        """Name the other side of contact points."""
        return frozenset(self._touch_names[contact[2], contact[4]] for contact in contacts)


def _name_links(env: Any) -> dict[tuple[int, int], Touch]:
    """Name every (body, link) pair that a contact point can mention, as `World` does."""
    info, client = env.scene.get_info(), env.cid
    names = {env.robot.robot_uid: ROBOT}
    names |= {body["uid"]: name for name, body in {**info["movable_objects"], **info["fixed_objects"]}.items()}
    uids = [p.getBodyUniqueId(index, physicsClientId=client) for index in range(p.getNumBodies(physicsClientId=client))]
    unnamed = [uid for uid in uids if uid not in names]
    names |= dict(zip(unnamed, ("pedestal", "plane"), strict=True))  # in loading order
    touches = {}
    for uid, name in names.items():
        touches[uid, -1] = Touch(name, "base_link")
        for index in range(p.getNumJoints(uid, physicsClientId=client)):
            touches[uid, index] = Touch(name, p.getJointInfo(uid, index, physicsClientId=client)[12].decode())
    return touches


def _in_upstreams_form(command: Command) -> Any:
    """What `PlayTableSimEnv.step` takes; new arrays, because the pinned version scales the caller's in place."""
    if isinstance(command, RelativeMotion):
        motion = np.concatenate([command.translation, command.rotation])
        return np.append(motion, np.array(command.gripper, dtype=motion.dtype))
    if isinstance(command, AbsolutePose):
        return command.position, command.orientation, command.gripper
    joints = np.append(command.joints, np.array(command.gripper, dtype=command.joints.dtype))
    return {"type": "joint_rel" if command.relative else "joint_abs", "action": joints}
