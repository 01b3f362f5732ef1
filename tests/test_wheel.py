"""What a user gets from pip: the built wheel, installed outside the checkout, with a plugin of somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "benchmarks",
    "policies",
    "results/paper",
    "results/reference",
    "seer_bench",
    "LICENSE",
    "NOTICE",
    "README.md",
    "pyproject.toml",
)


def call(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, out: Path) -> Path:
    """Build a wheel from a copy, so that the checkout stays clean."""
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=source)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=skip)
        else:
            shutil.copy(ROOT / name, copy / name)
    (copy / "build" / "leftover").mkdir(parents=True)  # of an earlier build in the same checkout
    (copy / "build" / "leftover" / "__init__.py").touch()
    return build(copy, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and the example's wheel; third-party packages come from the one we run in."""
    folder = tmp_path_factory.mktemp("venv")
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    interpreter = folder / "bin" / "python"
    purelib = Path(
        call(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    (purelib / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    example = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples" / "hello_policy", example / "source")
    for package in (wheel, build(example / "source", example / "out")):
        call(
            sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", "--no-deps", package, cwd=folder
        )
    return interpreter


def test_the_wheel_holds_every_package_once_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    packages = {Path(name).parts[0] for name in names if "dist-info" not in name}
    folders = [folder for kind in ("benchmarks", "policies") for folder in (ROOT / kind).iterdir()]
    assert packages == {"seer_bench", *(folder.name for folder in folders if any(folder.glob("*.py")))}
    assert {"calvin_benchmark", "libero_benchmark", "gr1_policy", "mtact_policy", "remote_policy"} <= packages
    licences = {Path(name).name for name in names if "licenses" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_the_wheel_holds_the_data_that_the_checkout_holds(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("seer_bench", "benchmarks", "policies"):
        base = ROOT if folder == "seer_bench" else ROOT / folder
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and "egg-info" not in str(path):
                assert path.relative_to(base).as_posix() in held
    for published in ("paper/tables.yaml", "published/calvin-abc-d.yaml", "published/libero-long.yaml"):
        assert f"seer_bench/report/{published}" in held


def test_an_installed_wheel_plays_reports_and_finds_foreign_plugins(python: Path, tmp_path: Path):
    where = call(python, "-c", "import seer_bench, calvin_benchmark; print(seer_bench.__file__)", cwd=tmp_path)
    assert str(ROOT) not in where
    script = python.parent / "seer-bench"
    assert "hello" in call(script, "list", cwd=tmp_path)
    run = ("run", "calvin", "--protocol", "calvin-embedded/v1", "--units", "0:1", "--policy")
    assert "1 unit scored" in call(script, *run, "hello", "--policy-arg", "speed=0.3", "--out", "hello", cwd=tmp_path)
    call(script, *run, "random", "--out", "random", cwd=tmp_path)
    table = call(script, "report", ".", "--out", "tables", cwd=tmp_path)
    assert "hello" in table
    assert "random" in table
    assert (tmp_path / "tables" / "html" / "style.css").exists()
    assert (tmp_path / "tables" / "html" / "table2.html").exists()


def test_gymnasium_makes_the_environment_after_the_install(python: Path, tmp_path: Path):
    code = (
        "import gymnasium, seer_bench\n"
        "env = gymnasium.make('seer_bench/CalvinABCD-v0', protocol='calvin-embedded/v1', fields=('robot_obs',))\n"
        "observation, info = env.reset(options={'chain': 3})\n"
        "print(observation['robot_obs'].shape, info['instruction'])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(15,)")
