"""Physics, observations and rebuilds, compared bit for bit with recordings of upstream."""

from __future__ import annotations

import gc
import json

import numpy as np
import pybullet as p
import pytest

from calvin_benchmark.chains import initial_state_vectors, load_chains
from calvin_benchmark.oracle import solved
from calvin_benchmark.scene import load_scene
from calvin_benchmark.snapshot import Touch
from calvin_benchmark.world import World
from seer_bench.errors import AssetError, InvalidActionError, UsageError

KINDS = ("cartesian_rel", "cartesian_abs_euler7", "cartesian_abs_tuple_quat", "joint_abs", "joint_rel")
STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])


@pytest.fixture
def make_world(official):
    made = []

    def make(scene="D", **options):
        made.append(World(load_scene(scene), official, **{"renderer": "none", **options}))
        return made[-1]

    yield make
    for world in made:
        world.close()


def start(world, chain):
    world.reset(*initial_state_vectors(load_chains()[chain].initial_state))


def state(world):
    return np.concatenate([world.robot_obs(), world.scene_obs()])


def as_action(kind, row):
    if kind == "cartesian_rel":
        return row
    if kind == "cartesian_abs_tuple_quat":
        return row[:3], row[3:7], int(row[7])
    return {"type": "cartesian_abs" if kind == "cartesian_abs_euler7" else kind, "action": row}


def recording(golden, kind, number):
    key = f"r{number:02d}" if kind == "cartesian_rel" else f"{kind}{number:02d}"
    meta = json.loads((golden / "rollouts_meta.json").read_text())
    chain = next(m["sequence_index"] for m in meta if m["kind"] == kind and m["rollout"] == number)
    arrays = np.load(golden / "rollouts.npz")
    return chain, {name.split("/")[1]: arrays[name] for name in arrays.files if name.startswith(f"{key}/")}


def assert_equals_recording(world, recorded, step):
    measured = {
        "robot_obs": world.robot_obs(),
        "scene_obs": world.scene_obs(),
        "target_pos": world.target_position,
        "target_orn": world.target_euler,
        "robot_joint_vel": world.joint_velocities(),
        "block_vel": world.block_velocities(),
        "n_contacts": world.contact_counts(),
    }
    for name, value in measured.items():
        np.testing.assert_array_equal(value, recorded[name][step], err_msg=f"{name} at step {step}", strict=False)
    if step:
        np.testing.assert_array_equal(world.ik_joints, recorded["ik_joints"][step - 1])
    if "rgb_static" in recorded and step in (0, 40, 80):
        for camera in ("static", "gripper"):
            image = world.render(camera)
            np.testing.assert_array_equal(image.rgb, recorded[f"rgb_{camera}"][step // 40])
            np.testing.assert_array_equal(image.depth, recorded[f"depth_{camera}"][step // 40])


@pytest.mark.parametrize(
    ("kind", "number"), [*((kind, number) for kind in KINDS for number in (0, 3)), ("cartesian_rel", 12)]
)
def test_rollouts_equal_upstream_to_the_last_bit(make_world, golden, kind, number):
    chain, recorded = recording(golden, kind, number)
    world = make_world(renderer="tiny")
    start(world, chain)
    assert_equals_recording(world, recorded, 0)
    for step, row in enumerate(recorded["actions"], start=1):
        world.step(as_action(kind, row))
        assert_equals_recording(world, recorded, step)


def test_reset_states_equal_upstream(make_world, golden):
    recorded = np.load(golden / "post_reset.npz")
    world = make_world()
    np.testing.assert_array_equal(world.load_poses(), recorded["load_block_poses_xyz_quat"])
    for row in range(0, 192, 8):
        world.rebuild()
        start(world, recorded["sequence_index"][row])
        np.testing.assert_array_equal(world.robot_obs(), recorded["robot_obs"][row])
        np.testing.assert_array_equal(world.scene_obs(), recorded["scene_obs"][row])


@pytest.mark.parametrize(
    ("record", "variant", "chain"),
    [("expert_chains", "main", 104), ("expert_chains_pinned", "pinned", 16)],
)
def test_recorded_chains_have_the_same_verdicts_and_end(make_world, golden, record, variant, chain):
    arrays = np.load(golden / f"{record}.npz")
    (meta,) = [m for m in json.loads((golden / f"{record}.json").read_text()) if m["sequence_index"] == chain]
    actions = iter(arrays[f"c{chain:04d}/actions"])
    world = make_world(variant=variant)
    start(world, chain)
    for subtask in meta["subtasks"]:
        before = world.snapshot()
        verdicts = []
        for _ in range(subtask["steps"]):
            world.step(next(actions))
            verdicts.append(solved(subtask["task"], before, world.snapshot()))
        assert verdicts == [False] * (subtask["steps"] - 1) + [subtask["success"]]
    np.testing.assert_array_equal(state(world), arrays[f"c{chain:04d}/final_state"])
    assert next(actions, None) is None


def test_the_variants_differ_where_the_led_starts_on(make_world, golden):
    arrays = np.load(golden / "expert_chains_pinned.npz")["c0016/actions"]
    led = {}
    for variant in ("main", "pinned"):
        world = make_world(variant=variant)
        start(world, 16)
        assert world.snapshot().led
        history = []
        for action in arrays:
            world.step(action)
            history.append(world.snapshot().led)
        led[variant] = history
    assert led["main"] != led["pinned"]


def test_a_rebuilt_world_forgets_what_ran_before(make_world):
    rng = np.random.default_rng(5)
    actions = [np.append(rng.uniform(-1, 1, 6), rng.choice([-1.0, 1.0])) for _ in range(40)]

    def trace(world):
        start(world, 7)
        states = []
        for action in actions:
            world.step(action)
            states.append(state(world))
        return np.array(states)

    fresh = trace(make_world())
    used = make_world()
    start(used, 33)
    for action in actions:
        used.step(-action)
    used.rebuild()
    np.testing.assert_array_equal(trace(used), fresh)


def test_two_worlds_in_one_process_do_not_disturb_each_other(make_world):
    rng = np.random.default_rng(6)
    actions = rng.uniform(-1, 1, (2, 40, 7))
    actions[..., 6] = 1.0

    def alone(which):
        world = make_world()
        start(world, which)
        return np.array([(world.step(action), state(world))[1] for action in actions[which]])

    expected = [alone(0), alone(1)]
    worlds = [make_world(), make_world()]
    for which, world in enumerate(worlds):
        start(world, which)
    for step in range(40):
        for which, world in enumerate(worlds):
            world.step(actions[which][step])
            np.testing.assert_array_equal(state(world), expected[which][step])


def test_half_precision_actions_are_scaled_in_half_precision(make_world):
    world = make_world()
    start(world, 0)
    before = world.target_position
    action = np.array([0.3, 0, 0, 0, 0, 0, 1], dtype=np.float16)
    world.step(action)
    moved = world.target_position - before
    assert moved[0] == pytest.approx(float(np.float16(0.3) * np.float16(0.02)), abs=1e-12)
    assert abs(moved[0] - 0.3 * 0.02) > 1e-7
    assert action[0] == np.float16(0.3)


def test_random_resets_are_clear_of_each_other_and_follow_the_seed(make_world):
    def blocks(seed):
        world = make_world(seed=seed)
        world.reset_random()
        snapshot = world.snapshot()
        assert (snapshot.slide, snapshot.drawer) == pytest.approx((0, 0), abs=1e-3)
        assert not snapshot.led
        assert not any(touch.body.startswith("block") for b in snapshot.blocks.values() for touch in b.touches)
        first = world.scene_obs()
        world.reset_random()
        assert not np.array_equal(world.scene_obs(), first)
        return first

    np.testing.assert_array_equal(blocks(3), blocks(3))
    assert not np.array_equal(blocks(3), blocks(4))


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_other_scenes_observe_their_blocks_in_loading_order(make_world, name):
    world = make_world(name)
    world.reset_random()
    for _ in range(30):
        world.step(STILL)
    observed = world.scene_obs()[6:].reshape(3, 6)
    snapshot = world.snapshot()
    assert tuple(snapshot.blocks) == tuple(block.name for block in world.scene.blocks)
    for row, block in zip(observed, snapshot.blocks.values(), strict=True):
        np.testing.assert_array_equal(row[:3], block.position)
        assert 0.44 < row[2] < 0.5
        assert block.touches <= {Touch("table", "base_link"), Touch("table", "plank_link")}
    again = make_world(name)
    again.reset(world.robot_obs(), world.scene_obs())
    np.testing.assert_allclose(again.scene_obs(), world.scene_obs(), atol=1e-2)


def test_a_refused_action_leaves_the_world_as_it_was(make_world):
    world = make_world()
    start(world, 0)
    before = state(world), world.target_position
    with pytest.raises(InvalidActionError):
        world.step(np.array([0.5, 0, 0, 0, 0, 0, 0.3]))
    np.testing.assert_array_equal(state(world), before[0])
    np.testing.assert_array_equal(world.target_position, before[1])


@pytest.mark.parametrize(
    ("robot_obs", "scene_obs", "message"),
    [
        (np.zeros(14), np.zeros(24), r"robot_obs: shape must be \(15,\)"),
        (np.zeros(15), np.full(24, np.nan), "scene_obs: every value must be finite"),
        (np.zeros(15), np.full(24, 0.5), "lights must be 0 or 1"),
    ],
)
def test_resets_refuse_impossible_states(make_world, robot_obs, scene_obs, message):
    with pytest.raises(UsageError, match=message):
        make_world().reset(robot_obs, scene_obs)


def test_a_world_frees_its_client_when_closed_dropped_or_not_built(official, tmp_path):
    def clients():
        return [c for c in range(64) if p.getConnectionInfo(physicsClientId=c)["isConnected"]]

    gc.collect()
    before = clients()
    world = World(load_scene("D"), official, renderer="none")
    assert len(clients()) == len(before) + 1
    world.close()
    world.close()
    assert clients() == before
    World(load_scene("D"), official, renderer="none")
    gc.collect()
    assert clients() == before
    with pytest.raises(AssetError, match=r"scene D needs .*panda_longer_finger\.urdf"):
        World(load_scene("D"), tmp_path)
    gc.collect()
    assert clients() == before
