"""Physics clients with the renderer that a world asked for."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from seer_bench.errors import SimulationError, UnknownNameError

from .engine import p
from .quiet import quiet
from .scene import Scene

Renderer = Literal["none", "tiny", "egl"]
"""`tiny` is Bullet's software rasteriser; `egl` is OpenGL without a display; `none` refuses to render."""

EGL_PACKAGES = ("libegl1", "libgl1-mesa-dri")
"""Debian packages that bring Mesa's EGL, for rendering on the processor; GPU drivers bring their own."""

_PLUGIN = "_eglRendererPlugin"
_PROBE_TIMEOUT_S = 60
_WARM_UP_PICTURES = 2

_egl_clients: set[int] = set()  # of this process; the plugin keeps state of its own beside them
_egl_processes: set[int] = set()  # that loaded EGL; a fork inherits the set, and so knows that it is one


@dataclass(frozen=True)
class EglProbe:
    """What came of trying the EGL renderer in another process."""

    works: bool
    driver: dict[str, str]
    """`vendor`, `renderer` and `version` of OpenGL, as far as they were reported."""
    output: str
    """All that the attempt printed."""


@lru_cache(maxsize=1)
def probe_egl() -> EglProbe:
    """Try the EGL renderer once, in a process of its own: a broken driver may end the process it runs in."""
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and code
            command, capture_output=True, text=True, errors="replace", timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return EglProbe(False, {}, str(error))
    output = done.stdout + done.stderr
    found = re.findall(r"^GL_(VENDOR|RENDERER|VERSION)=(.*)$", output, re.MULTILINE)
    return EglProbe(done.returncode == 0, {key.lower(): value.strip() for key, value in found}, output)


_PROBE = f"""
import importlib.util, sys
import pybullet as p
client = p.connect(p.DIRECT)
plugin = importlib.util.find_spec("eglRenderer")
loaded = -1 if plugin is None else p.loadPlugin(plugin.origin, "{_PLUGIN}", physicsClientId=client)
if loaded >= 0:
    p.getCameraImage(8, 8, physicsClientId=client)
sys.exit(loaded < 0)
"""


def available(renderer: Renderer) -> bool:
    """Whether this machine can render with `renderer`."""
    return renderer != "egl" or probe_egl().works


def require(renderer: str) -> None:
    """Refuse a renderer that does not exist or does not work here; no OpenGL is loaded into this process.

    Raises:
        UnknownNameError: there is no such renderer.
        SimulationError: EGL does not work here; says which packages bring it.
    """
    if renderer not in get_args(Renderer):
        raise UnknownNameError("renderer", str(renderer), get_args(Renderer))
    if renderer == "egl" and not available("egl"):
        raise SimulationError(_no_egl())


def connect(renderer: Renderer, scene: Scene) -> int:
    """Open a physics client of its own and return its id.

    Raises:
        SimulationError: no client could be had, EGL does not work here, this process has an EGL client, or it was
            forked from one that had loaded EGL.
    """
    require(renderer)
    if renderer != "egl":
        return _checked(p.connect(p.DIRECT))
    if _egl_processes - {os.getpid()}:
        raise SimulationError(
            "this process was forked from one that had loaded EGL, where OpenGL would hang. Start it with "
            "multiprocessing's method 'spawn' (AsyncVectorEnv(..., context='spawn')), or use the renderer 'tiny'"
        )
    if _egl_clients:
        raise SimulationError(
            "this process already has a world with the renderer 'egl', and Bullet's plugin renders wrong pictures "
            "once one of two is closed. Close that world first, or use another process, or the renderer 'tiny'"
        )
    width = max(camera.size[0] for camera in scene.cameras.values())
    height = max(camera.size[1] for camera in scene.cameras.values())
    _egl_processes.add(os.getpid())
    with quiet():
        client = _checked(p.connect(p.DIRECT, options=f"--width={width} --height={height}"))
        plugin = importlib.util.find_spec("eglRenderer")
        origin = plugin.origin if plugin else None
        loaded = p.loadPlugin(origin, _PLUGIN, physicsClientId=client) if origin else -1
    if loaded < 0:
        p.disconnect(physicsClientId=client)
        raise SimulationError(_no_egl())
    _egl_clients.add(client)
    return client


def disconnect(client: int) -> None:
    """Close a client that `connect` opened; a fork leaves its parent's EGL client alone."""
    if client in _egl_clients and os.getpid() not in _egl_processes:
        return
    if client in _egl_clients:
        with quiet():
            p.disconnect(physicsClientId=client)
        _egl_clients.discard(client)
    else:
        p.disconnect(physicsClientId=client)


def warm_up(client: int) -> None:
    """Take the pictures that OpenGL needs before its lighting has settled.

    The first two pictures after loading are brighter or darker by up to 59 of 255 levels than all later ones,
    whatever they show. Upstream's policies never see them: its reset takes two before the first observation.
    """
    with quiet():
        for _ in range(_WARM_UP_PICTURES):
            p.getCameraImage(8, 8, flags=p.ER_NO_SEGMENTATION_MASK, physicsClientId=client)


def _checked(client: int) -> int:
    if client < 0:
        raise SimulationError("pybullet could not start another physics client in this process")
    return client


def _no_egl() -> str:
    lines = [line for line in probe_egl().output.strip().splitlines() if "build time" not in line]
    return (
        f"the renderer 'egl' does not work here ({' | '.join(lines[-3:]) or 'no message'}). It needs OpenGL through "
        f"EGL: apt-get install {' '.join(EGL_PACKAGES)}, or a GPU driver with EGL. The renderer 'tiny' needs neither"
    )
