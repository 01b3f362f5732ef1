"""Checks of what LIBERO needs: packages in their pinned versions, OpenGL without a display, models, pictures."""

from __future__ import annotations

from collections.abc import Iterator

from seer_bench.doctor import Finding
from seer_bench.errors import MissingExtraError, SeerBenchError

from .gl import install_command, probe_gl
from .package import check_versions, installed, is_installed

_INSTALL = "pip install 'seer-bench[libero]'"


def examine() -> Iterator[Finding]:
    """Findings about packages, OpenGL, LIBERO's import and its files; what is broken ends the list.

    OpenGL is tried before LIBERO, whose import needs its libraries.
    """
    for check in (_packages, _rendering, _assets, _tasks, _pictures):
        finding = check()
        yield finding
        if finding.level == "problem":
            return


def _packages() -> Finding:
    """What is installed, and whether it is what outcomes are checked with."""
    try:
        check_versions()
    except MissingExtraError as error:
        absent = not is_installed()
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
    from .assets import check_everything, installed_root, manifest

    try:
        root = installed_root()
        check_everything(root)
    except SeerBenchError as error:
        return Finding("assets", "problem", _without_command(error), _command(error) or _INSTALL)
    return Finding("assets", "ok", f"{len(manifest())} files in {root}, all as published")


def _tasks() -> Finding:
    """Compare scene files and initial states of the default suite with upstream's."""
    from .suites import DEFAULT_SUITE, check_suite, load_suite

    try:
        check_suite(DEFAULT_SUITE)
    except SeerBenchError as error:
        return Finding("tasks", "problem", _without_command(error), _command(error) or _INSTALL)
    count = len(load_suite(DEFAULT_SUITE))
    return Finding("tasks", "ok", f"{count} tasks of {DEFAULT_SUITE}: scenes and initial states as published")


def _pictures() -> Finding:
    """Draw a scene with meshes and textures, and compare it with the packaged pictures."""
    from .reference import SIMILAR, compare_pictures

    try:
        difference = compare_pictures()
    except SeerBenchError as error:
        return Finding("pictures", "problem", _without_command(error), _command(error))
    if difference == 0:
        return Finding("pictures", "ok", "a scene with meshes and textures looks as packaged, pixel by pixel")
    how = f"a scene differs from the packaged pictures, drawn by Mesa, by {difference:.2f} of 255 in the mean"
    if difference <= SIMILAR:
        return Finding("pictures", "ok", f"{how}, as with another driver")
    return Finding("pictures", "problem", f"{how}: this OpenGL draws no scenes", "MUJOCO_GL=osmesa seer-bench doctor")


def _without_command(error: SeerBenchError | str) -> str:
    """What an error says, without the command that it ends with."""
    return str(error).partition(" Run: ")[0]


def _command(error: SeerBenchError) -> str:
    """The command that an error recommends; empty where it recommends none."""
    return str(error).partition(" Run: ")[2].partition("; ")[0]
