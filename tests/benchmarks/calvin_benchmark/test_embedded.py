"""The embedded scene: its joints, sizes and surfaces are those of CALVIN's scene D."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pybullet as p
import pytest

from calvin_benchmark.embedded import embedded_assets
from calvin_benchmark.scene import load_scene
from calvin_benchmark.world import World
from seer_bench.errors import MissingExtraError

SCALING = 0.8
BASE, BUTTON, SWITCH, SLIDE, DRAWER, LED, LIGHT, PLANK = range(-1, 7)
SLOPE = (0.0, 0.5, np.sqrt(0.75))
# name, link, travel in metres, direction of travel in the world
TABLE_JOINTS = [
    ("base__button", "button_link", 0.02, (0, 0, -1)),
    ("base__switch", "switch_link", 0.088, SLOPE),
    ("base__slide", "slide_link", 0.28, (-1, 0, 0)),
    ("base__drawer", "drawer_link", 0.22, (0, -1, 0)),
    ("base__led", "led_link", None, None),
    ("base__light", "light_link", None, None),
    ("base__plank", "plank_link", None, None),
]
ROBOT_LINKS = [
    *(f"panda_link{i}" for i in range(1, 9)),
    "panda_hand",
    "panda_leftfinger",
    "finger_left_tip",
    "panda_rightfinger",
    "finger_right_tip",
    "panda_grasptarget",
    "gripper_cam",
    "tcp",
]
REST = load_scene("embedded").robot.rest_joints
REAL_TABLE = "calvin_assets/calvin_table_D/urdf/calvin_table_D.urdf"
REAL_ROBOT = "calvin_assets/franka_panda/panda_longer_finger.urdf"

Loader = Callable[..., tuple[int, int]]


@pytest.fixture
def load() -> Iterator[Loader]:
    """Load a URDF into a client of its own; gives (client, body)."""
    clients = []

    def loader(path: Path, scaling: float = SCALING, fixed: bool = True) -> tuple[int, int]:
        client = p.connect(p.DIRECT)
        clients.append(client)
        return client, p.loadURDF(str(path), useFixedBase=fixed, globalScaling=scaling, physicsClientId=client)

    yield loader
    for client in clients:
        p.disconnect(physicsClientId=client)


@pytest.fixture
def world() -> Iterator[World]:
    world = World(load_scene("embedded"), embedded_assets(), renderer="none")
    yield world
    world.close()


def robot_obs() -> np.ndarray:
    obs = np.zeros(15)
    obs[6], obs[7:14] = 0.08, REST
    return obs


def scene_obs(red=(0.05, -0.12, 0.46), blue=(0.23, -0.12, 0.46), pink=(0.3, -0.05, 0.46), **state: float) -> np.ndarray:
    """State vector with the blocks' centres at the given points; slide, drawer, switch ... by name."""
    obs = np.zeros(24)
    for index, name in enumerate(("slide", "drawer", "button", "switch", "lightbulb", "led")):
        obs[index] = state.get(name, 0.0)
    obs[6:9], obs[12:15], obs[18:21] = red, blue, pink
    return obs


def settle(world: World, steps: int = 30) -> None:
    for _ in range(steps):
        world.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))


def goto(
    world: World,
    *waypoints: tuple[float, float, float],
    gripper: float = -1.0,
    speed: float = 0.7,
    pitch: float = 0.0,
) -> None:
    """Move the tcp through the waypoints, the hand pointing down (tilted by `pitch`) with yaw 1.5."""
    for waypoint in waypoints:
        for _ in range(60):
            motion = (np.array(waypoint) - world.target_position) / 0.02
            roll, tilt, yaw = world.target_euler
            turn = np.array([np.pi * np.sign(roll) - roll, pitch - tilt, 1.5 - yaw]) / 0.05
            world.step(np.concatenate([np.clip(motion, -speed, speed), np.clip(turn, -1, 1), [gripper]]))
            arrived = np.abs(world.robot_obs()[:3] - waypoint).max() < 0.01
            if arrived and np.abs(motion).max() < 0.05 and np.abs(turn).max() < 0.1:
                break


def joint_infos(client: int, body: int) -> list[tuple]:
    return [
        p.getJointInfo(body, i, physicsClientId=client) for i in range(p.getNumJoints(body, physicsClientId=client))
    ]


def link_frames(client: int, body: int) -> np.ndarray:
    """(links, 12): position and rotation matrix of each link's URDF frame in the world."""
    frames = []
    for index in range(p.getNumJoints(body, physicsClientId=client)):
        state = p.getLinkState(body, index, computeForwardKinematics=1, physicsClientId=client)
        frames.append([*state[4], *p.getMatrixFromQuaternion(state[5])])
    return np.array(frames)


def pose(client: int, body: int, positions: dict[int, float]) -> None:
    for joint, position in positions.items():
        p.resetJointState(body, joint, position, physicsClientId=client)
    p.performCollisionDetection(physicsClientId=client)


def test_table_joints_have_their_names_indices_limits_and_directions(load):
    client, table = load(embedded_assets() / "table.urdf")
    assert p.getNumJoints(table, physicsClientId=client) == len(TABLE_JOINTS)
    for index, (name, link, travel, direction) in enumerate(TABLE_JOINTS):
        info = p.getJointInfo(table, index, physicsClientId=client)
        assert (info[1].decode(), info[12].decode(), info[16]) == (name, link, -1)
        if travel is None:
            assert info[2] == p.JOINT_FIXED
            continue
        assert info[2] == p.JOINT_PRISMATIC
        assert info[8:10] == pytest.approx((0, travel))
        before = link_frames(client, table)[index, :3]
        pose(client, table, {index: travel})
        moved = link_frames(client, table)[index, :3] - before
        np.testing.assert_allclose(moved, travel * np.array(direction), atol=1e-6)


def test_robot_links_have_calvins_indices(load):
    client, robot = load(embedded_assets() / "robot.urdf", scaling=1)
    infos = joint_infos(client, robot)
    assert [info[12].decode() for info in infos] == ROBOT_LINKS
    moving = [i for i, info in enumerate(infos) if info[2] != p.JOINT_FIXED]
    assert moving == [0, 1, 2, 3, 4, 5, 6, 9, 11]
    assert all(infos[i][8:10] == (0, 0.04) for i in (9, 11))


def test_tcp_is_fourteen_centimetres_in_front_of_the_hand(load):
    client, robot = load(embedded_assets() / "robot.urdf", scaling=1)
    pose(client, robot, dict(enumerate(REST)))
    hand, tcp = link_frames(client, robot)[[8, 15]]
    forward = hand[3:].reshape(3, 3)[:, 2]
    np.testing.assert_allclose(tcp[:3], hand[:3] + 0.14 * forward, atol=1e-9)


@pytest.mark.parametrize(
    ("mine", "real", "scaling"), [("table.urdf", REAL_TABLE, SCALING), ("robot.urdf", REAL_ROBOT, 1)]
)
def test_kinematics_equal_the_original(load, shared, mine, real, scaling):
    bodies = [load(embedded_assets() / mine, scaling), load(shared / real, scaling)]
    ours, theirs = (joint_infos(*body) for body in bodies)
    for a, b in zip(ours, theirs, strict=True):
        assert (a[1], a[2], a[12], a[16]) == (b[1], b[2], b[12], b[16]), "name, type, link, parent"
        if a[2] == p.JOINT_FIXED:
            continue
        np.testing.assert_allclose(a[8:10], b[8:10], atol=1e-9, err_msg=f"limits of {a[1]}")
        np.testing.assert_allclose(a[13], b[13], atol=1e-9, err_msg=f"axis of {a[1]}")
    limits = [(i, info[8], info[9]) for i, info in enumerate(ours) if info[2] != p.JOINT_FIXED]
    for fraction in (0.0, 0.3, 1.0):
        for client, body in bodies:
            pose(client, body, {i: low + fraction * (high - low) for i, low, high in limits})
        np.testing.assert_allclose(*(link_frames(*body) for body in bodies), atol=1e-3)


@pytest.mark.parametrize(("name", "length"), [("red", 0.056), ("blue", 0.04), ("pink", 0.08)])
def test_blocks_have_their_size_mass_and_friction(load, name, length):
    client, block = load(embedded_assets() / f"block_{name}.urdf", fixed=False)
    shape = p.getCollisionShapeData(block, -1, physicsClientId=client)[0]
    assert shape[2] == p.GEOM_BOX
    assert shape[3] == pytest.approx((length, 0.04, 0.04))
    half_extents = {spec.name: spec.half_extents for spec in load_scene("embedded").blocks}
    assert half_extents[f"block_{name}"] == (length / 2, 0.02, 0.02)
    dynamics = p.getDynamicsInfo(block, -1, physicsClientId=client)
    assert (dynamics[0], dynamics[1], dynamics[7]) == pytest.approx((1, 0.7, 0.001))


def test_blocks_rest_on_table_and_on_both_sides_of_the_cabinet(world):
    places = {"red": (0.05, -0.12, 0.47), "blue": (-0.24, 0.09, 0.47), "pink": (0.07, 0.09, 0.47)}
    world.reset(robot_obs(), scene_obs(**places))
    settle(world)
    for name, link in (("red", "base_link"), ("blue", "plank_link"), ("pink", "plank_link")):
        height = 0.46 if link == "base_link" else 0.461
        block = world.snapshot().blocks[f"block_{name}"]
        np.testing.assert_allclose(block.position, (*places[name][:2], height), atol=1e-3)
        assert {(touch.body, touch.link) for touch in block.touches} == {("table", link)}


def test_a_block_in_the_drawer_rests_on_its_floor_and_travels_with_it(world):
    world.reset(robot_obs(), scene_obs(red=(0.18, -0.28, 0.37), drawer=0.22))
    settle(world)
    block = world.snapshot().blocks["block_red"]
    assert block.position[2] == pytest.approx(0.362, abs=1.5e-3)
    assert {(touch.body, touch.link) for touch in block.touches} == {("table", "drawer_link")}
    goto(world, (0.18, -0.55, 0.5), (0.18, -0.55, 0.37), (0.18, -0.25, 0.37))
    snapshot = world.snapshot()
    assert snapshot.drawer < 0.05
    # The cavity is closed above, so the block is inside the housing now.
    assert snapshot.blocks["block_red"].position[1] > -0.19
    assert snapshot.blocks["block_red"].position[2] == pytest.approx(0.362, abs=1.5e-3)


@pytest.mark.parametrize("x", [-0.24, 0.07])
def test_the_door_passes_blocks_in_the_cabinet(load, x):
    client, table = load(embedded_assets() / "table.urdf")
    p.setGravity(0, 0, -9.8, physicsClientId=client)
    block = p.loadURDF(
        str(embedded_assets() / "block_pink.urdf"), (x, 0.0924, 0.461), globalScaling=SCALING, physicsClientId=client
    )
    for target in (0.28, 0.0):
        p.setJointMotorControl2(
            table, SLIDE, p.POSITION_CONTROL, targetPosition=target, force=50, maxVelocity=0.5, physicsClientId=client
        )
        for _ in range(240):
            p.stepSimulation(physicsClientId=client)
            assert not p.getContactPoints(block, table, -1, SLIDE, physicsClientId=client)
        assert p.getJointState(table, SLIDE, physicsClientId=client)[0] == pytest.approx(target, abs=1e-3)
    position, _ = p.getBasePositionAndOrientation(block, physicsClientId=client)
    np.testing.assert_allclose(position, (x, 0.0924, 0.461), atol=1e-3)


def test_the_gripper_presses_the_button(world):
    world.reset(robot_obs(), scene_obs())
    for lit in (True, False):
        goto(world, (-0.12, -0.12, 0.56), (-0.12, -0.12, 0.46), (-0.12, -0.12, 0.56))
        assert world.snapshot().led is lit


def test_the_gripper_moves_the_switch_up_and_down(world):
    world.reset(robot_obs(), scene_obs())
    goto(world, (0.3, -0.08, 0.50), (0.3, -0.08, 0.475), (0.3, 0.015, 0.475), (0.3, 0.07, 0.60), speed=0.5)
    assert world.snapshot().lightbulb
    world.reset(robot_obs(), scene_obs(switch=0.088, lightbulb=1))
    goto(world, (0.28, -0.08, 0.67), (0.28, 0.1, 0.67), (0.28, 0.02, 0.52), speed=0.5, pitch=-0.8)
    assert not world.snapshot().lightbulb


def test_the_gripper_opens_the_drawer(world):
    world.reset(robot_obs(), scene_obs())
    goto(world, (0.18, -0.21, 0.52), (0.18, -0.208, 0.365), (0.18, -0.45, 0.365))
    assert world.snapshot().drawer > 0.12


@pytest.mark.parametrize(("start", "side"), [(0.0, 1), (0.28, -1)])
def test_the_gripper_slides_the_door(world, start, side):
    world.reset(robot_obs(), scene_obs(slide=start))
    x = 0.04 - start + 0.06 * side
    goto(world, (x, -0.10, 0.56), (x, 0.0, 0.54), (x - 0.36 * side, 0.0, 0.54))
    assert side * (world.snapshot().slide - start) > 0.15


def test_the_gripper_lifts_a_block(world):
    world.reset(robot_obs(), scene_obs())
    goto(world, (0.05, -0.12, 0.56), (0.05, -0.12, 0.46), gripper=1)
    for _ in range(12):
        world.step(np.array([0, 0, 0, 0, 0, 0, -1.0]))
    goto(world, (0.05, -0.12, 0.60))
    block = world.snapshot().blocks["block_red"]
    assert block.position[2] > 0.55
    assert {touch.body for touch in block.touches} == {"robot"}


def rays(client: int, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth along each ray in metres (its length where nothing is hit) and the link that was hit."""
    hits = []
    for i in range(0, len(starts), 4000):
        hits += p.rayTestBatch(starts[i : i + 4000].tolist(), ends[i : i + 4000].tolist(), physicsClientId=client)
    length = np.linalg.norm(ends - starts, axis=1)
    return np.array([hit[2] for hit in hits]) * length, np.array([-9 if hit[0] < 0 else hit[1] for hit in hits])


def grid(a: tuple[float, float], b: tuple[float, float], step: float = 0.008) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.meshgrid(np.arange(*a, step), np.arange(*b, step))
    return first.ravel() + 0.0011, second.ravel() + 0.0007  # off the planes of the geometry


@pytest.mark.parametrize("opening", [0.0, 0.5, 1.0])
def test_surfaces_are_where_the_original_has_them(load, shared, opening):
    bodies = [load(embedded_assets() / "table.urdf"), load(shared / REAL_TABLE)]
    for client, body in bodies:
        pose(client, body, {i: opening * TABLE_JOINTS[i][2] for i in (SWITCH, SLIDE, DRAWER)})
    x, y = grid((-0.46, 0.46), (-0.46, 0.2))
    above = np.stack([x, y, 0 * x + 0.9], 1), np.stack([x, y, 0 * x + 0.25], 1)
    x, z = grid((-0.46, 0.46), (0.26, 0.72))
    front = np.stack([x, 0 * x - 0.6, z], 1), np.stack([x, 0 * x + 0.3, z], 1)
    for view, seen in ((above, (BASE, BUTTON, DRAWER, PLANK, SLIDE)), (front, (BASE, DRAWER, SLIDE))):
        (ours, link), (theirs, real_link) = (rays(client, *view) for client, _ in bodies)
        hit = real_link > -9
        off = np.abs(ours - theirs)[hit]
        assert np.median(off) < 5e-4
        assert np.mean(off < 0.001) > 0.89, "rays within a millimetre"
        # The rest: rounded handles, the tracks of the switch, and rays along edges.
        assert np.mean(off < 0.003) > 0.95
        assert np.mean(link[hit] == real_link[hit]) > 0.98, "rays that hit the same link"
        for part in seen:
            same = (link == part) & (real_link == part)
            assert same.sum() > 40, f"too few rays on link {part}"
            assert np.median(np.abs(ours - theirs)[same]) < 1e-3, f"link {part}"


def test_lights_show_in_the_picture():
    world = World(load_scene("embedded"), embedded_assets(), renderer="tiny")
    try:
        counts = []
        for led, bulb in ((0, 0), (1, 1)):
            world.reset(robot_obs(), scene_obs(led=led, lightbulb=bulb, switch=0.088 * bulb))
            red, green, blue = np.moveaxis(world.render("static", depth=False).rgb.astype(int), -1, 0)
            counts.append(((green > red + 60) & (green > blue + 60), (red > blue + 90) & (green > blue + 90)))
    finally:
        world.close()
    (led_off, bulb_off), (led_on, bulb_on) = ((int(a.sum()), int(b.sum())) for a, b in counts)
    assert led_off == bulb_off == 0
    assert led_on > 100
    assert bulb_on > 50


def test_building_the_world_takes_less_than_three_tenths_of_a_second():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        world = World(load_scene("embedded"), embedded_assets(), renderer="none")
        times.append(time.perf_counter() - start)
        world.close()
    assert min(times) < 0.3


def test_the_mesh_package_is_asked_for_by_its_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pybullet_data", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seer-bench\[calvin\]'"):
        embedded_assets()
