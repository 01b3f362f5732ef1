"""The same episode played by vla-eval's own client and by ours: what a server receives, and what is commanded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from libero_benchmark.fields import axis_angle
from seer_bench import Unit
from vla_eval_policy.policy import make_policy
from vla_eval_policy.wire import Message, pack

from .conftest import context, vla_eval_python
from .stand_in import HELLO, stand_in

pytestmark = pytest.mark.vla_eval
STEPS, ENDS = 9, 4
"""Steps of the episode, and the one after which CALVIN's first subtask is over."""
CHAIN = "calvin-embedded/v1:chain=0007"
TRIAL = "libero-long/openvla-v1:task=3,trial=07"
UNIT_OF_ACTION = np.repeat([0.02, 0.05], 3)


def answers(absolute: bool) -> Callable[[Message], bytes]:
    """A server whose answer depends on how many there have been."""

    def answer(message: Message) -> bytes:
        rng = np.random.default_rng(message.seq)
        if absolute:
            numbers = np.concatenate([rng.uniform(-0.1, 0.5, 3), rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 1)])
        else:
            numbers = np.append(rng.uniform(-0.02, 0.02, 6), rng.choice([-1.0, -0.2, 0.0, 0.3]))
        return pack(Message("action", {"actions": numbers.astype(np.float32)}, message.seq))

    return answer


def theirs(tmp_path: Path, url: str, kind: str, simulator: dict, params: dict) -> np.ndarray:
    """Let vla-eval's client play; what it commands."""
    np.savez(tmp_path / "simulator.npz", **simulator)
    program = str(Path(__file__).with_name("vla_eval_client.py"))
    files = [str(tmp_path / "simulator.npz"), json.dumps(params), str(tmp_path / "taken.npy")]
    subprocess.run([vla_eval_python(), program, url, kind, *files], check=True, timeout=60)
    return np.load(tmp_path / "taken.npy")


def same_messages(ours: list[Message], theirs: list[Message], *, close: float = 0) -> None:
    """Kinds, fields, dtypes, shapes; pictures may differ by `close`."""
    assert [message.kind for message in ours] == [message.kind for message in theirs if message.kind != "episode_end"]
    for our, their in zip(ours, theirs, strict=False):
        assert our.seq == their.seq
        if our.kind == "hello":
            assert our.payload["benchmark"] == their.payload["benchmark"]
        if our.kind != "observation":
            continue
        assert set(our.payload) == set(their.payload) - {"controller_states"}
        assert our.payload.get("episode_restart") == their.payload.get("episode_restart")
        assert list(our.payload["images"]) == list(their.payload["images"])
        for name, picture in our.payload["images"].items():
            other = their.payload["images"][name]
            assert (picture.dtype, picture.shape) == (other.dtype, other.shape)
            assert np.abs(picture.astype(int) - other).max() <= close
            assert (picture != other).mean() < 5e-4
        if "states" in our.payload:
            state, other = our.payload["states"], their.payload["states"]
            assert (state.dtype, state.shape) == (other.dtype, other.shape)
            np.testing.assert_allclose(state, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("more", [False, True])
def test_calvin(tmp_path, absolute, more):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(size=(STEPS + 1, 15)) * 0.01, axis=0) + rng.normal(size=15)
    sizes = {"rgb_static": 200, "rgb_gripper": 84}
    pictures = {name: rng.integers(0, 256, (STEPS + 1, side, side, 3), dtype=np.uint8) for name, side in sizes.items()}
    simulator: dict[str, np.ndarray] = {"robot_obs": poses, "ends": np.array([ENDS])}
    for name, shown in pictures.items():  # torchvision's Resize, CALVIN's ScaleImageTensor, torchvision's Normalize
        tensor = torch.from_numpy(shown).permute(0, 3, 1, 2).float()
        if tensor.shape[-1] != 200:
            tensor = torch.nn.functional.interpolate(tensor, size=[200, 200], mode="bilinear", antialias=True).round()
        simulator[name] = ((tensor / 255 - 0.5) / 0.5).numpy()
    params = {"send_wrist_image": more, "send_state": more, "absolute_action": absolute}
    with stand_in(answers(absolute), {**HELLO, "observation_params": params}) as (url, received):
        commanded = theirs(tmp_path, url, "calvin", simulator, params)
        their_messages = received[:]
        policy = make_policy(context(url))
        received.clear()
        policy.begin([0], [Unit(CHAIN, 7)])
        target = poses[0, :6].copy()
        for step in range(STEPS):
            if step in (0, ENDS):
                policy.reset([0], [("pull the handle", "press the button")[step > 0]], [0])
            row = {name: shown[step][None] for name, shown in {**pictures, "robot_obs": poses}.items()}
            action = policy.act([0], row)[0, 0]
            target += action[:6] * UNIT_OF_ACTION
            np.testing.assert_allclose(target[:3], commanded[step, :3], rtol=0, atol=1e-6)
            turned = Rotation.from_euler("xyz", target[3:]).inv() * Rotation.from_euler("xyz", commanded[step, 3:6])
            assert turned.magnitude() < 1e-6
            assert action[6] == commanded[step, 6]
        policy.close()
    same_messages(received, their_messages, close=1)
    start, their_start = (messages[1].payload["task"] for messages in (received, their_messages))
    assert start == {name: value for name, value in their_start.items() if name != "eval_sequence"}


@pytest.mark.parametrize("whole_turns", [False, True])
def test_libero(tmp_path, whole_turns):
    rng = np.random.default_rng(0)
    turns = rng.normal(size=(STEPS + 1, 4))
    turns /= np.linalg.norm(turns, axis=1)[:, None]
    turns[0] = [1, 0, 0, 0]
    turns[1] = [0, 0, 0, 1]
    simulator = {
        "robot0_eef_pos": rng.normal(size=(STEPS + 1, 3)),
        "robot0_eef_quat": turns,
        "robot0_gripper_qpos": rng.normal(size=(STEPS + 1, 2)),
        "agentview_image": rng.integers(0, 256, (STEPS + 1, 256, 256, 3), dtype=np.uint8),
        "robot0_eye_in_hand_image": rng.integers(0, 256, (STEPS + 1, 256, 256, 3), dtype=np.uint8),
    }
    params = {"send_wrist_image": True, "send_state": True, "quat_no_antipodal": whole_turns}
    with stand_in(answers(False), {**HELLO, "observation_params": params}) as (url, received):
        commanded = theirs(tmp_path, url, "libero", simulator, params)
        their_messages = received[:]
        policy = make_policy(context(url, "libero-long/openvla-v1"))
        received.clear()
        policy.begin([0], [Unit(TRIAL, 157)])
        policy.reset([0], ["put it there"], [0])
        for step in range(STEPS):
            row = {
                "rgb_agentview": simulator["agentview_image"][step, ::-1, ::-1],
                "rgb_eye_in_hand": simulator["robot0_eye_in_hand_image"][step, ::-1, ::-1],
                "eef_position": simulator["robot0_eef_pos"][step],
                "eef_quaternion": turns[step],
                "eef_axis_angle": axis_angle(turns[step]),
                "gripper_qpos": simulator["robot0_gripper_qpos"][step],
            }
            rows = {name: row[name][None] for name in policy.spec.observations}
            np.testing.assert_array_equal(policy.act([0], rows)[0, 0], commanded[step])
        policy.close()
    same_messages(received, their_messages)
    assert received[1].payload == their_messages[1].payload
