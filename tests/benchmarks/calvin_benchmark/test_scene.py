"""The scene data against the configuration files and the URDF files of upstream."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml

from calvin_benchmark.scene import load_scene
from seer_bench.errors import UnknownNameError


@pytest.mark.parametrize("name", ["A", "B", "C", "D"])
def test_scenes_are_upstreams(official, name):
    text = (official / "scenes" / f"calvin_scene_{name}.yaml").read_text()
    upstream = yaml.safe_load(text)
    scene = load_scene(name)
    assert scene.global_scaling == upstream["global_scaling"]
    assert scene.robot.base_position == tuple(upstream["robot_base_position"])
    assert scene.robot.rest_joints == tuple(upstream["robot_initial_joint_positions"])
    assert scene.table_urdf == upstream["objects"]["fixed_objects"]["table"]["file"]
    blocks = upstream["objects"]["movable_objects"]
    assert [(block.name, block.urdf) for block in scene.blocks] == [(key, row["file"]) for key, row in blocks.items()]
    surfaces = {surface.name: [list(surface.low), list(surface.high)] for surface in scene.surfaces}
    assert list(surfaces.items()) == list(upstream["surfaces"].items())


@pytest.mark.parametrize("name", ["A", "B", "C", "D"])
def test_every_file_exists_and_blocks_have_the_size_of_their_urdf(official, name):
    scene = load_scene(name)
    assert all((official / path).is_file() for path in scene.asset_files)
    for block in scene.blocks:
        sizes = set(re.findall(r'<box size="(.*?)"/>', (official / block.urdf).read_text()))
        size = np.array(sizes.pop().split(), dtype=float) * scene.global_scaling
        assert not sizes
        np.testing.assert_allclose(2 * np.array(block.half_extents), size)


def test_an_unknown_scene_is_refused():
    with pytest.raises(UnknownNameError, match="unknown CALVIN scene 'E'"):
        load_scene("E")
