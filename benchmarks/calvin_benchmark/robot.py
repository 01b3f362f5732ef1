"""The Panda arm: loading, inverse kinematics, motors and its state.

Behaviour and numbers follow calvin_env; the order of engine calls matters, because the engine's results
depend on it to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .actions import Command, JointTarget, RelativeMotion
from .engine import p
from .scene import RobotSpec


class Robot:
    """The robot in one physics client; loading it must come first of all bodies."""

    def __init__(self, spec: RobotSpec, urdf: str, client: int) -> None:
        self._spec = spec
        self._client = client
        self.gripper_action = 1
        """Last gripper command; survives a reset of the scene, as upstream's does."""
        self.joint_targets: NDArray[np.float64] = np.array(spec.rest_joints)
        """(7,) radians: what the arm motors were last told by an action."""
        self.uid: int = p.loadURDF(
            urdf,
            basePosition=spec.base_position,
            baseOrientation=p.getQuaternionFromEuler(spec.base_euler),
            useFixedBase=True,
            physicsClientId=client,
        )
        self._add_pedestal()
        self._couple_fingers()
        degrees = p.computeDofCount(self.uid, physicsClientId=client)
        self._lower = [-spec.null_space_bound] * degrees
        self._upper = [spec.null_space_bound] * degrees
        self._rest = [*spec.rest_joints, spec.finger_open, spec.finger_open]
        self._arm_limits = np.array(spec.arm_lower), np.array(spec.arm_upper)
        self._joints = [*spec.arm_joints, *spec.finger_joints]
        self.reset(spec.rest_joints, spec.finger_open)

    def reset(self, arm: ArrayLike, finger: float) -> None:
        """Put the arm at `arm` (7,) radians and both fingers at `finger` metres; the target is the pose there."""
        spec = self._spec
        for joint, position in zip(spec.arm_joints, np.asarray(arm), strict=True):
            p.resetJointState(self.uid, joint, position, physicsClientId=self._client)
            self._drive(joint, position, spec.arm_force, spec.arm_max_velocity)
        for joint in spec.finger_joints:
            p.resetJointState(self.uid, joint, finger, physicsClientId=self._client)
            self._drive(joint, finger, spec.close_force, spec.finger_max_velocity)
        position, quaternion = self._tcp_pose()
        self.target_position: NDArray[np.float64] = np.array(position)
        self.target_euler: NDArray[np.float64] = np.array(p.getEulerFromQuaternion(quaternion))

    def reset_to_rest(self) -> None:
        """Reset to the rest pose with the gripper open."""
        self.reset(self._spec.rest_joints, self._spec.finger_open)

    def apply(self, command: Command) -> None:
        """Set the motor targets of arm and gripper; the caller steps the simulation."""
        targets = self._targets(command)
        self.joint_targets = targets
        self.gripper_action = command.gripper
        spec = self._spec
        for joint, position in zip(spec.arm_joints, targets.tolist(), strict=True):
            self._drive(joint, position, spec.arm_force, spec.arm_max_velocity)
        opening = command.gripper == 1
        finger = spec.finger_open if opening else spec.finger_closed
        force = spec.open_force if opening else spec.close_force
        for joint in spec.finger_joints:
            self._drive(joint, finger, force, spec.finger_max_velocity)

    def observation(self) -> NDArray[np.float64]:
        """(15,): tcp xyz, tcp Euler angles, gripper width, 7 arm joints, last gripper command."""
        position, quaternion = self._tcp_pose()
        euler = p.getEulerFromQuaternion(quaternion)
        *arm, left, right = (state[0] for state in self._joint_states())
        return np.array([*position, *euler, left + right, *arm, self.gripper_action])

    def joint_positions(self) -> NDArray[np.float64]:
        """(9,): arm joints in radians, then both fingers in metres."""
        return np.array([state[0] for state in self._joint_states()])

    def joint_velocities(self) -> NDArray[np.float64]:
        """(9,): arm joints in radians per second, then both fingers in metres per second."""
        return np.array([state[1] for state in self._joint_states()])

    def link_index(self, name: str) -> int:
        """Index of the link called `name`; raises KeyError where the robot has none."""
        count = p.getNumJoints(self.uid, physicsClientId=self._client)
        infos = (p.getJointInfo(self.uid, index, physicsClientId=self._client) for index in range(count))
        indices: dict[str, int] = {info[12].decode(): info[0] for info in infos}
        return indices[name]

    def link_pose(self, link: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """World position and quaternion (x, y, z, w) of a link's centre of mass."""
        position, quaternion = p.getLinkState(self.uid, link, physicsClientId=self._client)[:2]
        return position, quaternion

    def _targets(self, command: Command) -> NDArray[np.float64]:
        spec = self._spec
        if isinstance(command, JointTarget):
            if command.relative:
                measured = np.array([state[0] for state in self._joint_states()[:-2]])
                return np.asarray(measured + command.joints)
            return np.asarray(command.joints, dtype=np.float64)
        if isinstance(command, RelativeMotion):
            # The products keep the action's dtype (float16 rounds here), the sums are float64.
            self.target_position += command.translation * spec.metres_per_unit
            self.target_euler += command.rotation * spec.radians_per_unit
            return self._inverse_kinematics(self.target_position, self.target_euler)
        return self._inverse_kinematics(command.position, command.orientation)

    def _inverse_kinematics(
        self, position: NDArray[np.float64], orientation: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        quaternion = p.getQuaternionFromEuler(orientation) if len(orientation) == 3 else orientation
        joints = p.calculateInverseKinematics(
            self.uid,
            self._spec.tcp_link,
            position,
            quaternion,
            self._lower,
            self._upper,
            self._upper,
            self._rest,
            physicsClientId=self._client,
        )
        return np.asarray(np.clip(joints[:7], *self._arm_limits), dtype=np.float64)

    def _drive(self, joint: int, position: float, force: float, max_velocity: float) -> None:
        p.setJointMotorControl2(
            self.uid,
            joint,
            p.POSITION_CONTROL,
            targetPosition=position,
            force=force,
            maxVelocity=max_velocity,
            physicsClientId=self._client,
        )

    def _tcp_pose(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.link_pose(self._spec.tcp_link)

    def _joint_states(self) -> list[tuple[float, ...]]:
        states: list[tuple[float, ...]] = p.getJointStates(self.uid, self._joints, physicsClientId=self._client)
        return states

    def _add_pedestal(self) -> None:
        """Stand the visual cylinder under the base."""
        spec = self._spec
        x, y, height = spec.base_position
        yaw = spec.base_euler[2]
        centre = [x - math.cos(yaw) * spec.pedestal_setback, y - math.sin(yaw) * spec.pedestal_setback, height / 2]
        shape = p.createVisualShape(
            p.GEOM_CYLINDER,
            radius=spec.pedestal_radius,
            length=height,
            rgbaColor=[1, 1, 1, 1],
            visualFramePosition=centre,
            physicsClientId=self._client,
        )
        self.pedestal_uid: int = p.createMultiBody(baseVisualShapeIndex=shape, physicsClientId=self._client)

    def _couple_fingers(self) -> None:
        left, right = self._spec.finger_joints
        gear = p.createConstraint(
            self.uid,
            left,
            self.uid,
            right,
            jointType=p.JOINT_GEAR,
            jointAxis=[1, 0, 0],
            parentFramePosition=[0, 0, 0],
            childFramePosition=[0, 0, 0],
            physicsClientId=self._client,
        )
        spec = self._spec
        p.changeConstraint(
            gear,
            gearRatio=spec.gear_ratio,
            erp=spec.gear_erp,
            maxForce=spec.gear_force,
            physicsClientId=self._client,
        )
