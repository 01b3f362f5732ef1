from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from libero_benchmark import assets, suites
from libero_benchmark.package import load_upstream
from libero_benchmark.suites import bddl_path, find_task, load_init_states, load_suites
from libero_benchmark.torch_archive import read_torch_array
from seer_bench import AssetError, UnknownNameError, UsageError


def test_suites_are_upstreams_in_upstreams_order():
    from libero.libero import benchmark

    assert {suite: len(tasks) for suite, tasks in load_suites().items()} == {
        "libero_10": 10, "libero_spatial": 10, "libero_object": 10, "libero_goal": 10, "libero_90": 90,
    }  # fmt: skip
    for suite, tasks in load_suites().items():
        theirs = benchmark.get_benchmark_dict()[suite]()
        assert [(t.name, t.instruction) for t in tasks] == [(t.name, t.language) for t in theirs.tasks]


def test_every_installed_file_is_upstreams():
    for tasks in load_suites().values():
        for task in tasks:
            assert bddl_path(task).is_file()
            assert load_init_states(task).shape == task.init_states_shape
    load_init_states.cache_clear()


def test_initial_states_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        load_init_states(find_task("libero_10", 2))[0] = 0


@pytest.mark.parametrize(
    ("suite", "index", "error"), [("libero_11", 0, UnknownNameError), ("libero_10", 10, UsageError)]
)
def test_unknown_tasks_are_refused(suite, index, error):
    with pytest.raises(error):
        find_task(suite, index)


@pytest.fixture
def altered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one task's files that a test may change."""
    upstream, task = load_upstream(), find_task("libero_goal", 0)
    for folder, pattern in ((upstream.bddl_files, f"{task.name}.bddl"), (upstream.init_states, f"{task.name}.pruned*")):
        target = tmp_path / folder.name / task.suite
        target.mkdir(parents=True)
        for path in (folder / task.suite).glob(pattern):
            shutil.copyfile(path, target / path.name)
    fake = replace(
        upstream, bddl_files=tmp_path / upstream.bddl_files.name, init_states=tmp_path / upstream.init_states.name
    )
    monkeypatch.setattr(suites, "load_upstream", lambda: fake)
    load_init_states.cache_clear()
    yield tmp_path
    load_init_states.cache_clear()


def test_another_scene_file_is_refused(altered):
    task = find_task("libero_goal", 0)
    path = bddl_path(task)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(AssetError, match="not upstream's"):
        bddl_path(task)
    path.unlink()
    with pytest.raises(AssetError, match="cannot be read"):
        bddl_path(task)


def test_other_initial_states_are_refused(altered):
    task = find_task("libero_goal", 0)
    path = next(altered.rglob("*.npz"))
    states = np.load(path)["states"].copy()
    states[3, 5] += 1e-9
    np.savez(path, states=states)
    with pytest.raises(AssetError, match="upstream's initial states"):
        load_init_states(task)
    path.write_bytes(b"PK no archive")
    with pytest.raises(AssetError, match="cannot be read"):
        load_init_states(task)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", "flip"])
def test_damaged_initial_states_are_named_with_the_remedy(altered, damage):
    path = next(altered.rglob("*.npz"))
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    path.write_bytes(flipped if damage == "flip" else damage(whole))
    with pytest.raises(AssetError, match=r"cannot be read: .*pip install --force-reinstall"):
        load_init_states(find_task("libero_goal", 0))


@pytest.mark.parametrize("content", [b"", b"\x80\x02}(K", b"cnumpy\nndarray\n(tR.", b"\x80\x02N)b."])
def test_a_damaged_pickle_is_no_archive(tmp_path, content):
    with zipfile.ZipFile(tmp_path / "x", "w") as file:
        file.writestr("archive/data.pkl", content)
    with pytest.raises(ValueError, match="no torch archive"):
        read_torch_array(tmp_path / "x")


def archive(path: Path, content: object) -> Path:
    """What `torch.save` makes of something without tensors."""
    buffer = io.BytesIO()
    pickle.dump(content, buffer, protocol=2)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", buffer.getvalue())
    return path


def test_upstreams_own_format_is_read_without_torch(altered):
    task = find_task("libero_goal", 0)
    packed = next(altered.rglob("*.npz"))
    archive(packed.with_suffix(""), np.load(packed)["states"])
    packed.unlink()
    assert load_init_states(task).shape == task.init_states_shape


@pytest.mark.parametrize("content", [Path("x"), [1.0], np.zeros(3, np.float32)])
def test_an_archive_of_anything_but_numbers_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="it holds"):
        read_torch_array(archive(tmp_path / "x.pruned_init", content))


def test_altered_and_missing_assets_are_named(tmp_path, monkeypatch):
    root = tmp_path / "assets"
    root.mkdir()
    (root / "a.xml").write_text("<mujoco/>")
    (root / "b.stl").write_text("mesh")
    sums = {"a.xml": (9, assets._sha256(root / "a.xml")), "b.stl": (4, assets._sha256(root / "b.stl"))}
    monkeypatch.setattr(assets, "manifest", lambda: sums)
    assets.check_folder(root)
    assets.check_files(root, [root / "x" / ".." / "b.stl", tmp_path / "elsewhere.stl"])
    for name, size, words in (("a.xml", (9, "0" * 64), "a.xml"), ("b.stl", (5, sums["b.stl"][1]), "b.stl")):
        monkeypatch.setattr(assets, "manifest", lambda name=name, size=size: {**sums, name: size})
        assets.check_folder.cache_clear()
        with pytest.raises(AssetError, match=rf"{words}.*pip install --force-reinstall"):
            assets.check_folder(root)
    monkeypatch.setattr(assets, "manifest", lambda: {**sums, "b.stl": (4, "0" * 64)})
    with pytest.raises(AssetError, match=r"b\.stl"):
        assets.check_files(root, [root / "b.stl"])
    assets.check_folder.cache_clear()
