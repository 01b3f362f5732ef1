"""Rollouts as arrays: what a world does when it is fed recorded actions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import UsageError

from ..actions import Action
from ..backend import Backend
from ..chains import InitialState, initial_state_vectors
from ..snapshot import Snapshot, Touch
from ..world import World

Array = NDArray[Any]

Probe = Callable[[], Array]

CAMERAS = ("static", "gripper")

IMAGE_STRIDE = 40
"""Recorded images were taken at steps 0, 40, 80 and so on."""


def world_probes(world: World) -> dict[str, Probe]:
    """What recordings hold of every state, by the name of the array."""
    return {
        "robot_obs": world.robot_obs,
        "scene_obs": world.scene_obs,
        "target_pos": lambda: world.target_position,
        "target_orn": lambda: world.target_euler,
        "robot_joint_vel": world.joint_velocities,
        "block_vel": world.block_velocities,
        "n_contacts": lambda: np.array(world.contact_counts()),
    }


def backend_probes(backend: Backend) -> dict[str, Probe]:
    """What any backend can tell about a state."""
    return {
        "robot_obs": backend.robot_obs,
        "scene_obs": backend.scene_obs,
        "target_pos": lambda: np.array(backend.target_position),
        "target_orn": lambda: np.array(backend.target_euler),
        "block_states": lambda: _block_states(backend.snapshot()),
        "joint_states": lambda: _joint_states(backend.snapshot()),
        "touches": lambda: _touches(backend.snapshot()),
    }


def rollout(
    world: Backend,
    start: InitialState,
    actions: Sequence[Action],
    probes: Mapping[str, Probe],
    *,
    commands: Mapping[str, Probe] | None = None,
    image_steps: Collection[int] = (),
) -> dict[str, Array]:
    """Play actions from a chain's initial state in a world that was just built or rebuilt.

    Args:
        world: where to play.
        start: symbolic state to reset to.
        actions: what `World.step` takes, N of them.
        probes: read after the reset and after every step, giving arrays of N + 1 rows.
        commands: read after every step, giving arrays of N rows.
        image_steps: at which of the steps 0 to N both cameras are used, giving `rgb_*` and `depth_*`.
    """
    columns: dict[str, list[Array]] = {name: [] for name in (*probes, *(commands or {}))}
    images: dict[str, list[Array]] = {}
    world.reset(*initial_state_vectors(start))
    for step in range(len(actions) + 1):
        if step > 0:
            world.step(actions[step - 1])
            for name, read in (commands or {}).items():
                columns[name].append(read())
        for name, read in probes.items():
            columns[name].append(read())
        if step in image_steps:
            for name, image in photograph(world).items():
                images.setdefault(name, []).append(image)
    return {name: np.array(rows) for name, rows in (columns | images).items()}


def photograph(world: Backend) -> dict[str, Array]:
    """Both cameras, static first: `rgb_static`, `depth_static`, `rgb_gripper`, `depth_gripper`."""
    arrays: dict[str, Array] = {}
    for camera in CAMERAS:
        image = world.render(camera)
        if image.depth is None:
            raise UsageError(f"camera '{camera}' gives no depth")
        arrays |= {f"rgb_{camera}": image.rgb, f"depth_{camera}": image.depth}
    return arrays


def _block_states(now: Snapshot) -> Array:
    """(blocks, 13): position, quaternion, linear and angular velocity."""
    return np.array(
        [
            [*block.position, *block.quaternion, *block.linear_velocity, *block.angular_velocity]
            for block in now.blocks.values()
        ]
    )


def _joint_states(now: Snapshot) -> Array:
    """(8,): slide, drawer, button, switch [m], then the logic of button and switch, lightbulb, led [0 or 1]."""
    logic = (now.button_on, now.switch_on, now.lightbulb, now.led)
    return np.array([now.slide, now.drawer, now.button, now.switch, *map(float, logic)])


def _touches(now: Snapshot) -> Array:
    """What the robot and every block touch, as one text."""
    lists = [now.robot_touches, *(block.touches for block in now.blocks.values())]
    return np.array(" | ".join(_listed(touches) for touches in lists))


def _listed(touches: Collection[Touch]) -> str:
    return " ".join(sorted(f"{touch.body}/{touch.link}" for touch in touches))
