"""Under which versions, drivers and files the simulation runs."""

from __future__ import annotations

import platform
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np

from seer_bench.errors import AssetError

from .assets import default_root, locate
from .renderer import probe_egl

_CPU_INFO = Path("/proc/cpuinfo")


def facts(*, egl: bool) -> dict[str, str]:
    """Name and value of everything that may change a number and, with `egl`, an OpenGL pixel."""
    found = {
        "pybullet": distribution("pybullet"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": f"{_processor()} ({platform.machine()})",
        "assets": _assets(),
    }
    return found | (_opengl() if egl else {})


def _opengl() -> dict[str, str]:
    """Whether EGL works here, and who draws."""
    probe = probe_egl()
    if not probe.works:
        return {"renderers": "tiny (EGL does not work here)"}
    driver = [probe.driver[name] for name in ("vendor", "renderer", "version") if name in probe.driver]
    return {"renderers": "tiny, egl", "opengl": ", ".join(driver) or "unknown"}


def distribution(module: str) -> str:
    """Version of what provides a module, and its name where that is another one."""
    names = sorted(set(packages_distributions().get(module, ())))
    return ", ".join(version(name) if name == module else f"{version(name)} of {name}" for name in names) or "unknown"


def _processor() -> str:
    """The processor's model, as the operating system tells it."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _assets() -> str:
    try:
        return f"{locate()} (whole)"
    except AssetError as error:
        return str(error) if default_root().is_dir() else f"{default_root()} (not installed: seer-bench assets calvin)"
