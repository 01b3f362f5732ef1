"""Which OpenGL draws without a display: EGL on a GPU, else Mesa's software renderer (OSMesa, or EGL through llvmpipe).

MuJoCo and PyOpenGL choose by environment variables when they are imported, and robosuite 1.4 turns everything but
`osmesa` and `glx` into `egl`. So the choice is made here, before any of them is imported.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

from seer_bench.errors import SimulationError, UsageError

GL = Literal["egl", "osmesa"]

LIBRARIES: Mapping[GL, str] = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8"}
"""What has to be loadable for each of them."""

APT_PACKAGES: Mapping[GL, tuple[str, ...]] = {
    "egl": ("libegl1", "libgl1", "libglib2.0-0"),
    "osmesa": ("libosmesa6", "libgl1", "libglib2.0-0"),
}
"""Debian packages that each needs; libgl1 and libglib2.0-0 only because opencv-python is the build with windows."""

_DEVICES = ("/dev/nvidia[0-9]*", "/dev/dri/renderD*")
_PROBE_TIMEOUT_S = 120


@dataclass(frozen=True)
class GLProbe:
    """What came of drawing a small picture in a process of its own."""

    gl: GL
    works: bool
    driver: str
    """Vendor, renderer and version as OpenGL names them; empty where it does not work."""
    problem: str
    """What is wrong and what to install; empty where it works."""


def choose_gl() -> GL:
    """The OpenGL to draw with: what `MUJOCO_GL` names, else EGL where there is a GPU, else OSMesa, else EGL.

    Raises:
        UsageError: `MUJOCO_GL` names one that needs a display, or none at all.
    """
    asked = os.environ.get("MUJOCO_GL", "").strip().lower()
    if asked in LIBRARIES:
        return cast("GL", asked)
    if asked:
        raise UsageError(
            f"MUJOCO_GL={asked}: LIBERO is drawn without a display, by 'egl' or 'osmesa'. Run: unset MUJOCO_GL"
        )
    if has_gpu() and _loadable("egl"):
        return "egl"
    return "egl" if _loadable("egl") and not _loadable("osmesa") else "osmesa"


def prepare_gl() -> GL:
    """Choose, and tell MuJoCo, robosuite and PyOpenGL, which read the environment when they are imported.

    Raises:
        UsageError: as `choose_gl`, or PYOPENGL_PLATFORM contradicts the choice.
    """
    gl = choose_gl()
    platform = os.environ.get("PYOPENGL_PLATFORM", "").strip().lower()
    if platform not in ("", gl):
        raise UsageError(f"PYOPENGL_PLATFORM={platform} contradicts MUJOCO_GL={gl}. Run: unset PYOPENGL_PLATFORM")
    os.environ["MUJOCO_GL"] = os.environ["PYOPENGL_PLATFORM"] = gl
    device = os.environ.get("EGL_VISIBLE_DEVICES", "")
    if gl == "egl" and device.isdigit():  # what `--egl-devices` sets, in MuJoCo's words
        os.environ.setdefault("MUJOCO_EGL_DEVICE_ID", device)
    return gl


def has_gpu() -> bool:
    """Whether the kernel shows a GPU that OpenGL could use."""
    return any(any(Path(pattern).parent.glob(Path(pattern).name)) for pattern in _DEVICES)


def install_command(gl: GL) -> str:
    """The command that installs what an OpenGL needs on Debian or Ubuntu."""
    return f"apt-get install -y {' '.join(APT_PACKAGES[gl])}"


def require_gl() -> GLProbe:
    """The probe's result; raises SimulationError, with the command to run, where no picture can be drawn."""
    probe = probe_gl()
    if not probe.works:
        raise SimulationError(probe.problem)
    return probe


@lru_cache(maxsize=1)
def probe_gl() -> GLProbe:
    """Draw one small picture in a process of its own, because a broken driver may end the process it runs in.

    Raises:
        UsageError: as `choose_gl`.
    """
    gl = choose_gl()
    environment = {**os.environ, "MUJOCO_GL": gl, "PYOPENGL_PLATFORM": gl}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return GLProbe(gl, False, "", _problem(gl, str(error)))
    marked = [line for line in done.stdout.splitlines() if line.startswith("driver=")]
    if done.returncode != 0 or not marked:
        lines = done.stderr.strip().splitlines()
        said = lines[-1] if lines else f"it ended with code {done.returncode}"
        return GLProbe(gl, False, "", _problem(gl, said))
    return GLProbe(gl, True, marked[-1].partition("=")[2], "")


_PROBE = """
import os
import numpy as np
import mujoco
from OpenGL import GL
context = mujoco.GLContext(64, 64)
context.make_current()
scene = "<mujoco><worldbody><light pos='0 0 2'/><geom type='box' size='.2 .2 .2' rgba='1 0 0 1'/></worldbody></mujoco>"
model = mujoco.MjModel.from_xml_string(scene)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
drawn = mujoco.MjvScene(model, maxgeom=10)
mujoco.mjv_updateScene(
    model, data, mujoco.MjvOption(), None, mujoco.MjvCamera(), mujoco.mjtCatBit.mjCAT_ALL, drawn
)
target = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, target)
viewport = mujoco.MjrRect(0, 0, 64, 64)
mujoco.mjr_render(viewport, drawn, target)
pixels = np.zeros((64, 64, 3), np.uint8)
mujoco.mjr_readPixels(pixels, None, viewport, target)
names = [GL.glGetString(name).decode() for name in (GL.GL_VENDOR, GL.GL_RENDERER, GL.GL_VERSION)]
if pixels[..., 0].max() < 50:
    raise SystemExit("the picture is black")
print("driver=" + ", ".join(names), flush=True)
target.free()
context.free()
os._exit(0)
"""


def _problem(gl: GL, said: str) -> str:
    """What is wrong, and what to do about it."""
    return (
        f"OpenGL through '{gl}' does not work here ({said}). Run: {install_command(gl)}; "
        "or, with a GPU, install its driver with EGL and set MUJOCO_GL=egl"
    )


@lru_cache(maxsize=2)
def _loadable(gl: GL) -> bool:
    """Whether the library is installed."""
    try:
        ctypes.CDLL(LIBRARIES[gl])
    except OSError:
        return False
    return True
