"""The packaged set: whole, tampered with, and made again."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from calvin_benchmark.assets import ROOT_VARIABLE, scene_root
from calvin_benchmark.scene import load_scene
from calvin_benchmark.verify import CalvinVerifier, packaged_folder
from calvin_benchmark.verify.record import record
from calvin_benchmark.world import World

ROLLOUT = "embedded_rollouts_pinned"
RESETS = "embedded_resets"


def test_without_assets_the_embedded_records_run(verify, tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nowhere"))
    code, output = verify()
    lines = output.splitlines()
    assert code == 0
    assert any(line.startswith("pybullet") for line in lines)
    embedded = [line for line in lines if " embedded_" in line]
    official = [line for line in lines if " official_" in line]
    assert len(embedded) == len(official) == 3
    assert all(line.startswith("identical") for line in embedded)
    assert all(line.startswith("skipped") and "seer-bench assets calvin" in line for line in official)


def test_with_assets_all_records_run(official, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(official))
    assert [verdict.status for verdict in CalvinVerifier().verify()] == ["identical"] * 6


def test_the_set_is_small():
    assert sum(file.stat().st_size for file in packaged_folder().iterdir()) < 1_000_000


def test_a_set_made_again_is_the_same(tmp_path):
    record(tmp_path, {"embedded": "embedded"})
    verdicts = list(CalvinVerifier().verify(tmp_path))
    assert [verdict.status for verdict in verdicts] == ["identical"] * 3
    with np.load(packaged_folder() / f"{ROLLOUT}.npz") as old, np.load(tmp_path / f"{ROLLOUT}.npz") as new:
        assert set(old) == set(new)
        assert all(np.array_equal(old[name], new[name]) for name in old)


def _flip_bit(bit: int, row: int):
    def change(array):
        array.view(np.uint64)[row, 0] ^= np.uint64(1 << bit)
        return array

    return change


def test_the_last_bit_at_one_step_is_round_off(embedded, verify):
    embedded.keep(ROLLOUT).edit(f"{ROLLOUT}.npz", "r00/robot_obs", _flip_bit(0, 17))
    code, output = verify(embedded)
    assert code == 3
    assert f"round-off  {ROLLOUT}" in output
    assert "r00/robot_obs differs from step 17 on" in output


def test_a_higher_bit_at_one_step_is_different(embedded, verify):
    embedded.keep(ROLLOUT).edit(f"{ROLLOUT}.npz", "r00/ik_joints", _flip_bit(40, 17))
    code, output = verify(embedded)
    assert code == 1
    assert f"different  {ROLLOUT}" in output
    assert "r00/ik_joints differs from step 17 on" in output


def test_a_contact_count_alone_is_different(embedded, verify):
    embedded.keep(ROLLOUT).edit(f"{ROLLOUT}.npz", "r00/n_contacts", lambda counts: counts + 1)
    code, output = verify(embedded)
    assert code == 1
    assert "n_contacts differs from step 0 on, by 1" in output


def test_one_pixel_is_told_but_passes_as_another_processors(embedded, verify):
    def change(images):
        images[1, 100, 100] ^= 255
        return images

    name = "embedded_rollouts_main"
    code, output = verify(embedded.keep(name).edit(f"{name}.npz", "r00/rgb_static", change))
    assert code == 3
    assert "r00/rgb_static at step 40 differs in 0.0" in output


def test_a_record_that_differs_does_not_stop_the_others(embedded, verify):
    (embedded.path / f"{ROLLOUT}.npz").unlink()
    code, output = verify(embedded.keep(ROLLOUT, RESETS))
    assert code == 1
    assert f"{ROLLOUT}.npz is missing" in output
    assert f"identical  {RESETS}" in output


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("robot_obs", lambda a: a.astype(np.float32), "robot_obs is recorded as float32 (15,)"),
        ("robot_obs", lambda a: a[:2], "'robot_obs' must hold floats of shape (6, n)"),
        ("scene_obs", lambda a: a[:, :20], "scene_obs is recorded as float64 (20,), expected float64 (24,)"),
        ("scene_obs", lambda a: a * np.nan, "'scene_obs' holds values that are not finite"),
        ("scene_obs", lambda a: a.astype(object), "'scene_obs' cannot be read"),
        ("sequence_index", lambda a: a + 5000, "there is no chain 5000"),
        ("sequence_index", lambda a: a.astype(float), "'sequence_index' must hold integers"),
        ("load_block_poses_xyz_quat", lambda a: a + 1e-3, "loading: load_block_poses_xyz_quat differs by 0.001"),
        (None, lambda arrays: {"robot_obs": arrays["robot_obs"]}, f"{RESETS}.npz has no array 'sequence_index'"),
    ],
)
def test_malformed_arrays_are_named(embedded, verify, key, change, message):
    code, output = verify(embedded.keep(RESETS).edit(f"{RESETS}.npz", key, change))
    assert code == 1
    assert message in output


def test_a_state_that_differs_slightly_is_round_off_and_otherwise_different(embedded, verify):
    file = f"{RESETS}.npz"
    assert verify(embedded.keep(RESETS).edit(file, "robot_obs", lambda a: a + 1e-12))[0] == 3
    assert verify(embedded.edit(file, "robot_obs", lambda a: a + 1e-6))[0] == 1


@pytest.mark.parametrize(("content", "count"), [(b"", None), (b"no archive", None), (None, 5000)])
def test_a_truncated_file_is_named(embedded, verify, content, count):
    path = embedded.path / f"{RESETS}.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: count and len(whole) // 2] if content is None else content)
    code, output = verify(embedded.keep(RESETS))
    assert code == 1
    assert f"{RESETS}.npz is no whole .npz file" in output


def test_a_damaged_byte_is_named(embedded, verify):
    path = embedded.path / f"{RESETS}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    code, output = verify(embedded.keep(RESETS))
    assert code == 1
    assert f"{RESETS}.npz" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: [], "the record holds nothing to compare"),
        (lambda entries: {"rollouts": entries}, f"{ROLLOUT}.json must hold a list of objects"),
        (lambda entries: [{**entries[0], "rollout": "one"}], "'rollout' must be of type int, got 'one'"),
        (lambda entries: [{**entries[0], "rollout": 7}], f"{ROLLOUT}.npz has no array 'r07/actions'"),
        (lambda entries: [{**entries[0], "kind": "joint_abs"}], f"{ROLLOUT}.npz has no array 'joint_abs00/actions'"),
        (
            lambda entries: [{**entries[0], "initial_state": {**entries[0]["initial_state"], "slider": "up"}}],
            "initial state 'slider' is 'up'",
        ),
    ],
)
def test_a_malformed_list_of_rollouts_is_named(embedded, verify, change, message):
    code, output = verify(embedded.keep(ROLLOUT).edit_json(f"{ROLLOUT}.json", change))
    assert code == 1
    assert message in output


def test_unreadable_json_is_named(embedded, verify):
    (embedded.path / f"{ROLLOUT}.json").write_text("[{")
    code, output = verify(embedded.keep(ROLLOUT))
    assert code == 1
    assert f"{ROLLOUT}.json cannot be read" in output


@pytest.mark.parametrize(
    ("row", "message"),
    [([0.1] * 6 + [0.5], "gripper command must be exactly -1"), ([np.inf] * 7, "'r00/actions' holds values that are")],
)
def test_actions_that_no_world_takes_are_named(embedded, verify, row, message):
    def change(actions):
        actions[3] = row
        return actions

    code, output = verify(embedded.keep(ROLLOUT).edit(f"{ROLLOUT}.npz", "r00/actions", change))
    assert code == 1
    assert message in output


def test_what_is_not_compared_is_said(embedded, verify):
    extra = {"r00/tactile": np.zeros(3), "r09/robot_obs": np.zeros(3)}
    code, output = verify(embedded.keep(ROLLOUT).edit(f"{ROLLOUT}.npz", None, lambda arrays: {**arrays, **extra}))
    assert code == 0
    assert "not compared: r00/tactile, r09/robot_obs" in output


def test_what_is_not_compared_is_said_for_every_kind(embedded, verify):
    extra = {f"bonus{i}": np.zeros(3) for i in range(8)}
    code, output = verify(embedded.keep(RESETS).edit(f"{RESETS}.npz", None, lambda arrays: {**arrays, **extra}))
    assert code == 0
    assert "not compared: bonus0, bonus1, bonus2, bonus3, bonus4, bonus5 and 2 more" in output


def test_whole_records_say_nothing_of_the_kind(embedded, verify):
    _, output = verify(embedded)
    assert "not compared" not in output


def test_an_unknown_action_kind_is_skipped(embedded, verify):
    code, output = verify(
        embedded.keep(ROLLOUT).edit_json(
            f"{ROLLOUT}.json", lambda entries: [*entries, {**entries[0], "kind": "teleport"}]
        )
    )
    assert code == 0
    assert "rollouts of the unknown action kind 'teleport' were not replayed" in output


def test_an_unknown_kind_is_listed_and_skipped(embedded, verify):
    code, output = verify(embedded.keep(RESETS).add("smells", "olfactory", ["smells.npz"]))
    assert code == 0
    assert "skipped    smells [olfactory]: nothing (unknown kind" in output


def test_unknown_kinds_alone_are_no_success(embedded, verify):
    folder = embedded.add("smells", "olfactory", []).keep("smells")
    code, output = verify(folder)
    assert code == 2
    assert "skipped    smells" in output
    assert "could be compared" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: {**index, "schema": "seer-bench/golden-index/2"}, "schema is 'seer-bench/golden-index/2'"),
        (lambda index: {**index, "subject": "libero"}, "subject is 'libero'"),
        (lambda index: {**index, "records": {}}, "at least one record"),
        (lambda index: [], "schema is None"),
        (lambda index: {**index, "records": {"a": []}}, "record 'a' must be an object with a 'kind'"),
        (lambda index: {**index, "records": {"a": {"kind": "x", "files": "y"}}}, "'files' must be a list"),
        (lambda index: {**index, "records": {"a": {"kind": "x", "files": ["../y"]}}}, "lies outside the folder"),
        (lambda index: {**index, "records": {"a": {"kind": "x", "files": [], "variant": "new"}}}, "variant is 'new'"),
        (lambda index: {**index, "records": {"a": {"kind": "x", "files": [], "scene": "E"}}}, "scene is 'E'"),
    ],
)
def test_a_broken_index_is_refused(embedded, verify, change, message):
    code, output = verify(embedded.write_index(change(embedded.index)))
    assert code == 2
    assert message in output
    assert "index.json" in output


def test_a_folder_without_an_index_is_refused(embedded, verify):
    (embedded.path / "index.json").write_text("{")
    assert "cannot be read" in verify(embedded)[1]
    (embedded.path / "index.json").unlink()
    assert "has no index.json" in verify(embedded)[1]
    embedded.path = embedded.path / "nowhere"
    assert "no such folder" in verify(embedded)[1]


@pytest.mark.parametrize("force", [199.9, 200.0])
def test_another_physics_is_different(embedded, force):
    """The arm's force is 200; nothing but the world differs between the two cases."""

    def make_world(recording, renderer):
        scene = load_scene(recording.scene)
        scene = replace(scene, robot=replace(scene.robot, arm_force=force))
        return World(scene, scene_root(scene), variant=recording.variant, renderer=renderer)

    (verdict,) = CalvinVerifier(make_world).verify(embedded.keep(ROLLOUT).path)
    assert verdict.status == ("identical" if force == 200 else "different"), verdict


def test_facts_tell_what_may_change_a_bit():
    facts = CalvinVerifier().facts()
    assert {"pybullet", "numpy", "processor", "renderers", "assets"} <= facts.keys()
    assert facts["pybullet"][0].isdigit()
    assert json.loads((packaged_folder() / "index.json").read_text())["made_by"]["pybullet"]
