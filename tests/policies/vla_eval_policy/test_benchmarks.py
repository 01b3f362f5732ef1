"""vla-eval's actions, as the simulator here takes them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import InvalidActionError, Unit
from vla_eval_policy.benchmarks import CalvinTranslator, LiberoTranslator
from vla_eval_policy.greeting import Greeting
from vla_eval_policy.pictures import as_vla_eval_sends


def greeting(**changes: object) -> Greeting:
    plain = {"wrist_image": False, "state": False, "absolute_action": False, "whole_turns": False, "not_done": ""}
    return Greeting("Fake", "0.8.0", **{**plain, **changes})


def calvin(**changes: object) -> CalvinTranslator:
    return CalvinTranslator(greeting(**changes), CalvinBenchmark().protocols()["calvin-embedded/v1"])


def libero(**changes: object) -> LiberoTranslator:
    return LiberoTranslator(greeting(**changes), LiberoBenchmark().protocols()["libero-long/openvla-v1"])


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(Rotation.from_euler("xyz", a).inv().__mul__(Rotation.from_euler("xyz", b)).magnitude())


@pytest.fixture
def env():
    pytest.importorskip("pybullet")
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    env = benchmark.make_env(protocol, cameras="off", backend=benchmark.backends()[0])
    env.begin(benchmark.units(protocol)[3])
    yield env
    env.close()


def test_deltas_command_the_poses_that_vla_eval_commands(env):
    translator, rng = calvin(), np.random.default_rng(0)
    translator.begin(0)
    for _ in range(2):  # subtasks
        translator.restart(0)
        pose = env.observe(["robot_obs"])["robot_obs"][:6].copy()
        for _ in range(5):
            row = env.observe(["robot_obs"])
            asked = np.append(rng.uniform(-1, 1, 6) * np.repeat([0.02, 0.05], 3), rng.choice([-1, 0.2]))
            pose = pose + asked[:6]
            action = translator.translate(0, asked, row)
            assert action[6] == (1.0 if asked[6] > 0 else -1.0)
            env.advance(action)
            state = env.state()
            np.testing.assert_array_equal(state.target_position.astype(np.float32), pose[:3].astype(np.float32))
            assert angle(state.target_euler, pose[3:]) < 5e-7


def test_absolute_poses_are_commanded(env):
    translator = calvin(absolute_action=True)
    translator.begin(0)
    translator.restart(0)
    start = env.observe(["robot_obs"])["robot_obs"][:6].copy()
    for step in range(4):
        position = start[:3] + 0.01 * step
        turn = Rotation.from_euler("xyz", start[3:] + 0.02 * step).as_rotvec()
        action = translator.translate(0, np.concatenate([position, turn, [1.0]]), env.observe(["robot_obs"]))
        assert action[6] == -1.0  # a positive gripper closes
        env.advance(action)
        np.testing.assert_array_equal(env.state().target_position.astype(np.float32), position.astype(np.float32))
        assert angle(env.state().target_euler, start[3:] + 0.02 * step) < 5e-7


def test_of_a_chunk_calvin_takes_the_first():
    row = {"robot_obs": np.zeros(15)}
    chunk = np.arange(14.0).reshape(2, 7) / 100
    translators = [calvin() for _ in range(2)]
    first, whole = (t.translate(0, actions, row) for t, actions in zip(translators, (chunk[0], chunk), strict=True))
    np.testing.assert_array_equal(first, whole)
    with pytest.raises(InvalidActionError, match="7 are needed"):
        translators[0].translate(0, np.zeros(6), row)


@pytest.mark.parametrize(("said", "meant"), [(-0.1, -1.0), (0.0, -1.0), (0.4, 1.0)])
def test_calvins_gripper_closes_unless_it_opens(said, meant):
    action = calvin().translate(0, np.array([0.01] * 6 + [said]), {"robot_obs": np.zeros(15)})
    assert action[6] == meant


@pytest.mark.parametrize(("said", "meant"), [(-0.1, -1.0), (0.0, 1.0), (0.4, 1.0)])
def test_liberos_gripper_closes_unless_it_opens(said, meant):
    action = libero().translate(0, np.array([0.1] * 6 + [said]), {})
    np.testing.assert_array_equal(action, [0.1] * 6 + [meant])


def test_whole_turns_are_sent_as_robosuite_counts_them():
    translator = libero(state=True, whole_turns=True)
    assert set(translator.observations) == {"rgb_agentview", "eef_position", "eef_axis_angle", "gripper_qpos"}
    row = {
        "rgb_agentview": np.zeros((256, 256, 3), np.uint8),
        "eef_position": np.array([1.0, 2, 3]),
        "eef_axis_angle": np.array([0, 0, 5.0]),
        "gripper_qpos": np.array([0.04, -0.04]),
    }
    np.testing.assert_allclose(translator.observation(row)["states"], [1, 2, 3, 0, 0, 5, 0.04, -0.04])


def test_a_trial_is_named_as_vla_eval_names_it():
    told = libero().task(Unit("libero-long/openvla-v1:task=3,trial=07", 157), "put it there")
    assert told == {"name": "put it there", "suite": "libero_10", "task_id": 3, "episode_idx": 7}


def test_pictures_of_both_cameras_are_sent_in_one_size():
    values = np.arange(256, dtype=np.uint8)
    lowered = values - ((values >= 1) & (values < 64))
    wide = np.broadcast_to(np.resize(values, 200)[:, None, None], (200, 200, 3))
    np.testing.assert_array_equal(as_vla_eval_sends(wide), np.broadcast_to(lowered[:200, None, None], (200, 200, 3)))
    small = np.zeros((84, 84, 3), np.uint8)
    small[42:] = 200
    sent = as_vla_eval_sends(small)
    np.testing.assert_array_equal(sent[:99], 0)
    np.testing.assert_array_equal(sent[98:102, 0, 0], [0, 57, 142, 200])  # 58 is lowered
    np.testing.assert_array_equal(sent[101:], 200)
