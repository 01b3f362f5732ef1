"""A play table that needs no download: the scene `embedded`, of primitive shapes and packaged meshes.

The URDF files here were written for this project. Joints, limits, frames and sizes are those of CALVIN's
scene D; colours and textures are not, so results do not compare with published numbers. The arm's meshes are
those of the package `pybullet_data`, which comes with pybullet.
"""

from __future__ import annotations

import os
from pathlib import Path

from seer_bench.errors import MissingExtraError

__all__ = ["embedded_assets"]


def embedded_assets() -> Path:
    """Return the folder that the embedded scene's files are relative to.

    The path leads through the data folder of `pybullet_data` (`.../pybullet_data/../.../embedded`) and must
    reach the engine as it is, not resolved: the engine looks for a mesh in every folder named by the path of
    the URDF file, and nowhere else, so this is how `robot.urdf` finds the meshes of the arm.

    Raises:
        MissingExtraError: pybullet is not installed.
    """
    try:
        import pybullet_data
    except ImportError as error:
        raise MissingExtraError("the embedded CALVIN scene", "pybullet", "calvin") from error
    meshes = Path(pybullet_data.getDataPath()).resolve()
    return meshes / os.path.relpath(Path(__file__).resolve().parent, meshes)
