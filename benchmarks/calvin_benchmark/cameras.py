"""Cameras: where they look from, and pictures with depth in metres."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .culling import LinkCulling
from .engine import p
from .robot import Robot
from .scene import CameraSpec


@dataclass(frozen=True)
class Image:
    """One picture."""

    rgb: NDArray[np.uint8]
    """(height, width, 3)."""
    depth: NDArray[np.float32] | None
    """(height, width) metres along the viewing direction; None where it was not asked for."""


class Camera:
    """One camera of a world, fixed in it or carried by the robot.

    Args:
        spec: optics and place.
        robot: carries the camera, where the specification names a link.
        client: the physics client to take pictures in.
        culling: what to leave out of pictures unseen; None where the renderer gains nothing by it.
    """

    def __init__(self, spec: CameraSpec, robot: Robot, client: int, culling: LinkCulling | None) -> None:
        self._spec = spec
        self._culling = culling
        self._robot = robot
        self._client = client
        self._link = None if spec.link is None else robot.link_index(spec.link)

    def shoot(self, size: tuple[int, int] | None = None, *, depth: bool = True) -> Image:
        """Take a picture of `size` (width, height) pixels, by default the camera's own."""
        width, height = size or self._spec.size
        view, projection = self.view_matrix(), self.projection_matrix(width / height)
        with self._culling.hidden(view, projection) if self._culling else nullcontext():
            rgba, z_buffer = p.getCameraImage(
                width,
                height,
                view,
                projection,
                flags=p.ER_NO_SEGMENTATION_MASK,
                physicsClientId=self._client,
            )[2:4]
        # Builds of pybullet without numpy return tuples.
        rgb = np.asarray(rgba, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]
        z_buffer = np.asarray(z_buffer, dtype=np.float32).reshape(height, width)
        return Image(np.ascontiguousarray(rgb), self._metres(z_buffer) if depth else None)

    def view_matrix(self) -> tuple[float, ...]:
        """OpenGL view matrix, column by column (16,)."""
        spec = self._spec
        if self._link is None:
            return _matrix(p.computeViewMatrix(spec.eye, spec.target, spec.up))
        eye, quaternion = self._robot.link_pose(self._link)
        axes = np.array(p.getMatrixFromQuaternion(quaternion)).reshape(3, 3)
        return _matrix(p.computeViewMatrix(eye, eye + axes[:, 1], -axes[:, 2]))

    def projection_matrix(self, aspect: float) -> tuple[float, ...]:
        """OpenGL projection matrix, column by column (16,)."""
        spec = self._spec
        return _matrix(p.computeProjectionMatrixFOV(spec.fov, aspect, spec.near, spec.far))

    def _metres(self, z_buffer: NDArray[np.float32]) -> NDArray[np.float32]:
        """From the depth buffer in [0, 1] to distances."""
        near, far = self._spec.near, self._spec.far
        return np.asarray(far * near / (far - (far - near) * z_buffer), dtype=np.float32)


def _matrix(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(values)
