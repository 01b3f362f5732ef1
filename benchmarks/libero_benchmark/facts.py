"""Under which versions, drivers and files the simulation runs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from seer_bench.errors import SeerBenchError

from .blas import pin_kernels
from .gl import probe_gl
from .package import installed


def facts(*, opengl: bool) -> dict[str, str]:
    """Name and value of everything that may change a number and, with `opengl`, a pixel."""
    try:
        packages = installed()
    except PackageNotFoundError as error:
        packages = {"libero": f"not installed whole: {error}"}
    found = {
        **packages,
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "numba": _version("numba"),
        "python": platform.python_version(),
        "linear algebra": f"OpenBLAS kernels {pin_kernels()}",
    }
    return found | (_opengl() if opengl else {})


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _opengl() -> dict[str, str]:
    """Who draws."""
    try:
        probe = probe_gl()
    except SeerBenchError as error:
        return {"opengl": str(error)}
    return {"renderer": probe.gl, "opengl": probe.driver if probe.works else probe.problem}
