"""What `CalvinEnv` needs of a simulation; our own `World` and upstream's simulator both give it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seer_bench.contracts import Cameras
from seer_bench.errors import UnknownNameError
from seer_bench.protocol import EvaluationProtocol

from .actions import Action
from .assets import scene_root
from .cameras import Image
from .protocols import BACKENDS
from .renderer import Renderer, available, require
from .scene import load_scene
from .snapshot import Snapshot
from .world import World


class Backend(Protocol):
    """One simulated world."""

    @property
    def target_position(self) -> NDArray[np.float64]:
        """Accumulated commanded position of the tool centre point (3,), metres, world frame."""

    @property
    def target_euler(self) -> NDArray[np.float64]:
        """Accumulated commanded orientation (3,), radians, fixed-axis xyz."""

    def rebuild(self) -> None:
        """Start afresh, in a state that cannot depend on what ran before."""

    def reset(self, robot_obs: NDArray[np.float64], scene_obs: NDArray[np.float64]) -> None:
        """Put robot (15,) and scene (24,) into a state."""

    def step(self, action: Action) -> None:
        """One control step at 30 Hz."""

    def robot_obs(self) -> NDArray[np.float64]:
        """Proprioception (15,)."""

    def scene_obs(self) -> NDArray[np.float64]:
        """State of doors, button, switch, lights and blocks (24,)."""

    def snapshot(self) -> Snapshot:
        """What the task checks look at."""

    def render(self, camera: str, *, size: tuple[int, int] | None = None, depth: bool = True) -> Image:
        """One image of the current state; `size` is (width, height), None for the camera's own."""

    def close(self) -> None:
        """Release the simulator."""


def renderer_for(protocol: EvaluationProtocol, cameras: Cameras) -> Renderer:
    """The renderer to set up: none, the protocol's, or one that this machine has."""
    if cameras == "off":
        return "none"
    wanted: Renderer = protocol.settings["renderer"]
    return "tiny" if cameras == "any" and not available(wanted) else wanted


def prepare_backend(
    protocol: EvaluationProtocol, *, renderer: Renderer, backend: str = "own", scene: str | None = None
) -> Callable[[], Backend]:
    """Check all that a protocol's world needs, and return what builds it; no physics client is opened before.

    Args:
        protocol: gives scene, variant and seed.
        renderer: as `renderer_for` chooses it.
        backend: one of `BACKENDS`.
        scene: another scene than the protocol's.

    Raises:
        AssetError: the scene's files are missing or altered.
        MissingExtraError: upstream's package is not installed.
        SimulationError: the renderer does not work here.
        UnknownNameError: no such backend, renderer or scene.
    """
    settings = protocol.settings
    chosen = load_scene(scene or settings["scene"])
    if backend not in BACKENDS:
        raise UnknownNameError("CALVIN backend", backend, BACKENDS)
    require(renderer)
    described = {"variant": settings["variant"], "renderer": renderer, "seed": settings["world_seed"]}
    if backend == "upstream":
        from .upstream import UpstreamWorld
        from .upstream_package import find_checkout

        find_checkout()
        return partial(UpstreamWorld, chosen, **described)
    return partial(World, chosen, scene_root(chosen), **described)


def make_backend(
    protocol: EvaluationProtocol, *, renderer: Renderer, backend: str = "own", scene: str | None = None
) -> Backend:
    """Build the world that a protocol describes; arguments and errors are those of `prepare_backend`."""
    return prepare_backend(protocol, renderer=renderer, backend=backend, scene=scene)()
