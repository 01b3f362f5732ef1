"""Pictures of a scene that this machine has to draw alike: those of the packaged recordings."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from PIL import Image

from .suites import find_task, load_init_states
from .world import World

SIMILAR = 6.0
"""Largest mean difference, of 255, that is taken for another driver's. Measured: the same picture shifted by one pixel
differs by 5, the scene without its meshes by 30 and 44 in the two cameras."""

_TASK, _TRIAL = 2, 3
_CAMERAS = ("agentview", "robot0_eye_in_hand")


def compare_pictures() -> float:
    """Draw both cameras at the start of an episode.

    Returns:
        The mean absolute difference from the packaged pictures, of 255, in the camera where it is larger; 0.0 where all
        pixels are equal.

    Raises:
        AssetError: the scene's files are missing or altered.
        SimulationError: the scene cannot be built or drawn.
    """
    task = find_task("libero_10", _TASK)
    world = World(task)
    try:
        world.reset(load_init_states(task)[_TRIAL])
        return max(_difference(world, camera) for camera in _CAMERAS)
    finally:
        world.close()


def _difference(world: World, camera: str) -> float:
    """Of one camera."""
    name = f"data/verify/img/task{_TASK}_init{_TRIAL}_step0_{camera}_image.png"
    with files(__package__).joinpath(name).open("rb") as file:
        packaged = np.asarray(Image.open(file), dtype=np.float64)
    height, width, _ = packaged.shape
    return float(np.abs(world.render(camera, width=width, height=height) - packaged).mean())
