"""The servers for other projects' environments, with stand-ins for their models."""

from __future__ import annotations

import ast
import importlib.util
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from websockets.exceptions import InvalidStatus
from websockets.sync import client

from calvin_benchmark.benchmark import CalvinBenchmark
from remote_policy import make_policy
from seer_bench import Policy, PolicyContext, SimulationError, Unit, check_policy

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "servers"
NAMES = ("diffuser_actor", "roboflamingo", "susie")
UNIT = Unit("calvin-embedded/v1:chain=0003", 3)
DEPTH = "rgb_static rgb_gripper depth_static depth_gripper robot_obs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def serving(module: ModuleType, adapter: object) -> Iterator[str]:
    with module.server(adapter, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def context(address: str, fields: str) -> PolicyContext:
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    keys = ",".join(f"{name}:{name}" for name in fields.split())
    options = {"url": f"ws://{address}", "keys": keys, "wait": "5"}
    return PolicyContext(benchmark.interface(protocol), protocol, options=options)


def begin(policy: Policy, slot: int = 0, sentence: str = "open the drawer") -> None:
    policy.begin([slot], [UNIT])
    policy.reset([slot], [sentence], [0])


class Recurrent:
    """Stands in for RoboFlamingo: an action tells what its memory holds."""

    def reset(self) -> None:
        self.seen: list[float] = []

    def save(self) -> list[float]:
        return list(self.seen)

    def restore(self, state: list[float]) -> None:
        self.seen = list(state)

    def step(self, static, gripper, robot_obs, sentence):
        self.seen.append(float(static.mean()) / 1000)
        known = [len(self.seen) / 100, np.mean(self.seen), gripper.mean() / 1000, robot_obs[0] / 10]
        return np.array([*known, len(sentence) / 100, 0, 1])


class Painter:
    """Stands in for SuSIE: a sub-goal tells when it was painted, an action which sub-goal it pursues."""

    def __init__(self) -> None:
        self.painted: list[tuple[str, float, int]] = []

    def goal(self, sentence, picture, seed):
        self.painted.append((sentence, picture.mean(), seed))
        return picture

    def actions(self, picture, goal):
        chunk = np.zeros((4, 7))
        chunk[:, 0] = picture.mean() / 1000 * np.array([1, 2, 3, 4])
        chunk[:, 1] = goal.mean() / 1000
        chunk[:, 6] = [1, -1, -1, -1]
        return chunk


class Planner:
    """Stands in for 3D Diffuser Actor: a straight way from where the hand is."""

    def __init__(self, length: int = 22) -> None:
        self.asked: list[tuple] = []
        self.plans: list[np.ndarray] = []
        self.length = length

    def plan(self, rgb, points, hands, sentence, seed):
        self.asked.append((rgb, points, hands, sentence, seed))
        steps = np.arange(1, self.length + 1)[:, None]
        start = np.append(hands[-1, :3], [3.1, 0.0, 1.5])
        plan = np.append(start + steps * [0.001, 0.002, -0.001, 0.01, 0, 0.01], np.where(steps < 9, 1, -1), axis=1)
        self.plans.append(plan)
        return plan


def adapters() -> dict[str, tuple[object, str]]:
    return {
        "diffuser_actor": (Planner(), DEPTH),
        "roboflamingo": (Recurrent(), DEPTH),
        "susie": (Painter(), "rgb_static"),
    }


CLASSES = {"diffuser_actor": "DiffuserActor", "roboflamingo": "RoboFlamingo", "susie": "Susie"}


@pytest.mark.parametrize("name", NAMES)
def test_the_remote_policy_plays_it_and_it_keeps_the_contract(name):
    module, (model, fields) = load(name), adapters()[name]
    with serving(module, getattr(module, CLASSES[name])(model)) as address:
        check_policy(make_policy, context(address, fields))
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as health:
            assert health.status == 200


@pytest.mark.parametrize("name", NAMES)
def test_it_is_python_3_8_and_imports_little(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=(3, 8))
    imported = {node.names[0].name.split(".")[0] for node in tree.body if isinstance(node, ast.Import)}
    imported |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    standard = {"__future__", "argparse", "collections", "hmac", "os", "pathlib", "sys", "threading", "traceback"}
    assert imported - standard == {"msgpack", "numpy", "websockets"}


def test_the_wire_is_the_same_everywhere():
    mark = "# --- The wire and the episodes"
    parts = {(FOLDER / f"{name}.py").read_text().split(mark)[1] for name in NAMES}
    assert len(parts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_objects_are_refused(name):
    module = load(name)
    with pytest.raises(TypeError, match="cannot be sent"):
        module.pack({"a": np.array([None])})
    with pytest.raises(ValueError, match="dtype object"):
        module.unpack(module.msgpack.packb({b"__ndarray__": True, b"data": b"", b"dtype": "|O", b"shape": [0]}))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_out_of_turn_is_refused(name):
    module, (model, _) = load(name), adapters()[name]
    adapter = getattr(module, CLASSES[name])(model)
    episodes = module.Episodes(adapter)
    first = {**row(0), **TOLD, "episode_id": "a", "reset": True, "step": 0}
    assert episodes.act(first).shape == (1, 7)
    with pytest.raises(LookupError, match="step 2 of the episode a came where 1 was awaited"):
        episodes.act({**first, "reset": False, "step": 2})
    with pytest.raises(LookupError, match="episode b is not known here"):
        episodes.act({**first, "episode_id": "b", "reset": False, "step": 1})


TOLD = {"prompt": "open it", "unit_id": "chain", "subtask": 0, "seed": 7}


def row(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "rgb_static": rng.integers(0, 256, (200, 200, 3), dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 256, (84, 84, 3), dtype=np.uint8),
        "depth_static": rng.uniform(3, 5, (200, 200)).astype(np.float32),
        "depth_gripper": rng.uniform(0.1, 1, (84, 84)).astype(np.float32),
        "robot_obs": rng.normal(size=15),
    }


def batch(seed: int, fields: str = DEPTH) -> dict[str, np.ndarray]:
    return {name: row(seed)[name][None] for name in fields.split()}


def test_roboflamingo_keeps_a_state_for_every_subtask():
    module = load("roboflamingo")
    with serving(module, module.RoboFlamingo(Recurrent(), replan=3)) as address:
        policy = make_policy(context(address, "rgb_static rgb_gripper robot_obs"))
        begin(policy, 0, "open it\nnow")
        begin(policy, 1)
        fields = "rgb_static rgb_gripper robot_obs"
        counts = [policy.act([slot], batch(3, fields))[0, 0, 0] for slot in (0, 1, 0, 0, 0, 1)]
        np.testing.assert_allclose(np.array(counts, float) * 100, [1, 1, 2, 3, 1, 2], rtol=1e-3)
        policy.reset([0], ["close it"], [0])
        action = policy.act([0], batch(3, fields))[0, 0]
        policy.close()
    assert action.dtype == np.float16
    assert float(action[0]) == pytest.approx(0.01, rel=1e-3)
    assert float(action[4]) == pytest.approx(0.08, rel=1e-3)


def test_susie_paints_every_20_steps_and_averages():
    model = Painter()
    adapter = load("susie").Susie(model)
    memory = adapter.begin(TOLD)
    pictures = [np.full((200, 200, 3), 5 * step, np.uint8) for step in range(42)]
    actions = np.concatenate([adapter.act(memory, {"rgb_static": picture}) for picture in pictures])
    assert model.painted == [("open it", 0, 7), ("open it", 100, 27), ("open it", 200, 47)]
    x = 0.005 * np.arange(42)
    np.testing.assert_allclose(actions[:3, 0], [0, (x[1] + 2 * x[0]) / 2, (x[2] + 2 * x[1] + 3 * x[0]) / 3])
    np.testing.assert_allclose(actions[30, 0], (x[30] + 2 * x[29] + 3 * x[28] + 4 * x[27]) / 4)
    np.testing.assert_allclose(actions[[19, 20, 21, 23], 1], [0, 0.025, 0.05, 0.1])  # spans a change of sub-goal
    assert actions[:4, 6].tolist() == [1, 1, -1, -1]  # 1, (1 - 1) / 2, (1 - 1 - 1) / 3, ...


def test_diffuser_actors_poses_are_commanded_over_a_chain():
    pytest.importorskip("pybullet")
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    env = benchmark.make_env(protocol, cameras="off", backend=benchmark.backends()[0])
    model, noise = Planner(), row(0)
    adapter = load("diffuser_actor").DiffuserActor(model)
    env.begin(UNIT)
    try:
        for subtask, steps in enumerate((23, 5)):  # the first one ends within its second plan
            seen = {**noise, **TOLD, "subtask": subtask, "robot_obs": env.observe(["robot_obs"])["robot_obs"].copy()}
            memory = adapter.begin(seen)
            for step in range(steps):
                action = adapter.act(memory, seen)[0]
                env.advance(action)
                pose = model.plans[-1][step % 20]
                np.testing.assert_allclose(env.state().target_position, pose[:3], atol=1e-12)
                np.testing.assert_allclose(env.state().target_euler, pose[3:6], atol=1e-12)
                assert action[6] == pose[6]
                seen["robot_obs"] = env.observe(["robot_obs"])["robot_obs"].copy()
    finally:
        env.close()
    assert len(model.plans) == 3
    hands = [asked[2] for asked in model.asked]
    assert [len(np.unique(h[:, 0])) for h in hands] == [1, 2, 1]  # filled up, shifted, filled up again
    assert [asked[4] for asked in model.asked] == [7, 8, 7]


def test_diffuser_actor_sees_points_in_the_world():
    pytest.importorskip("pybullet")
    module, benchmark = load("diffuser_actor"), CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    env = benchmark.make_env(protocol, cameras="exact", backend=benchmark.backends()[0])
    try:
        env.begin(UNIT)
        for _ in range(10):
            env.advance(np.array([0.5, 0.5, -0.5, 0.3, 0.2, 0.5, 1.0]))
        robot = env.observe(["robot_obs"])["robot_obs"]
        places = {"static": module.STATIC_CAMERA, "gripper": module.hand_pose(robot) @ module.HAND_CAMERA}
        for name, place in places.items():
            view = np.array(env._world._cameras[name].view_matrix()).reshape(4, 4).T
            np.testing.assert_allclose(place, np.linalg.inv(view), atol=5e-6)
    finally:
        env.close()


def test_a_depth_image_becomes_points():
    module = load("diffuser_actor")
    points = module.in_the_world(np.full((4, 4), 2.0), np.eye(4), 90.0)
    np.testing.assert_allclose(points[2, 2], [0, 0, -2])
    np.testing.assert_allclose(points[0, 3], [1, 2, -2])
    small = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_allclose(module.enlarged(small, 4)[:, 0, 0], [0, 1.5, 4.5, 6])
    assert module.nearest(84, 200)[[0, 2, 3, 199]].tolist() == [0, 0, 1, 83]


def test_upstreams_quaternion():
    rng = np.random.default_rng(0)
    for euler in rng.uniform(-3, 3, (20, 3)):
        ours = load("diffuser_actor").upstream_quaternion(euler)
        assert ours[np.argmax(np.abs(ours))] > 0
        theirs = Rotation.from_euler("XYZ", euler).as_quat()[[3, 0, 1, 2]]
        np.testing.assert_allclose(ours, theirs * np.sign(ours @ theirs), atol=1e-12)


def test_diffuser_actor_does_not_go_on_with_a_unit_that_it_does_not_know():
    adapter = load("diffuser_actor").DiffuserActor(Planner())
    with pytest.raises(LookupError, match="commanded last in the unit chain is not known"):
        adapter.begin({**TOLD, **row(0), "subtask": 1})


def test_a_unit_begins_anew_where_its_commanded_pose_is_lost():
    module = load("diffuser_actor")
    adapter = module.DiffuserActor(Planner())
    adapter.UNITS = 0  # forgets after every step, as a server that is started anew does
    with serving(module, adapter) as address:
        policy = make_policy(context(address, DEPTH))
        begin(policy)
        policy.act([0], batch(0))
        policy.reset([0], ["close it"], [1])
        with pytest.raises(SimulationError, match="is not known here"):
            policy.act([0], batch(0))
        begin(policy)
        assert policy.act([0], batch(0)).shape == (1, 1, 7)
        policy.close()


@pytest.mark.parametrize("name", NAMES)
def test_it_lets_in_who_shows_the_token_and_no_web_page(name, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_REMOTE_TOKEN", "secret")
    module, (model, _) = load(name), adapters()[name]
    with serving(module, getattr(module, CLASSES[name])(model)) as address:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Api-Key guess"}, 401),
            ({"Authorization": "Api-Key secret"}, None),
        ):
            assert refusal(address, headers) == status
        assert refusal(address, {"Authorization": "Api-Key secret", "Origin": "http://example.org"}) == 403


def refusal(address: str, headers: dict[str, str]) -> int | None:
    """The status that a connection is refused with; None where it is taken."""
    try:
        with client.connect(f"ws://{address}", additional_headers=headers):
            return None
    except InvalidStatus as error:
        return error.response.status_code


@pytest.mark.parametrize("name", NAMES)
def test_another_host_asks_for_a_token(name, monkeypatch, capsys):
    monkeypatch.delenv("SEER_BENCH_REMOTE_TOKEN", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [name, "--host", "gpu.local", *(["--upstream", "x"] if name == "susie" else [])])
    with pytest.raises(SystemExit):
        load(name).main()
    assert "SEER_BENCH_REMOTE_TOKEN" in capsys.readouterr().err


def test_what_fails_in_the_model_reaches_the_client():
    module = load("roboflamingo")
    model = Recurrent()
    model.step = lambda *_: np.zeros((10, 7))
    with serving(module, module.RoboFlamingo(model)) as address:
        policy = make_policy(context(address, "rgb_static rgb_gripper robot_obs"))
        begin(policy)
        with pytest.raises(SimulationError, match=r"actions of shape \(10, 7\)"):
            policy.act([0], batch(0, "rgb_static rgb_gripper robot_obs"))
        policy.close()
