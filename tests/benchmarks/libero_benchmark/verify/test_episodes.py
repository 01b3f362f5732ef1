"""Trajectories and expert episodes: whole, and tampered with."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from libero_benchmark.fixtures import FixturePose
from libero_benchmark.suites import find_task, load_init_states
from libero_benchmark.verify.record import random_actions
from seer_bench.contracts import Array

NAME = "task2_init3"
FILE = "task2.npz"


def _next_float(row: int):
    """One step of the last bit in one number."""

    def change(array: Array) -> Array:
        array[row, 0] = np.nextafter(array[row, 0], np.inf)
        return array

    return change


def _plus(size: float, row: int):
    def change(array: Array) -> Array:
        array[row] += size
        return array

    return change


def test_an_untouched_episode_is_identical(episode, verify):
    code, output = verify(episode)
    assert code == 0
    assert "identical  task2 [trajectories]: 2 images, 1 episodes, 12 steps, " in output
    assert "not compared" not in output


def test_the_last_bit_of_a_state_is_told(episode, verify):
    code, output = verify(episode.edit(FILE, f"{NAME}/qpos_every10", _next_float(0)))
    assert code == 3
    assert f"{NAME}: qpos_every10 differs from step 10 on" in output


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("qpos_every10", _plus(1e-6, 0), "qpos_every10 differs from step 10 on, by 1e-06"),
        ("qvel_after_settle", _plus(1e-6, 2), "qvel_after_settle differs from step 0 on"),
        ("obs0/robot0_joint_pos", _plus(1e-6, 0), "obs0/robot0_joint_pos differs from step 0 on"),
        ("obs/object-state", _plus(1e-5, 6), "obs/object-state differs from step 7 on"),
        ("done", lambda flags: ~flags, "done differs from step 1 on"),
        ("reward", _plus(1, 4), "reward differs from step 5 on, by 1"),
        ("init_state", _plus(1e-6, 5), "init_state differs by 1e-06"),
        ("actions", _plus(0.01, 8), "differs from step 9 on"),
        ("fixture_pos/flat_stove_1", _plus(1e-3, 0), "agentview at step 0 differs"),
        ("actions", lambda rows: rows * np.nan, f"'{NAME}/actions' holds values that are not finite"),
        ("actions", lambda rows: rows[:, :6], f"'{NAME}/actions' must hold floats of shape (n, 7)"),
        ("init_state", lambda state: state[:-1], f"'{NAME}/init_state' must hold floats of shape (47)"),
        ("obs/robot0_eef_pos", lambda rows: rows[:-1], "obs/robot0_eef_pos is recorded as float64 (11, 3)"),
        ("qpos_every10", lambda rows: rows[:0], "qpos_every10 is recorded as float64 (0, 24)"),
    ],
)
def test_what_differs_is_named(episode, verify, key, change, message):
    code, output = verify(episode.edit(FILE, f"{NAME}/{key}", change))
    assert code == 1
    assert message in output


def test_one_pixel_is_different(episode, verify):
    path = episode.path / "img" / f"{NAME}_step0_agentview_image.png"
    pixels = np.array(Image.open(path))
    pixels[64, 64, 1] ^= 1
    Image.fromarray(pixels).save(path)
    code, output = verify(episode)
    assert code == 1
    assert f"{NAME}: agentview at step 0 differs in 0.002% of its values, by up to 1" in output


def test_pictures_are_not_turned(episode, verify):
    path = episode.path / "img" / f"{NAME}_step0_agentview_image.png"
    Image.fromarray(np.array(Image.open(path))[::-1]).save(path)
    code, output = verify(episode)
    assert code == 1
    assert "agentview at step 0 differs" in output


def test_a_damaged_image_and_a_late_one_are_named(episode, verify):
    path = episode.path / "img" / f"{NAME}_step0_agentview_image.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    code, output = verify(episode)
    assert (code, f"{path.name} cannot be read" in output) == (1, True)
    path.write_bytes(whole)
    path.rename(path.with_name(f"{NAME}_step13_agentview_image.png"))
    code, output = verify(episode)
    assert (code, "step13_agentview_image.png comes after the last of 12 actions" in output) == (1, True)


def test_images_that_are_missing_are_named(episode, verify):
    (episode.path / "img").rename(episode.path / "pictures")
    code, output = verify(episode)
    assert code == 1
    assert "the folder of images 'img', which the index names, is missing" in output


def test_without_opengl_images_are_skipped_and_the_rest_is_compared(episode, verify, monkeypatch):
    from libero_benchmark.gl import GLProbe

    broken = GLProbe("osmesa", False, "", "OpenGL does not work here. Run: apt-get install -y libosmesa6")
    monkeypatch.setattr("libero_benchmark.verify.replays.probe_gl", lambda: broken)
    code, output = verify(episode)
    assert code == 0
    assert "images were not compared: OpenGL does not work here. Run: apt-get install" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if "fixture_pos" not in k}, "no array 'task2_init3/fixture_pos/flat_s"),
        (lambda a: {**a, f"{NAME}/fixture_pos/oven": np.zeros(3)}, "the scene has no fixture 'oven'"),
        (lambda a: {**a, f"{NAME}/obs0/radar": np.zeros(3)}, "the simulation observes no 'radar'"),
        (lambda a: {k.replace("task2", "task5"): v for k, v in a.items()}, "'task5_init3' is not of task 2"),
        (lambda a: {}, "the record holds nothing to compare"),
    ],
)
def test_malformed_records_are_named(episode, verify, change, message):
    code, output = verify(episode.edit(FILE, None, change))
    assert code == 1
    assert message in output


def test_an_episode_may_have_any_name_where_the_index_names_the_task(episode, verify):
    episode.edit(FILE, None, lambda a: {k.replace(NAME, "mine"): v for k, v in a.items()})
    code, output = verify(episode)
    assert (code, "1 episodes, 12 steps" in output) == (0, True)
    index = episode.index
    del index["records"]["task2"]["task"]
    code, output = verify(episode.write_index(index))
    assert (code, "'mine' is not named like task3_init7, and the index names no task" in output) == (1, True)


def test_other_settle_steps_are_another_episode(episode, verify):
    episode.edit_json("meta.json", lambda meta: {**meta, "settle": 4})
    assert verify(episode)[0] == 1
    index = episode.index
    index["records"]["task2"]["settle"] = 5
    assert verify(episode.write_index(index))[0] == 0


def test_a_broken_meta_file_is_refused(episode, verify):
    episode.edit_json("meta.json", lambda meta: {**meta, "settle": "five"})
    code, output = verify(episode)
    assert (code, "'settle' must be a whole number of at least 0, got 'five'" in output) == (2, True)


def test_arrays_that_nothing_was_compared_with_are_said(episode, verify):
    code, output = verify(episode.edit(FILE, None, lambda a: {**a, f"{NAME}/smell": np.zeros(3)}))
    assert code == 0
    assert f"not compared: {NAME}/smell" in output


def test_a_truncated_file_is_named(episode, verify):
    path = episode.path / FILE
    path.write_bytes(path.read_bytes()[:-1000])
    code, output = verify(episode)
    assert code == 1
    assert f"{FILE} is no whole .npz file" in output


def test_a_missing_file_does_not_stop_the_others(episode, verify):
    code, output = verify(episode.add("gone", "trajectories", ["gone.npz"]).keep("gone", "task2"))
    assert code == 1
    assert "gone.npz is missing" in output
    assert "identical  task2" in output


def test_another_physics_is_different(episode, verify, world_of, monkeypatch):
    world = world_of(find_task("libero_10", 2))
    whole = world._step
    monkeypatch.setattr(world, "_step", lambda action: whole(action * (1 + 1e-6)))
    code, output = verify(episode)
    assert code == 1
    assert "differs from step 1 on" in output


@pytest.fixture
def expert(packaged, world_of):
    """A short expert's episode in a scene without fixtures, that fails."""
    world = world_of(find_task("libero_10", 7))
    world.reset(load_init_states(world.task)[4])
    actions = random_actions(1)[:20]
    for action in actions:
        world.step(action)
    arrays = {"actions": actions, "success": np.array(False), "final_state": world.flat_state}
    np.savez(packaged.path / "own.npz", **{f"task7_init4/{name}": values for name, values in arrays.items()})
    return packaged.add("own", "expert_actions", ["own.npz"]).keep("own")


@pytest.mark.parametrize(
    ("key", "change", "code", "message"),
    [
        (None, lambda arrays: arrays, 0, "identical  own [expert_actions]: 1 episodes, 20 steps"),
        ("success", lambda flag: ~flag, 1, "task7_init4: success: recorded True, got False"),
        ("final_state", _plus(1e-12, 5), 3, "final_state differs by 1e-12"),
        ("final_state", _plus(0.01, 5), 1, "final_state differs by 0.01"),
        ("actions", lambda rows: rows[:-1], 1, "final_state differs"),
        (None, lambda a: {k.replace("init4", "init99"): v for k, v in a.items()}, 1, "one of the task's 50 initial"),
    ],
)
def test_expert_episodes_are_compared_at_their_end(expert, verify, key, change, code, message):
    found, output = verify(expert.edit("own.npz", key and f"task7_init4/{key}", change))
    assert found == code
    assert message in output


def test_fixtures_that_an_expert_record_leaves_out_are_drawn_as_upstream_does(packaged, verify, world_of):
    world = world_of(find_task("libero_10", 2))
    stove = FixturePose((-0.19072674478997942, 0.19766883037651556, 0.905), (1.0, 0.0, 0.0, 0.0))
    world.reset(load_init_states(world.task)[1], fixtures={"flat_stove_1": stove})
    action = np.full(7, 0.1)
    world.step(action)
    arrays = {"actions": action[None], "success": np.array(False), "final_state": world.flat_state}
    np.savez(packaged.path / "own.npz", **{f"task2_init1/{name}": values for name, values in arrays.items()})
    code, output = verify(packaged.add("own", "expert_actions", ["own.npz"]).keep("own"))
    assert (code, "1 episodes, 1 steps" in output) == (0, True)
