"""Leaving out of a picture what cannot be in it.

Bullet's software rasteriser transforms every triangle of every mesh, and most triangles belong to the arm. It
skips a link whose colour is fully transparent, so links that lie wholly outside a camera's view are made
transparent for that picture and restored at once. The pixels stay the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from .engine import p
from .scene import LinkBox


class LinkCulling:
    """Hides robot links that a camera cannot see."""

    def __init__(self, robot: int, boxes: Sequence[LinkBox], client: int) -> None:
        self._robot = robot
        self._client = client
        self._links = [box.link for box in boxes]
        corners = [list(itertools.product(*zip(box.low, box.high, strict=True))) for box in boxes]
        self._corners = np.array(corners).reshape(-1, 8, 3)
        colours = {shape[1]: shape[7] for shape in p.getVisualShapeData(robot, physicsClientId=client)}
        self._colours = {link: colours[link] for link in self._links}

    @contextmanager
    def hidden(self, view: Sequence[float], projection: Sequence[float]) -> Iterator[None]:
        """Hide what is out of view for the matrices (OpenGL, column by column) while the block runs."""
        links = self.out_of_view(view, projection)
        try:
            for link in links:
                self._paint(link, (*self._colours[link][:3], 0.0))
            yield
        finally:
            for link in links:
                self._paint(link, self._colours[link])

    def out_of_view(self, view: Sequence[float], projection: Sequence[float]) -> list[int]:
        """Links whose box lies wholly beyond one side of the view, or behind the eye."""
        if not self._links:
            return []
        clip = _matrix(projection) @ _matrix(view)
        points = self._world_corners() @ clip[:, :3].T + clip[:, 3]
        x, y, w = points[..., 0], points[..., 1], points[..., 3]
        outside = [side.all(axis=1) for side in (x > w, x < -w, y > w, y < -w, w < 0)]
        return [link for link, out in zip(self._links, np.any(outside, axis=0), strict=True) if out]

    def _world_corners(self) -> NDArray[np.float64]:
        """(links, 8, 3): corners of the boxes in the world."""
        states = p.getLinkStates(self._robot, self._links, physicsClientId=self._client)
        origins = np.array([state[4] for state in states])
        axes = np.array([p.getMatrixFromQuaternion(state[5]) for state in states]).reshape(-1, 3, 3)
        return np.asarray(self._corners @ axes.transpose(0, 2, 1) + origins[:, None])

    def _paint(self, link: int, colour: tuple[float, ...]) -> None:
        p.changeVisualShape(self._robot, link, rgbaColor=colour, physicsClientId=self._client)


def _matrix(columns: Sequence[float]) -> NDArray[np.float64]:
    return np.array(columns).reshape(4, 4).T
