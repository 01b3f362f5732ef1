"""The same arithmetic on every x86-64 processor.

OpenBLAS, which NumPy and SciPy bring along, chooses its kernels by the processor, and kernels differ in the last bit.
The robot's controller inverts small matrices in every physics step, so that bit grows into another trajectory. With one
kernel named for all processors, trajectories agree bit for bit wherever it runs; the recordings of upstream that we
compare with were made with it too.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

KERNELS = "Haswell"
"""OpenBLAS' name for the kernels that every processor with AVX2 and FMA can run."""

_VARIABLE = "OPENBLAS_CORETYPE"
_NAMES = ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename")
_NEEDED_FLAGS = {"avx2", "fma"}


def pin_kernels() -> str:
    """Let every OpenBLAS in this process use `KERNELS`, or those that the user's OPENBLAS_CORETYPE names.

    Set OPENBLAS_CORETYPE before Python starts to have it from the beginning; this is for all who did not. No other
    thread may be in a NumPy or SciPy call meanwhile.

    Returns:
        The kernels that are in use now, e.g. "Haswell"; more than one where the libraries disagree, and "unknown" where
        NumPy was built with something else.
    """
    import numpy as np  # noqa: F401 - so that both libraries are loaded
    import scipy.linalg  # noqa: F401

    libraries = [ctypes.CDLL(path) for path in _loaded()]
    wanted = os.environ.get(_VARIABLE) or (KERNELS if _can_run() else "")
    if wanted:
        os.environ[_VARIABLE] = wanted  # for the library, and for processes that we start
    for library in libraries:
        if wanted and _kernels_of(library) != wanted and hasattr(library, "gotoblas_dynamic_init"):
            library.gotoblas_dynamic_quit()
            library.gotoblas_dynamic_init()
    return ", ".join(sorted({_kernels_of(library) for library in libraries})) or "unknown"


def _loaded() -> list[str]:
    """Files of the OpenBLAS libraries in this process."""
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return []
    lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line[line.index("/") :] for line in lines if "openblas" in line and "/" in line})


def _kernels_of(library: ctypes.CDLL) -> str:
    """What a library names its kernels."""
    for name in _NAMES:
        if hasattr(library, name):
            function = getattr(library, name)
            function.restype = ctypes.c_char_p
            return str(function().decode())
    return "unknown"


def _can_run() -> bool:
    """Whether this processor runs the kernels; elsewhere OpenBLAS keeps its choice."""
    info = Path("/proc/cpuinfo")
    if platform.machine() not in ("x86_64", "AMD64") or not info.is_file():
        return False
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return set(line.split()) >= _NEEDED_FLAGS
    return False
