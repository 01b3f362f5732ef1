from __future__ import annotations

import pytest

from libero_benchmark import gl
from seer_bench import SimulationError, UsageError


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No choice of the user's, and no probe from before."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    gl.probe_gl.cache_clear()
    yield
    gl.probe_gl.cache_clear()


@pytest.mark.parametrize(
    ("gpu", "loadable", "chosen"),
    [
        (True, {"egl", "osmesa"}, "egl"),
        (True, {"osmesa"}, "osmesa"),
        (False, {"egl", "osmesa"}, "osmesa"),
        (False, {"egl"}, "egl"),
        (False, set(), "osmesa"),
    ],
)
def test_egl_draws_on_a_gpu_and_software_elsewhere(monkeypatch, gpu, loadable, chosen):
    monkeypatch.setattr(gl, "has_gpu", lambda: gpu)
    monkeypatch.setattr(gl, "_loadable", lambda name: name in loadable)
    assert gl.choose_gl() == chosen


def test_the_users_choice_stands(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    assert gl.choose_gl() == "egl"
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    with pytest.raises(UsageError, match="unset MUJOCO_GL"):
        gl.choose_gl()


def test_a_contradiction_is_refused(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
    with pytest.raises(UsageError, match="unset PYOPENGL_PLATFORM"):
        gl.prepare_gl()


def test_the_preflight_draws_and_names_the_driver():
    probe = gl.require_gl()
    assert probe.works
    assert probe.driver.count(",") >= 2


@pytest.mark.parametrize(("name", "package"), [("osmesa", "libosmesa6"), ("egl", "libegl1")])
def test_a_machine_without_gl_is_told_what_to_install(monkeypatch, name, package):
    monkeypatch.setenv("MUJOCO_GL", name)
    monkeypatch.setattr(gl, "_PROBE", "raise ImportError('no such library')")
    with pytest.raises(SimulationError, match=rf"no such library.*apt-get install -y {package} libgl1 libglib2.0-0"):
        gl.require_gl()


def test_a_driver_that_kills_the_process_is_a_finding_and_no_crash(monkeypatch):
    monkeypatch.setattr(gl, "_PROBE", "import os; os.abort()")
    assert not gl.probe_gl().works
