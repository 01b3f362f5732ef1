"""Parity with upstream's recordings, and episodes that leave no trace."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from libero_benchmark.fixtures import FixturePose
from libero_benchmark.rng import private_numpy_random
from libero_benchmark.state import StateReader
from libero_benchmark.suites import Task, bddl_path, find_task, load_init_states
from libero_benchmark.world import World
from seer_bench import InvalidActionError, UnknownNameError, UsageError

STILL = np.zeros(7)
STOVE = {"flat_stove_1": FixturePose((-0.19, 0.19, 0.905), (1.0, 0.0, 0.0, 0.0))}


def start(world: World, trial: int = 0) -> None:
    world.reset(load_init_states(world.task)[trial], fixtures=STOVE)


def actions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 7))


def everything(world: World) -> bytes:
    """Every bit that a policy or a recording can hold."""
    pictures = [world.render(name, width=64, height=64) for name in ("agentview", "robot0_eye_in_hand")]
    return b"".join(np.asarray(v).tobytes() for v in (world.flat_state, *world.observation.values(), *pictures))


def play(world: World, count: int = 4, seed: int = 0) -> list[bytes]:
    return [everything(world)] + [world.step(a) is True or everything(world) for a in actions(count, seed)]


def new_environment(task: Task, seed: int, init_state: np.ndarray, *, seeded: str) -> Any:
    """Upstream's own environment, as its evaluations make one for an episode."""
    environments = importlib.import_module("libero.libero.envs.env_wrapper")
    with private_numpy_random(seed):
        env = environments.OffScreenRenderEnv(bddl_file_name=str(bddl_path(task)), camera_heights=8, camera_widths=8)
        if seeded == "before construction":
            env.env.reset()
    if seeded == "before reset":
        with private_numpy_random(seed):
            env.env.reset()
    env.set_init_state(init_state)
    return env


@pytest.mark.parametrize(
    ("suite", "index", "seed", "seeded"),
    [("libero_10", 0, 42, "before construction"), ("libero_object", 1, 2, "before reset")],
)
def test_the_solver_starts_as_in_a_new_environment(suite, index, seed, seeded):
    """Its warm start is no part of a state, and what it keeps of the reset grows with the first contacts."""
    task = find_task(suite, index)
    state = load_init_states(task)[20]
    theirs, ours = new_environment(task, seed, state, seeded=seeded), World(task, images=False, seed=seed)
    try:
        ours.reset(load_init_states(task)[1], seed=5)
        ours.step(np.ones(7))
        ours.reset(state, seed=None if seeded == "before construction" else seed)
        for action in (STILL, *actions(2)):
            theirs.step(action)
            ours.step(action)
            assert theirs.env.sim.data.qacc_warmstart.tobytes() == ours.inner.sim.data.qacc_warmstart.tobytes()
            assert theirs.env.sim.get_state().flatten().tobytes() == ours.flat_state.tobytes()
    finally:
        theirs.close()
        ours.close()


def test_settling_commands_the_gripper(stove):
    start(stove)
    assert stove.gripper_command == 0.0
    stove.settle(np.array([0, 0, 0, 0, 0, 0, -1.0]), 1)
    assert stove.gripper_command == -1.0


def test_the_state_holds_what_scipy_makes_of_each_matrix(stove):
    start(stove)
    stove.step(actions(1)[0])
    env, bodies = stove.inner, StateReader(stove).read().bodies
    data = env.sim.data._data
    for name, body in env.obj_body_id.items():
        assert bodies[name].position.tobytes() == data.xpos[body].tobytes()
        alone = Rotation.from_matrix(data.xmat[body].reshape(3, 3)).as_quat()
        assert bodies[name].quaternion.tobytes() == alone.tobytes()


@pytest.mark.parametrize("task", [3, 8])
def test_a_kept_world_equals_upstreams_fresh_environments_bit_for_bit(golden: Path, task: int):
    recorded = np.load(golden / f"task{task}.npz")
    world = World(find_task("libero_10", task))
    for trial in (19, 0):
        prefix = f"task{task}_init{trial}/"
        poses = {
            name.rpartition("/")[2]: FixturePose(
                tuple(recorded[name].tolist()), tuple(recorded[name.replace("_pos", "_quat")].tolist())
            )
            for name in recorded.files
            if name.startswith(f"{prefix}fixture_pos/")
        }
        world.reset(load_init_states(world.task)[trial], fixtures=poses)
        assert world.fixtures == poses
        compare_observation(world, recorded, f"{prefix}obs0/", ...)
        compare_pictures(world, golden / "img", f"task{task}_init{trial}_step0")
        world.settle(STILL, 5)
        state = np.concatenate([recorded[f"{prefix}qpos_after_settle"], recorded[f"{prefix}qvel_after_settle"]])
        np.testing.assert_array_equal(world.flat_state[1:], state)
        for i, action in enumerate(recorded[f"{prefix}actions"]):
            assert world.step(action) == recorded[f"{prefix}done"][i]
            compare_observation(world, recorded, f"{prefix}obs/", i)
            if i == 39:
                compare_pictures(world, golden / "img", f"task{task}_init{trial}_step40")
            if i % 10 == 9:
                np.testing.assert_array_equal(
                    world.flat_state[1:],
                    np.concatenate([recorded[f"{prefix}{what}_every10"][i // 10] for what in ("qpos", "qvel")]),
                )
    world.close()


def compare_observation(world: World, recorded, prefix: str, row) -> None:
    names = [name.removeprefix(prefix) for name in recorded.files if name.startswith(prefix)]
    assert "robot0_eef_pos" in names
    for name in names:
        np.testing.assert_array_equal(world.observation[name], recorded[prefix + name][row], err_msg=name)


def compare_pictures(world: World, folder: Path, stem: str) -> None:
    for camera in ("agentview", "robot0_eye_in_hand"):
        wanted = np.asarray(Image.open(folder / f"{stem}_{camera}_image.png"))
        np.testing.assert_array_equal(world.render(camera, width=128, height=128), wanted, err_msg=camera)


def test_an_episode_leaves_no_trace_in_the_next_one(stove):
    start(stove)
    first = play(stove)
    start(stove, trial=5)
    play(stove, count=9, seed=1)
    start(stove)
    assert play(stove) == first


def test_an_episode_is_the_same_in_a_new_world(stove):
    start(stove, trial=3)
    first = play(stove)
    other = World(stove.task)
    start(other, trial=3)
    assert play(other) == first
    other.close()


def test_fixtures_that_are_not_named_are_drawn_from_the_seed(stove):
    state = load_init_states(stove.task)[0]
    poses = []
    for seed in (1, 2, 1):
        stove.reset(state, seed=seed)
        poses.append(stove.fixtures)
    assert poses[0] == poses[2] != poses[1]
    assert abs(poses[0]["flat_stove_1"].position[0] - poses[1]["flat_stove_1"].position[0]) < 0.02


def test_a_picture_shows_what_was_observed_however_late_it_is_asked_for(stove):
    start(stove)
    now = stove.render("agentview", width=64, height=64)
    stove.settle(np.append(np.full(6, 0.9), -1), 6, keep_observation=True)
    np.testing.assert_array_equal(stove.render("agentview", width=64, height=64), now)
    held = stove.observation["robot0_eef_pos"]
    stove.step(STILL)
    assert not np.array_equal(stove.render("agentview", width=64, height=64), now)
    assert np.linalg.norm(stove.observation["robot0_eef_pos"] - held) > 0.01


def test_pictures_do_not_touch_the_physics(stove):
    start(stove)
    for action in actions(3):
        stove.step(action)
    unseen = stove.flat_state
    start(stove)
    for action in actions(3):
        stove.render("robot0_eye_in_hand", width=200, height=100)
        stove.step(action)
    np.testing.assert_array_equal(stove.flat_state, unseen)
    assert stove.render("frontview", width=700, height=500).shape == (500, 700, 3)


def test_finite_actions_are_clipped_and_kept_from_harm(stove):
    wild = np.array([3.0, -9, 2, 5, -4, 1.5, 7])
    before = wild.copy()
    start(stove)
    stove.step(wild)
    np.testing.assert_array_equal(wild, before)
    far = stove.flat_state
    start(stove)
    stove.step(np.clip(wild, -1, 1))
    np.testing.assert_array_equal(stove.flat_state, far)


@pytest.mark.parametrize(
    "action", [np.full(7, np.nan), np.append(np.zeros(6), np.inf), np.zeros(6), np.zeros(7, int), [0.0] * 7]
)
def test_a_faulty_action_never_reaches_the_simulator(stove, action):
    start(stove)
    before = stove.flat_state
    with pytest.raises(InvalidActionError):
        stove.step(action)
    np.testing.assert_array_equal(stove.flat_state, before)


def test_numpys_random_state_is_left_alone(stove):
    np.random.seed(3)  # noqa: NPY002 - the global state is what the test is about
    before = np.random.get_state()  # noqa: NPY002
    start(stove)
    play(stove, count=2)
    World(stove.task, images=False).close()
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])


def test_wrong_arguments_are_refused_in_words(stove):
    state = load_init_states(stove.task)[0]
    with pytest.raises(UnknownNameError, match=r"fixture .*flat_stove_1"):
        stove.reset(state, fixtures={"stove": STOVE["flat_stove_1"]})
    with pytest.raises(UsageError, match=r"expected \(47,\)"):
        stove.reset(state[:-1])
    with pytest.raises(UsageError, match="finite"):
        stove.reset(np.full_like(state, np.nan))
    with pytest.raises(UnknownNameError, match="camera"):
        stove.render("wristcam", width=8, height=8)
    with pytest.raises(UsageError, match="copied"):
        copy.copy(stove)


def test_a_world_without_images_refuses_pictures_and_closes_twice():
    world = World(find_task("libero_10", 2), images=False)
    start(world)
    with pytest.raises(UsageError, match="images=True"):
        world.render("agentview", width=8, height=8)
    world.close()
    world.close()
