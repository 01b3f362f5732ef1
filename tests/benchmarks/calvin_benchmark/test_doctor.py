from __future__ import annotations

import shutil
import subprocess
import sys

from calvin_benchmark import doctor
from calvin_benchmark.assets import ROOT_VARIABLE
from seer_bench.doctor.examine import examine_benchmark


def test_a_machine_that_has_everything(shared, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(shared / "calvin_assets"))
    findings = {finding.subject: finding for finding in examine_benchmark("calvin")}
    assert list(findings) == ["pybullet", "simulation", "egl", "assets"]
    for subject in ("pybullet", "simulation", "assets"):
        assert findings[subject].level == "ok", findings[subject]
    assert findings["egl"].level in ("ok", "warning")
    assert "drawn by TinyRenderer" in findings["simulation"].text


def test_missing_and_altered_assets_name_the_command(shared, monkeypatch, tmp_path):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nothing"))
    found = doctor._assets()
    assert (found.level, found.command) == ("problem", "seer-bench assets calvin")
    assert "does not exist" in found.text
    folder = tmp_path / "assets"
    shutil.copytree(shared / "calvin_assets", folder)
    victim = next(folder.rglob("*.urdf"))
    victim.chmod(0o644)
    victim.write_text("<robot/>")
    monkeypatch.setenv(ROOT_VARIABLE, str(folder))
    found = doctor._assets()
    assert (found.level, victim.name in found.text) == ("problem", True)


def test_without_pybullet_the_checks_still_say_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['pybullet'] = sys.modules['pybullet_data'] = None\n"
        "from calvin_benchmark import doctor\n"
        "doctor.packages_distributions = lambda: {}\n"
        "print(list(doctor.examine()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "level='problem', text='not installed', command=\"pip install 'seer-bench[calvin]'\"" in done.stdout
    assert "optional=True" in done.stdout
    assert done.stdout.count("Finding") == 1


def test_other_versions_and_two_of_them_are_told(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "3.2.5")
    monkeypatch.setattr(doctor, "packages_distributions", lambda: {"pybullet": ["pybullet"]})
    found = doctor._package()
    assert (found.level, found.command) == ("warning", "pip install 'pybullet==3.2.7'")
    monkeypatch.setattr(doctor, "packages_distributions", lambda: {"pybullet": ["pybullet", "pybullet-arm64"]})
    found = doctor._package()
    assert (found.level, "pip uninstall -y pybullet pybullet-arm64" in found.command) == ("problem", True)


def test_a_renderer_that_does_not_work_is_a_warning(monkeypatch):
    from calvin_benchmark import renderer

    monkeypatch.setattr(renderer, "probe_egl", lambda: renderer.EglProbe(False, {}, "no\neglInitialize failed"))
    found = doctor._egl()
    assert (found.level, found.command) == ("warning", "apt-get install -y libegl1 libgl1-mesa-dri")
    assert "eglInitialize failed" in found.text
