"""Checks of what CALVIN needs: pybullet, a picture from each renderer, the assets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version

from seer_bench.doctor import Finding
from seer_bench.errors import SeerBenchError

from .assets import ROOT_VARIABLE, load_manifest, locate

PINS = {"pybullet": "3.2.7", "pybullet-arm64": "3.2.8"}
"""Distributions that provide pybullet, in the versions that gave identical results on every recording."""

_INSTALL = "pip install 'seer-bench[calvin]'"


def examine() -> Iterator[Finding]:
    """Findings about packages, physics, OpenGL and assets; without pybullet about packages alone."""
    package = _package()
    yield package
    if package.level == "problem":
        return
    yield _physics()
    yield _egl()
    yield _assets()


def _package() -> Finding:
    """Which pybullet is installed."""
    providers = sorted(set(packages_distributions().get("pybullet", ())))
    if not providers:
        return Finding("pybullet", "problem", "not installed", _INSTALL, optional=True)
    found = ", ".join(f"{name} {version(name)}" for name in providers)
    if len(providers) > 1:
        remove = f"pip uninstall -y {' '.join(providers)} && {_INSTALL}"
        return Finding("pybullet", "problem", f"{found}: their files overwrite one another", remove)
    (name,) = providers
    if (pinned := PINS.get(name)) and version(name) != pinned:
        text = f"{found}; recordings were reproduced with {pinned}, and other versions may give other trajectories"
        return Finding("pybullet", "warning", text, f"pip install '{name}=={pinned}'")
    return Finding("pybullet", "ok", found)


def _physics() -> Finding:
    """Build the embedded scene, which needs no assets, and take a picture with TinyRenderer."""
    from .backend import make_backend
    from .protocols import load_protocol

    started = time.perf_counter()
    try:
        world = make_backend(load_protocol("calvin-embedded/v1"), renderer="tiny")
        try:
            picture = world.render("static", depth=False).rgb
        finally:
            world.close()
    except SeerBenchError as error:
        return Finding("simulation", "problem", str(error), f"pip install --force-reinstall {_INSTALL.split()[-1]}")
    if picture.min() == picture.max():
        return Finding("simulation", "problem", "TinyRenderer's picture is empty", "seer-bench verify calvin")
    seconds = time.perf_counter() - started
    return Finding("simulation", "ok", f"embedded scene built and drawn by TinyRenderer in {seconds:.1f} s")


def _egl() -> Finding:
    """Draw with OpenGL, in another process."""
    from .renderer import EGL_PACKAGES, probe_egl

    probe = probe_egl()
    if probe.works:
        driver = [probe.driver[name] for name in ("vendor", "renderer", "version") if name in probe.driver]
        return Finding("egl", "ok", ", ".join(driver) or "works")
    said = probe.output.strip().splitlines()
    reason = f" ({said[-1].strip()})" if said else ""
    text = f"does not work{reason}; policies that look at cameras then need a protocol whose name ends in -tiny"
    return Finding("egl", "warning", text, f"apt-get install -y {' '.join(EGL_PACKAGES)}")


def _assets() -> Finding:
    """Compare every file with the manifest."""
    try:
        root = locate()
    except SeerBenchError as error:
        what = str(error).partition(" Run: ")[0]
        return Finding("assets", "problem", what, "seer-bench assets calvin")
    count = len(load_manifest().files)
    return Finding("assets", "ok", f"{count} files in {root}, all as published (another folder: {ROOT_VARIABLE})")
