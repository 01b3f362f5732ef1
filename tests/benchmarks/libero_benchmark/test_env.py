from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.env import LiberoEnv
from libero_benchmark.protocols import load_protocol
from seer_bench import InvalidActionError, UnknownNameError, UsageError

STILL = np.zeros(7, np.float32)


@pytest.fixture(scope="module")
def env():
    made = LiberoEnv("libero-long/seer-v1", task=2)
    yield made
    made.close()


def test_is_made_by_name_and_passes_gymnasiums_checker():
    made = gymnasium.make("seer_bench/LiberoLong-v0", task=2)
    with pytest.warns(UserWarning, match="infinity"):
        check_env(made.unwrapped, skip_render_check=True)
    made.close()


def test_observations_lie_in_their_space(env):
    observation, info = env.reset(options={"trial": 4})
    assert env.observation_space.contains(observation)
    assert observation["rgb_agentview"].shape == (128, 128, 3)
    assert observation["rgb_agentview"].std() > 20
    assert info["instruction"] == "turn on the stove and put the moka pot on it"
    assert (info["task"], info["trial"], info["success"]) == (2, 4, False)


@pytest.mark.parametrize(
    ("orientation", "turn"), [("raw", lambda i: i), ("upright", lambda i: i[::-1]), ("rot180", lambda i: i[::-1, ::-1])]
)
def test_orientations_are_applied_once_and_contiguously(env, orientation, turn):
    raw = env.reset(options={"trial": 0})[0]["rgb_eye_in_hand"]
    other = LiberoEnv("libero-long/seer-v1", task=2, orientation=orientation, fields=("rgb_eye_in_hand",))
    image = other.reset(options={"trial": 0})[0]["rgb_eye_in_hand"]
    np.testing.assert_array_equal(image, turn(raw))
    assert image.flags.c_contiguous
    other.close()


def test_rotations_agree_with_one_another(env):
    env.reset(options={"trial": 1})
    seen = env.observe(("eef_quaternion", "eef_euler", "eef_axis_angle", "gripper_qpos", "joint_positions"))
    from scipy.spatial.transform import Rotation

    quaternion = Rotation.from_quat(seen["eef_quaternion"])
    for other in (Rotation.from_euler("xyz", seen["eef_euler"]), Rotation.from_rotvec(seen["eef_axis_angle"])):
        assert (quaternion.inv() * other).magnitude() < 1e-6
    assert seen["gripper_qpos"][0] > 0 > seen["gripper_qpos"][1]
    assert seen["joint_positions"].shape == (7,)


def test_seer_sees_the_start_from_before_settling_and_the_clean_protocol_from_after(env):
    clean = LiberoEnv("libero-long/v1", task=2, cameras="off")
    clean.reset(options={"trial": 0})
    env.reset(options={"trial": 0})
    upstream = env._built.inner
    assert np.array_equal(env.observe(["eef_position"])["eef_position"], env._built.observation["robot0_eef_pos"])
    settled = upstream.sim.data.site_xpos[upstream.robots[0].eef_site_id]
    stale = np.linalg.norm(env.observe(["eef_position"])["eef_position"] - settled)
    fresh = np.linalg.norm(clean.observe(["eef_position"])["eef_position"] - clean.state().tcp_position)
    assert stale > 10 * fresh
    clean.close()


def test_a_unit_begins_its_trial_and_records_its_fixtures(env):
    protocol = env.protocol
    unit = LiberoBenchmark().units(protocol)[47]
    assert unit.id == "libero-long/seer-v1:task=2,trial=07"
    assert env.begin(unit).instruction == "turn on the stove and put the moka pot on it"
    position = env.initial["fixtures"]["flat_stove_1"]["position"]
    assert position == [-0.19429648077213973, 0.1939934756431672, 0.905]


def test_the_state_names_bodies_sites_and_joints(env):
    env.reset(options={"trial": 0})
    state = env.state()
    assert {"moka_pot_1", "flat_stove_1", "flat_stove_1_cook_region"} <= set(state.bodies)
    assert list(state.joints) == ["flat_stove_1_button"]
    assert state.gripper_command == 0
    env.advance(np.append(np.zeros(6), 0.3))
    assert env.state().gripper_command == 1
    assert env.state().held == frozenset()
    np.testing.assert_allclose(state.bodies["flat_stove_1"].quaternion, [0, 0, 0, 1])


def test_a_trial_ends_at_the_protocols_limit():
    protocol = load_protocol("libero-long/v1")
    trials = {**protocol.settings["trials"], "steps": 2}
    env = LiberoEnv(replace(protocol, settings={**protocol.settings, "trials": trials}), task=2, cameras="off")
    env.reset(seed=1)
    assert env.step(STILL)[2:4] == (False, False)
    assert env.step(STILL)[2:4] == (False, True)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(STILL)
    env.close()
    env.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        env.reset()


def test_a_recorded_success_terminates(golden):
    actions = np.load(golden / "expert_actions.npz")["task7_init0/actions"]
    protocol = load_protocol("libero-long/v1")
    settings = {**protocol.settings, "settle": {"steps": 0, "action": [0] * 7}}
    env = LiberoEnv(replace(protocol, settings=settings), task=7, cameras="off")
    env.reset(options={"trial": 0})
    for action in actions[:-1]:
        assert env.step(action)[1:4] == (0.0, False, False)
    *_, reward, terminated, truncated, info = env.step(actions[-1])
    assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, True)
    env.close()


def test_other_suites_are_played_by_a_parameter():
    env = LiberoEnv(suite="libero_spatial", task=0, cameras="off")
    _, info = env.reset(options={"trial": 49})
    assert info["suite"] == "libero_spatial"
    assert info["instruction"].startswith("pick up the black bowl")
    env.close()


def test_a_non_finite_action_leaves_the_world_untouched(env):
    env.reset(options={"trial": 0})
    before = env._built.flat_state
    with pytest.raises(InvalidActionError):
        env.step(np.full(7, np.nan, np.float32))
    np.testing.assert_array_equal(env._built.flat_state, before)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"protocol": "libero-long/v9"}, UnknownNameError, "libero-long/v1"),
        ({"suite": "libero_11"}, UnknownNameError, "libero_10"),
        ({"task": 10}, UsageError, "0 to 9"),
        ({"fields": ["rgb_wrist"]}, UnknownNameError, "rgb_eye_in_hand"),
        ({"fields": []}, UsageError, "at least one"),
        ({"orientation": "flipped"}, UnknownNameError, "rot180"),
        ({"backend": "own"}, UnknownNameError, "pinned"),
        ({"cameras": "off", "fields": ["rgb_agentview"]}, UsageError, "take no pictures"),
        ({"render_mode": "human"}, UsageError, "rgb_array"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_built(arguments, error, words):
    with pytest.raises(error, match=words):
        LiberoEnv(**arguments)


@pytest.mark.parametrize("options", [{"trial": 20}, {"trial": -1}, {"task": 99}, {"chain": 1}])
def test_wrong_options_are_refused(env, options):
    with pytest.raises(UsageError):
        env.reset(options=options)
