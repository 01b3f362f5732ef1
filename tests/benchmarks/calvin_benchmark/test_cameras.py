"""Pictures: equal to recordings, and to plain engine calls although hidden links are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet as p
import pytest

from calvin_benchmark.chains import initial_state_vectors, load_chains
from calvin_benchmark.scene import load_scene
from calvin_benchmark.world import World
from seer_bench.errors import UsageError


@pytest.fixture(scope="module")
def world(official):
    made = World(load_scene("D"), official, renderer="tiny")
    yield made
    made.close()


def start(world, chain):
    world.reset(*initial_state_vectors(load_chains()[chain].initial_state))


def plain_picture(world, camera, size):
    """What the engine draws when nothing is left out: rgb, z-buffer."""
    own = world._cameras[camera]
    matrices = own.view_matrix(), own.projection_matrix(size[0] / size[1])
    rgba, z_buffer = p.getCameraImage(*size, *matrices, physicsClientId=world._client)[2:4]
    rgb = np.asarray(rgba, dtype=np.uint8).reshape(size[1], size[0], 4)[:, :, :3]
    return rgb, np.asarray(z_buffer, dtype=np.float32).reshape(size[1], size[0])


@pytest.mark.parametrize("chain", [0, 33, 77, 131, 196, 279])
def test_pictures_after_reset_equal_upstream(world, golden, chain):
    recorded = np.load(golden / "reset_images.npz")
    start(world, chain)
    for camera in ("static", "gripper"):
        image = world.render(camera)
        np.testing.assert_array_equal(image.rgb, recorded[f"tiny_{chain}_rgb_{camera}"])
        np.testing.assert_array_equal(image.depth, recorded[f"tiny_{chain}_depth_{camera}"])
        assert (image.rgb.dtype, image.depth.dtype) == (np.uint8, np.float32)


def test_links_out_of_view_are_left_out_and_the_pixels_stay(world):
    rng = np.random.default_rng(8)
    left_out = {"static": 0, "gripper": 0}
    for _ in range(24):
        start(world, int(rng.integers(1000)))
        robot = world.robot_obs()
        robot[7:14] += rng.normal(0, 0.4, 7)
        world.reset(robot, world.scene_obs())
        for camera in left_out:
            own = world._cameras[camera]
            left_out[camera] += len(own._culling.out_of_view(own.view_matrix(), own.projection_matrix(1.0)))
            rgb, z_buffer = plain_picture(world, camera, own._spec.size)
            image = world.render(camera)
            np.testing.assert_array_equal(image.rgb, rgb)
            np.testing.assert_array_equal(image.depth, own._metres(z_buffer))
    assert min(left_out.values()) > 24


def test_hidden_links_have_their_colour_back_afterwards(world):
    before = p.getVisualShapeData(0, physicsClientId=world._client)
    world.render("gripper")
    assert p.getVisualShapeData(0, physicsClientId=world._client) == before


def test_boxes_hold_all_that_is_drawn_of_their_links(world, official):
    shapes = {shape[1]: shape for shape in p.getVisualShapeData(0, physicsClientId=world._client)}
    checked = 0
    for box in world.scene.robot.visual_boxes:
        shape = shapes[box.link]
        path = shape[4].decode()
        if not path.endswith(".obj"):
            continue
        with Path(path).open() as lines:
            vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], dtype=float)
        axes = np.array(p.getMatrixFromQuaternion(shape[6])).reshape(3, 3)
        vertices = vertices * shape[3] @ axes.T + shape[5]
        assert (vertices > box.low).all()
        assert (vertices < box.high).all()
        checked += 1
    assert checked >= 10


def test_other_sizes_show_the_same_scene_and_depth_can_be_left_out(world):
    start(world, 0)
    small, large = world.render("static"), world.render("static", size=(400, 300), depth=False)
    assert large.rgb.shape == (300, 400, 3)
    assert large.depth is None
    assert small.depth.shape == (200, 200)
    rgb, _ = plain_picture(world, "static", (400, 300))
    np.testing.assert_array_equal(large.rgb, rgb)


def test_what_cannot_be_rendered_is_refused(world, official):
    with pytest.raises(UsageError, match=r"unknown camera 'wrist'.*static, gripper"):
        world.render("wrist")
    blind = World(load_scene("D"), official, renderer="none")
    with pytest.raises(UsageError, match="renders nothing"):
        blind.render("static")
    blind.close()
