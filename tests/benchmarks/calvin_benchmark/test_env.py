from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import seer_bench
from calvin_benchmark import renderer
from calvin_benchmark.action_kinds import ACTION_KINDS
from calvin_benchmark.benchmark import CalvinBenchmark
from calvin_benchmark.env import CalvinEnv
from calvin_benchmark.renderer import available
from seer_bench import InvalidActionError, SimulationError, UnknownNameError, UsageError

EMBEDDED = "calvin-embedded/v1"
STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])


@pytest.fixture
def env():
    made = CalvinEnv(EMBEDDED, fields=("robot_obs", "scene_obs"))
    yield made
    made.close()


def unit(index: int) -> seer_bench.Unit:
    return CalvinBenchmark().units(CalvinEnv(EMBEDDED, fields=("robot_obs",)).protocol)[index]


def test_is_made_by_name_and_passes_gymnasiums_checker():
    made = gymnasium.make("seer_bench/CalvinABCD-v0", protocol=EMBEDDED, render_mode="rgb_array")
    with pytest.warns(UserWarning, match="infinity"):
        check_env(made.unwrapped)
    made.close()


def test_observations_lie_in_their_space_and_the_picture_shows_something():
    fields = ("rgb_static", "rgb_gripper", "depth_static", "depth_gripper", "robot_obs", "scene_obs")
    env = CalvinEnv(EMBEDDED, fields=fields)
    observation, info = env.reset(options={"chain": 5})
    assert env.observation_space.contains(observation)
    assert observation["rgb_static"].shape == (200, 200, 3)
    assert observation["rgb_gripper"].shape == (84, 84, 3)
    assert observation["rgb_static"].std() > 20
    assert 1 < np.median(observation["depth_static"]) < 6
    assert info["chain"] == 5
    assert info["subtask"] == info["subtasks"][0]
    env.close()


def test_an_observation_holds_what_was_asked_for_and_no_more(env):
    observation, _ = env.reset(options={"chain": 0})
    assert list(observation) == ["robot_obs", "scene_obs"]
    assert env.renderer == "none"


def test_the_seed_chooses_the_chain(env):
    chains = [env.reset(seed=seed)[1]["chain"] for seed in (3, 3, 4)]
    assert chains[0] == chains[1] != chains[2]


def test_a_chain_starts_the_same_whatever_ran_before(env):
    first, _ = env.reset(options={"chain": 7})
    trace = [env.step(np.array([0.5, 0, -1, 0, 0, 0, -1]))[0]["scene_obs"] for _ in range(40)]
    env.reset(options={"chain": 11})
    for _ in range(25):
        env.step(np.array([0, 0.5, -1, 0, 0, 0.5, -1]))
    again, _ = env.reset(options={"chain": 7})
    assert all(np.array_equal(first[key], again[key]) for key in first)
    repeated = [env.step(np.array([0.5, 0, -1, 0, 0, 0, -1]))[0]["scene_obs"] for _ in range(40)]
    assert np.array_equal(trace, repeated)


def test_two_environments_in_one_process_do_not_disturb_each_other(env):
    other = CalvinEnv(EMBEDDED, fields=("scene_obs", "robot_obs"))
    action = np.array([0.3, -0.2, -1, 0, 0, 0.4, -1])
    env.reset(options={"chain": 3})
    alone = [env.step(action)[0]["robot_obs"] for _ in range(30)]
    env.reset(options={"chain": 3})
    other.reset(options={"chain": 8})
    together = []
    for _ in range(30):
        together.append(env.step(action)[0]["robot_obs"])
        other.step(-action)
    assert np.array_equal(alone, together)
    other.close()


def test_the_gripper_command_is_made_one_by_its_sign(env):
    for value, expected in ((0.2, 1), (-0.7, -1), (0.0, -1)):
        env.reset(options={"chain": 0})
        observation, *_ = env.step(np.append(np.zeros(6), value))
        assert observation["robot_obs"][14] == expected


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.zeros(6), r"shape \(7,\)"),
        (np.zeros(7, dtype=int), "floating dtype"),
        (np.array([0, 0, np.nan, 0, 0, 0, 1.0]), "finite"),
        (np.array([0, np.inf, 0, 0, 0, 0, 1.0]), "finite"),
    ],
)
def test_a_bad_action_is_refused_and_the_world_is_untouched(env, action, words):
    before, _ = env.reset(options={"chain": 2})
    with pytest.raises(InvalidActionError, match=words):
        env.step(action)
    now = env.observe(("robot_obs", "scene_obs"))
    assert all(np.array_equal(before[key], now[key]) for key in before)


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS))
def test_every_action_kind_moves_the_arm_where_it_says(kind):
    env = CalvinEnv(EMBEDDED, fields=("robot_obs",), action_kind=kind)
    start = env.reset(options={"chain": 0})[0]["robot_obs"]
    assert env.action_space.shape == (len(ACTION_KINDS[kind].bounds),)
    goal = np.add(start[:3], (0.0, 0.0, 0.05))
    if kind == "cartesian_rel":
        actions = [np.array([0, 0, 0.5, 0, 0, 0, 1.0])] * 5 + [STILL] * 25
    elif kind == "cartesian_abs":
        actions = [np.array([*goal, *start[3:6], 1.0])] * 30
    elif kind == "cartesian_abs_quat":
        import pybullet

        actions = [np.array([*goal, *pybullet.getQuaternionFromEuler(start[3:6]), 1.0])] * 30
    else:
        turn = np.array([0, 0, 0, 0, 0, 0.1, 0])
        actions = [np.append(turn, 1.0)] if kind == "joint_rel" else [np.append(start[7:14] + turn, 1.0)] * 30
    for action in actions:
        observation, *_ = env.step(action)
    if kind == "joint_rel":
        assert observation["robot_obs"][12] > start[12]
    elif kind == "joint_abs":
        assert observation["robot_obs"][7:14] == pytest.approx(start[7:14] + turn, abs=5e-3)
    else:
        assert observation["robot_obs"][:3] == pytest.approx(goal, abs=5e-3)
    env.close()


def test_a_chain_that_runs_out_of_steps_is_truncated_and_over(env):
    env.reset(options={"chain": 0})
    for _ in range(359):
        _, reward, terminated, truncated, info = env.step(STILL)
        assert (reward, terminated, truncated) == (0.0, False, False)
    _, reward, terminated, truncated, info = env.step(STILL)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["subtask"] is None
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(STILL)


def test_steps_before_the_first_reset_are_refused(env):
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(STILL)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"protocol": "calvin-abc-d/v2"}, UnknownNameError, "Did you mean 'calvin-abc-d/v1'"),
        ({"fields": ("rgb_statc",)}, UnknownNameError, "rgb_static"),
        ({"action_kind": "joints"}, UnknownNameError, "joint_abs"),
        ({"scene": "E"}, UnknownNameError, "scene 'E'"),
        ({"renderer": "foo"}, UnknownNameError, "renderer 'foo'"),
        ({"render_mode": "human"}, UsageError, "render_mode 'human'"),
        ({"fields": "robot_obs"}, UsageError, "at least one name"),
        ({"fields": ()}, UsageError, "at least one name"),
        ({"renderer": "none"}, UsageError, "takes no pictures"),
        ({"renderer": "none", "fields": ("robot_obs",), "render_mode": "rgb_array"}, UsageError, "takes no pictures"),
        ({"backend": "mujoco"}, UnknownNameError, "backend 'mujoco'"),
        ({"protocol": "calvin-abc-d/seer-v1", "action_kind": "joint_abs"}, UsageError, "does not exist in variant"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        CalvinEnv(**({"protocol": EMBEDDED} | arguments))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chain": 1000}, "0 to 999"),
        ({"chain": -1}, "0 to 999"),
        ({"chain": "x"}, "not by 'x'"),
        ({"chain": 3.5}, "not by 3.5"),
        ({"chain": True}, "not by True"),
        ({"chains": 3}, "known: 'chain'"),
    ],
)
def test_a_reset_to_what_does_not_exist_is_refused(env, options, words):
    with pytest.raises(UsageError, match=words):
        env.reset(options=options)


def test_a_chain_may_be_numbered_by_numpy(env):
    assert env.reset(options={"chain": np.int64(12)})[1]["chain"] == 12


@pytest.mark.parametrize("played", [False, True])
def test_a_closed_environment_refuses_everything_but_closing(played):
    env = CalvinEnv(EMBEDDED, render_mode="rgb_array")
    if played:
        env.reset(options={"chain": 0})
    env.close()
    env.close()
    uses = (env.reset, lambda: env.step(STILL), lambda: env.observe(("robot_obs",)), env.render, env.state)
    for use in uses:
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="make a new one"):
            use()


def test_looking_before_the_first_reset_is_refused(env):
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.observe(("robot_obs",))


def test_a_copy_never_shares_the_world(env):
    fresh = copy.deepcopy(env)
    env.reset(options={"chain": 1})
    with pytest.raises(UsageError, match="neither copied nor pickled"):
        copy.deepcopy(env)
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(UsageError, match=r"env\.spec"):
            way(env._world)
    fresh.reset(options={"chain": 2})
    before = env.observe(("scene_obs",))["scene_obs"]
    fresh.step(STILL)
    assert np.array_equal(env.observe(("scene_obs",))["scene_obs"], before)
    fresh.close()


@pytest.fixture
def with_egl(official, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(official))
    if not available("egl"):
        pytest.skip("EGL does not work here")


def test_gymnasiums_checker_passes_under_egl(with_egl):
    made = gymnasium.make("seer_bench/CalvinABCD-v0")
    with pytest.warns(UserWarning, match="infinity"):
        check_env(made.unwrapped, skip_render_check=True)
    assert made.unwrapped.renderer == "egl"
    made.close()


def test_the_default_protocol_fails_at_construction_where_egl_does_not_work(official, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(official))
    monkeypatch.setattr(renderer, "probe_egl", lambda: renderer.EglProbe(False, {}, "no driver"))
    with pytest.raises(SimulationError, match="apt-get install libegl1"):
        CalvinEnv()


def test_a_vector_of_egl_environments_runs_in_processes_of_its_own(with_egl):
    makers = [partial(CalvinEnv, fields=("rgb_static",))] * 2
    vector = gymnasium.vector.AsyncVectorEnv(makers, context="spawn")
    try:
        observation, info = vector.reset(seed=[3, 3], options=None)
        assert np.array_equal(*observation["rgb_static"])
        assert info["chain"][0] == info["chain"][1]
    finally:
        vector.close()


def test_egl_is_refused_in_a_fork_of_a_process_that_loaded_it(with_egl):
    code = """
import os
from calvin_benchmark.env import CalvinEnv
from calvin_benchmark.renderer import available
first = CalvinEnv(fields=("rgb_static",))
first.reset(options={"chain": 0})
first.close()
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    CalvinEnv(fields=("rgb_static",)).reset(options={"chain": 0})
except Exception as error:
    print(type(error).__name__, error, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.startswith("SimulationError this process was forked")
    assert "context='spawn'" in done.stdout
    assert done.stderr == ""  # not even the line that pybullet prints when it is loaded


@pytest.mark.parametrize("scene", ["A", "B", "C", "D"])
def test_the_official_scenes_can_be_played(shared, monkeypatch, scene):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    env = CalvinEnv("calvin-abc-d/v1-tiny", scene=scene)
    observation, _ = env.reset(options={"chain": 1})
    assert env.observation_space.contains(observation)
    env.step(STILL)
    env.close()


def test_the_state_for_privileged_policies_agrees_with_the_observation(env):
    observation, info = env.reset(options={"chain": 4})
    state = env.state()
    assert state.task == info["subtask"]
    assert np.array_equal(state.tcp_position, observation["robot_obs"][:3])
    assert state.joints["drawer"] == observation["scene_obs"][1]
    assert np.array_equal(state.bodies["block_pink"].position, observation["scene_obs"][18:21])
