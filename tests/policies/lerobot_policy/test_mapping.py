"""From fields to inputs: what is derived, what must be stated, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from lerobot_policy.actions import Gripper, action_spec
from lerobot_policy.features import read_description
from lerobot_policy.mapping import InputMapping, make_mapping, parse_map
from lerobot_policy.sources import ImageSource, VectorSource, parse_source
from lerobot_policy.table import mapping_notes
from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.fields import oriented
from seer_bench import ConventionError, ImageSpec, Interface, SeerBenchError, UnknownNameError, UsageError

from .conftest import CALVIN, LIBERO, Write


def interface(protocol: str) -> Interface:
    benchmark = LiberoBenchmark() if protocol.startswith("libero") else CalvinBenchmark()
    return benchmark.interface(benchmark.protocols()[protocol])


LIBERO_256 = interface("libero-long/openvla-v1")
LIBERO_128 = interface("libero-long/v1")
EMBEDDED = interface("calvin-embedded/v1")


def mapped(path, given: Interface, text: str | None = None, **options) -> InputMapping:
    return make_mapping(read_description(path), given, parse_map(text) if text else {}, **options)


def test_libero_is_derived_as_lerobot_evaluates_it(write: Write) -> None:
    mapping = mapped(write(), LIBERO_256)
    assert mapping.text == (
        "observation.images.image:rgb_agentview/rot180,observation.images.image2:rgb_eye_in_hand/rot180,"
        "observation.state:eef_position+eef_axis_angle+gripper_qpos"
    )
    assert mapping.observations == {name: LIBERO_256.observations[name] for name in mapping.observations}
    assert make_mapping(read_description(write()), LIBERO_256, parse_map(mapping.text)) == mapping


def test_the_table_shows_what_happens_on_the_way(write: Write) -> None:
    path = write()
    described, mapping = read_description(path), mapped(path, LIBERO_128, resize=True)
    spec = action_spec(LIBERO_128)
    lines = mapping_notes(described, mapping, spec, Gripper.parse(None, spec), "not checked")
    columns = [column.strip() for column in re.split(r"  +", lines[1].strip())]
    assert columns == [
        "observation.images.image",
        "3 x 256 x 256",
        "<- rgb_agentview (128 x 128, raw)",
        "turned by 180 degrees, uint8 HWC -> float32 CHW 0..1, resized to 256 x 256 (bilinear, antialiased)",
    ]
    assert "<- eef_position+eef_axis_angle+gripper_qpos" in lines[3]
    assert "the gripper opens at -1 and closes at 1" in lines[-2]


def test_a_name_from_before_a_renaming_counts(write: Write) -> None:
    inputs = {"observation.images.camera1": (3, 256, 256), "observation.state": (8,)}
    path = write(inputs, renames={"observation.images.image2": "observation.images.camera1"})
    assert mapped(path, LIBERO_256).text.startswith("observation.images.camera1:rgb_eye_in_hand/rot180,")


def test_an_input_named_as_a_field_is_that_field(write: Write) -> None:
    inputs = {"observation.images.rgb_static": (3, 200, 200), "observation.state": (15,)}
    assert mapped(write(inputs), EMBEDDED).text == (
        "observation.images.rgb_static:rgb_static/upright,observation.state:robot_obs"
    )


def test_a_stated_mapping_joins_and_cuts(write: Write) -> None:
    text = "observation.images.top:rgb_static,observation.state:robot_obs[0:6]+robot_obs[14]"
    mapping = mapped(write(CALVIN), EMBEDDED, text)
    source = mapping.routes[1].source
    assert isinstance(source, VectorSource)
    taken = source.take({"robot_obs": np.arange(15.0)})
    assert taken.tolist() == [0, 1, 2, 3, 4, 5, 14]
    assert taken.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, ConventionError, r"'observation.images.top' \(3, 200, 200\) has no source.*rgb_static \(200 x 200\)"),
        ("observation.images.top:rgb_static", ConventionError, "has 7 entries, but 'robot_obs' has 15"),
        ("observation.images.tip:rgb_static", UnknownNameError, "Did you mean 'observation.images.top'"),
        ("observation.images.top:rgb_statik", UnknownNameError, "Did you mean 'rgb_static'"),
        ("observation.images.top:rgb_static/upsidedown", UnknownNameError, "orientation 'upsidedown'"),
        ("observation.images.top:rgb_gripper", ConventionError, "is 200 x 200, but 'rgb_gripper' is 84 x 84"),
        ("observation.images.top:depth_static", ConventionError, "is a depth image"),
        ("observation.images.top:robot_obs", ConventionError, "is a picture, but 'robot_obs' is a vector"),
        ("observation.images.top:none", ConventionError, "needs all of its inputs"),
        ("observation.images.top:rgb_static,observation.state:rgb_static", ConventionError, "is a vector, but"),
        ("observation.images.top:rgb_static,observation.state:robot_obs[9:16]", ConventionError, "has 15 entries"),
        ("observation.images.top:rgb_static,observation.state:robot_obs[7:0]", ConventionError, "is not within"),
        ("observation.images.top:rgb_static,observation.state:robot_obs[0:7", UsageError, "cannot be read"),
        ("observation.images.top:rgb_static,observation.state:robot_obs/raw", ConventionError, "no orientation"),
        ("observation.images.top:rgb_static,observation.state:rgb_static+robot_obs", ConventionError, "is an image"),
        ("observation.state", UsageError, "is no pair"),
        ("observation.state:robot_obs,observation.state:robot_obs", UsageError, "there twice"),
    ],
)
def test_what_does_not_fit_is_refused(write: Write, text: str | None, error: type[SeerBenchError], words: str) -> None:
    with pytest.raises(error, match=words):
        mapped(write(CALVIN), EMBEDDED, text)


def test_pictures_of_another_size_are_refused_unless_somebody_resizes(write: Write) -> None:
    with pytest.raises(ConventionError, match=r"256 x 256, but 'rgb_agentview' is 128 x 128.*resize=bilinear"):
        mapped(write(), LIBERO_128)
    assert mapped(write(), LIBERO_128, resize=True).routes[0].resize == (256, 256)
    itself = mapped(write(kind="smolvla", resize_imgs_with_padding=[512, 512]), LIBERO_128).routes[0]
    assert itself.resize is None
    assert "the policy itself fits it into 512 x 512" in itself.conversion


def test_cameras_that_training_had_not_either_stay_empty(write: Write) -> None:
    inputs = {**LIBERO, "observation.images.empty_camera_0": (3, 480, 640)}
    route = mapped(write(inputs, kind="smolvla", empty_cameras=1), LIBERO_256).routes[-1]
    assert (route.source, route.conversion) == (None, "left out; the policy masks it")
    with pytest.raises(ConventionError, match="empty_camera_0"):
        mapped(write(inputs, kind="smolvla", empty_cameras=0), LIBERO_256)


@pytest.mark.parametrize("wanted", ["upright", "raw", "rot180"])
@pytest.mark.parametrize("given", ["upright", "raw", "rot180"])
def test_every_orientation_becomes_every_other(given, wanted) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    source = parse_source(f"camera/{wanted}", {"camera": ImageSpec(4, 6, orientation=given)}, "upright")
    assert isinstance(source, ImageSource)
    picture = oriented(raw, given)
    taken = source.take({"camera": picture})
    assert np.array_equal(taken, oriented(raw, wanted))
    assert not np.shares_memory(taken, picture)
    assert bool(source.turn) == (given != wanted)
