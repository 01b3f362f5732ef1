"""The EGL renderer; skipped where the machine cannot have it."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from calvin_benchmark import renderer
from calvin_benchmark.chains import initial_state_vectors, load_chains
from calvin_benchmark.scene import load_scene
from calvin_benchmark.world import World
from seer_bench.errors import SimulationError

# On Mesa 22.3.6 the pictures are identical to the recorded ones; other drivers place edges and shadows differently:
# so many values may be off by more than so many levels of 255.
EDGE_LEVELS, EDGE_SHARE = 8, 0.02


@pytest.fixture
def needs_egl():
    if not renderer.available("egl"):
        pytest.skip(f"EGL does not work here: {renderer.probe_egl().output[-200:]}")


def start(world, chain):
    world.reset(*initial_state_vectors(load_chains()[chain].initial_state))


def test_pictures_equal_upstream_in_the_recorded_order_and_print_nothing(needs_egl, official, golden, capfd):
    recorded = np.load(golden / "reset_images.npz")
    world = World(load_scene("D"), official, renderer="egl", warm_up=False)
    capfd.readouterr()
    for chain in (0, 33, 77, 131, 196, 279):
        start(world, chain)
        for camera in ("static", "gripper"):
            image = world.render(camera)
            off = np.abs(image.rgb.astype(int) - recorded[f"egl_{chain}_rgb_{camera}"])
            assert (off > EDGE_LEVELS).mean() <= EDGE_SHARE
            assert off.mean() <= 1
            far = np.abs(image.depth - recorded[f"egl_{chain}_depth_{camera}"]) > 0.002
            assert far.mean() <= EDGE_SHARE
    world.close()


def test_a_warm_world_takes_the_same_picture_first_and_later_and_after_a_rebuild(needs_egl, official, capfd):
    world = World(load_scene("D"), official, renderer="egl")
    start(world, 33)
    first, second = world.render("static"), world.render("static")
    np.testing.assert_array_equal(first.rgb, second.rgb)
    world.rebuild()
    start(world, 33)
    np.testing.assert_array_equal(world.render("static").rgb, first.rgb)
    with pytest.raises(SimulationError, match="already has a world"):
        World(load_scene("D"), official, renderer="egl")
    world.close()
    assert capfd.readouterr() == ("", "")
    World(load_scene("D"), official, renderer="egl").close()


def test_a_machine_without_egl_is_told_what_to_install(official, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "failed to EGL with glad.\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    renderer.probe_egl.cache_clear()
    try:
        assert not renderer.available("egl")
        assert renderer.available("tiny")
        with pytest.raises(SimulationError, match=r"failed to EGL with glad.*apt-get install libegl1"):
            World(load_scene("D"), official, renderer="egl")
    finally:
        renderer.probe_egl.cache_clear()
