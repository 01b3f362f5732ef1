"""Checks of what LIBERO needs: packages in their pinned versions, OpenGL without a display, models and meshes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import packages_distributions

from seer_bench.doctor import Finding
from seer_bench.errors import MissingExtraError, SeerBenchError, SimulationError

from .gl import choose_gl, install_command, probe_gl
from .package import check_versions, installed

_INSTALL = "pip install 'seer-bench[libero]'"


def examine() -> Iterator[Finding]:
    """Findings about packages, OpenGL, LIBERO's import and its files; what is broken ends the list.

    OpenGL is tried before LIBERO, whose import needs its libraries.
    """
    for check in (_packages, _rendering, _assets, _tasks):
        finding = check()
        yield finding
        if finding.level == "problem":
            return


def _packages() -> Finding:
    """What is installed, and whether it is what outcomes are checked with."""
    try:
        check_versions()
    except MissingExtraError as error:
        absent = not packages_distributions().get("libero")
        text = "not installed" if absent else _without_command(error)
        return Finding("packages", "problem", text, _INSTALL, optional=absent)
    except SeerBenchError as error:
        return Finding("packages", "problem", _without_command(error), _command(error) or _INSTALL)
    return Finding("packages", "ok", ", ".join(f"{name} {version}" for name, version in installed().items()))


def _rendering() -> Finding:
    """Draw a small picture, in another process."""
    try:
        probe = probe_gl()
    except SeerBenchError as error:
        return Finding("rendering", "problem", _without_command(error), _command(error))
    if probe.works:
        return Finding("rendering", "ok", f"{probe.gl}: {probe.driver}")
    return Finding("rendering", "problem", _without_command(probe.problem), install_command(probe.gl))


def _assets() -> Finding:
    """Import LIBERO and compare the contents of every asset file."""
    from .assets import check_files, check_folder, installed_root, manifest

    try:
        root = installed_root()
        check_folder(root)
        check_files(root, (root / path for path in manifest()))
    except SimulationError as error:  # the import failed, most often for want of a system library
        return Finding("assets", "problem", str(error).partition(" Where ")[0], install_command(choose_gl()))
    except SeerBenchError as error:
        return Finding("assets", "problem", _without_command(error), _command(error) or _INSTALL)
    return Finding("assets", "ok", f"{len(manifest())} files in {root}, all as published")


def _tasks() -> Finding:
    """Compare scene files and initial states of the default suite with upstream's."""
    from .protocols import DEFAULT_PROTOCOL, all_protocols
    from .suites import bddl_path, load_init_states, load_suite

    suite = all_protocols()[DEFAULT_PROTOCOL].settings["suite"]
    try:
        tasks = load_suite(suite)
        for task in tasks:
            bddl_path(task)
            load_init_states(task)
    except SeerBenchError as error:
        return Finding("tasks", "problem", _without_command(error), _command(error) or _INSTALL)
    return Finding("tasks", "ok", f"{len(tasks)} tasks of {suite}: scenes and initial states as published")


def _without_command(error: SeerBenchError | str) -> str:
    """What an error says, without the command that it ends with."""
    return str(error).partition(" Run: ")[0]


def _command(error: SeerBenchError) -> str:
    """The command that an error recommends; empty where it recommends none."""
    return str(error).partition(" Run: ")[2].partition("; ")[0]
