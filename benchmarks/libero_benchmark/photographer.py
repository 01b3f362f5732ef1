"""Pictures of a moment that has passed: poses are kept when robosuite would draw, and drawn when somebody looks.

robosuite draws its cameras once a control step, 2 ms before the step ends. Drawing costs far more than a step does, and
most pictures are never looked at. Keeping what a picture depends on costs a few microseconds.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import SimulationError, UnknownNameError

from .gl import choose_gl, install_command

_POSES = (
    "xpos", "xquat", "xmat", "xipos", "ximat", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat",
    "cam_xpos", "cam_xmat", "light_xpos", "light_xdir", "qpos",
)  # fmt: skip
"""Everything in `mjData` that the scene's drawing reads."""

_MAX_GEOMS = 1000
"""Geoms that a scene may hold; robosuite's number."""

_COLLISION_GROUP, _VISUAL_GROUP = 0, 1


class Photographer:
    """Keeps one moment of a simulation and draws it.

    Args:
        model: of the simulation.
        data: of the simulation; its arrays are read by `keep` and nothing of it is ever changed.

    OpenGL is set up by the first picture.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model = model
        self._kept = mujoco.MjData(model)
        self._pairs = [(getattr(self._kept, name), getattr(data, name)) for name in _POSES]
        self._site_rgba = model.site_rgba.copy()
        self._studio: _Studio | None = None
        self.keep()

    def keep(self) -> None:
        """Remember the present moment, as far as it can be seen."""
        for kept, live in self._pairs:
            np.copyto(kept, live)
        np.copyto(self._site_rgba, self._model.site_rgba)

    def shoot(self, camera: str, width: int, height: int) -> NDArray[np.uint8]:
        """Draw the kept moment as robosuite would have: (height, width, 3), bottom row first.

        Raises:
            UnknownNameError: the scene has no such camera.
            SimulationError: OpenGL does not work here; with the command that installs it.
        """
        number = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if number < 0:
            raise UnknownNameError("camera", camera, [self._model.camera(i).name for i in range(self._model.ncam)])
        if self._studio is None:
            self._studio = _Studio(self._model, width, height)
        now = self._model.site_rgba.copy()
        self._model.site_rgba[:] = self._site_rgba  # a stove's glow is a site that the next step may turn on or off
        try:
            return self._studio.draw(self._kept, number, width, height)
        finally:
            self._model.site_rgba[:] = now

    def close(self) -> None:
        """Give OpenGL back; closing twice is fine."""
        if self._studio is not None:
            self._studio.close()
            self._studio = None


class _Studio:
    """An OpenGL context with the model's meshes and textures in it.

    Its buffer is no larger than the largest picture: robosuite's, 640 x 480, holds the same pixels and costs more.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._model = model
        self._context = _gl_context(width, height)
        self._context.make_current()
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._scene = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[_COLLISION_GROUP] = 0
        self._options.geomgroup[_VISUAL_GROUP] = 1
        self._perturbation = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._target = self._make_target()

    def draw(self, data: mujoco.MjData, camera: int, width: int, height: int) -> NDArray[np.uint8]:
        """One picture (height, width, 3), bottom row first."""
        self._context.make_current()
        if width > self._target.offWidth or height > self._target.offHeight:
            self._model.vis.global_.offwidth = max(width, self._target.offWidth)
            self._model.vis.global_.offheight = max(height, self._target.offHeight)
            self._target.free()
            self._target = self._make_target()
        self._camera.fixedcamid = camera
        mujoco.mjv_updateScene(
            self._model, data, self._options, self._perturbation, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        viewport = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(viewport, self._scene, self._target)
        pixels = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, viewport, self._target)
        return pixels

    def close(self) -> None:
        """Free meshes and textures, then the context."""
        self._context.make_current()
        self._target.free()
        self._context.free()

    def _make_target(self) -> mujoco.MjrContext:
        """Upload meshes and textures; pictures go to a buffer off the screen."""
        target = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_150)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, target)
        return target


def _gl_context(width: int, height: int) -> Any:
    """An OpenGL context without a display; raises SimulationError."""
    gl = choose_gl()
    try:
        if gl == "osmesa":
            from mujoco.osmesa import GLContext
        else:
            from mujoco.egl import GLContext
        return GLContext(width, height)
    except Exception as error:  # PyOpenGL raises whatever the missing function leads to
        raise SimulationError(
            f"OpenGL through '{gl}' does not work here ({type(error).__name__}: {error}). Run: {install_command(gl)}"
        ) from error
