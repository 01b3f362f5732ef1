"""What a privileged policy may see of a LIBERO world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from seer_bench.contracts import Array, BodyState, SimulatorState

from .world import World

_ROBOT_PREFIXES = ("robot0_", "gripper0_", "mount0_")


@dataclass(frozen=True)
class _Joint:
    name: str
    address: int
    """Into qpos."""


class StateReader:
    """Reads the state of a world; made once, because what is where does not change."""

    def __init__(self, world: World) -> None:
        env = world.inner
        self._world = world
        self._model: mujoco.MjModel = env.sim.model._model
        self._data: mujoco.MjData = env.sim.data._data
        self._bodies: dict[str, int] = dict(env.obj_body_id)
        self._sites = {name: self._site(name) for name in env.object_sites_dict}
        self._joints = [_Joint(j.name, int(j.qposadr[0])) for j in self._scene_joints()]
        gripper = env.robots[0].gripper
        fingers = (geom for part in ("left_finger", "right_finger") for geom in gripper.important_geoms[part])
        self._fingers = np.zeros(self._model.ngeom, bool)
        self._fingers[[self._model.geom(name).id for name in fingers]] = True
        self._instance_of_geom = self._instances()

    def read(self) -> SimulatorState:
        """The present state.

        Bodies: root bodies of objects and fixtures by upstream's names ("alphabet_soup_1", "flat_stove_1"), and sites
        that a predicate can name ("basket_1_contain_region"). Joints: hinges [rad] and slides [m] of objects and
        fixtures by MuJoCo's names. Poses are those that the goal's check looks at: of the beginning of the last
        physics step, 2 ms before the state's end.
        """
        env, data = self._world.inner, self._data
        robot = env.robots[0]
        tcp = robot.eef_site_id
        tcp_euler, target_euler = _euler(data.site_xmat[tcp], robot.controller.goal_ori)
        return SimulatorState(
            task=self._world.task.name,
            bodies=self._poses(),
            joints={joint.name: float(data.qpos[joint.address]) for joint in self._joints},
            tcp_position=data.site_xpos[tcp].copy(),
            tcp_euler=tcp_euler,
            target_position=np.array(robot.controller.goal_pos, dtype=np.float64),
            target_euler=target_euler,
            gripper_command=self._world.gripper_command,
            held=self._held(),
        )

    def _poses(self) -> dict[str, BodyState]:
        """Of bodies, then of sites; all orientations in one call, as a call costs more than what it computes."""
        data, bodies, sites = self._data, list(self._bodies.values()), list(self._sites.values())
        positions = np.concatenate([data.xpos[bodies], data.site_xpos[sites]])
        matrices = np.concatenate([data.xmat[bodies], data.site_xmat[sites]]).reshape(-1, 3, 3)
        quaternions = Rotation.from_matrix(matrices).as_quat()
        names = (*self._bodies, *self._sites)
        return {name: BodyState(*pose) for name, *pose in zip(names, positions, quaternions, strict=True)}

    def _held(self) -> frozenset[str]:
        """Objects and fixtures that touch a finger."""
        found = set()
        for contact in self._data.contact[: self._data.ncon]:
            first, second = contact.geom
            if self._fingers[first] != self._fingers[second]:
                found.add(self._instance_of_geom[second if self._fingers[first] else first])
        return frozenset(name for name in found if name)

    def _instances(self) -> list[str]:
        """For every geom the object or fixture that it belongs to; empty for the robot's and the room's."""
        roots = {int(self._model.body_rootid[body]): name for name, body in self._bodies.items()}
        return [roots.get(int(self._model.body_rootid[body]), "") for body in self._model.geom_bodyid]

    def _scene_joints(self) -> list[Any]:
        """Hinges and slides that are no part of the robot."""
        kinds = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
        joints = [self._model.joint(i) for i in range(self._model.njnt)]
        return [j for j in joints if int(j.type[0]) in kinds and not j.name.startswith(_ROBOT_PREFIXES)]

    def _site(self, name: str) -> int:
        return int(mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_SITE, name))


def _euler(*matrices: Array) -> Array:
    """Fixed-axis xyz angles (n, 3) of rotation matrices, radians."""
    stack = np.array([np.reshape(matrix, (3, 3)) for matrix in matrices], dtype=np.float64)
    angles: Array = Rotation.from_matrix(stack).as_euler("xyz")
    return angles
