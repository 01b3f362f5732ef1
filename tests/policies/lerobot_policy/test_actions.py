"""What actions mean, and what the statistics of the training data tell against it."""

from __future__ import annotations

import numpy as np
import pytest

from lerobot_policy.actions import ACTIONS, Gripper, check_actions
from lerobot_policy.features import read_description
from lerobot_policy.options import LeRobotOptions
from seer_bench import ConventionError, UnknownNameError, UsageError

from .conftest import Write

SPEC = ACTIONS["libero"]
PLAIN = Gripper.parse(None, SPEC)


def test_actions_as_the_benchmark_takes_them_pass(write: Write) -> None:
    said = check_actions(read_description(write()), SPEC, PLAIN)
    assert said == "movement -1 to 1, gripper -1 to 1"
    actions = np.ones((2, 7), np.float32)
    assert PLAIN.convert(actions, SPEC) is actions


def test_another_length_is_refused(write: Write) -> None:
    with pytest.raises(ConventionError, match="have 8 numbers; the benchmark takes 7"):
        check_actions(read_description(write(action_dim=8)), SPEC, PLAIN, ranges=False)


def test_a_gripper_of_another_range_must_be_stated(write: Write) -> None:
    path = write(changed={"action.min": [-1.0] * 6 + [0.0]})
    with pytest.raises(ConventionError, match="gripper=open:1,closed:0 or gripper=open:0,closed:1"):
        check_actions(read_description(path), SPEC, PLAIN)
    stated = Gripper.parse("open:1,closed:0", SPEC)
    check_actions(read_description(path), SPEC, stated)
    actions = np.zeros((3, 7), np.float32)
    actions[:, 6] = [0, 1, 0.5]
    converted = stated.convert(actions, SPEC)
    assert converted[:, 6].tolist() == [1, -1, 0]  # LIBERO closes at 1 and opens at -1
    assert converted.dtype == np.float32
    assert actions[:, 6].tolist() == [0, 1, 0.5]


@pytest.mark.parametrize("scale", [0.02, 3.0])
def test_metres_and_poses_are_refused(write: Write, scale: float) -> None:
    limits = [scale] * 6 + [1.0]
    path = write(changed={"action.min": np.negative(limits), "action.max": limits})
    with pytest.raises(ConventionError, match=r"was trained on other actions.*ranges=ignore"):
        check_actions(read_description(path), SPEC, PLAIN)
    assert check_actions(read_description(path), SPEC, PLAIN, ranges=False) == "not checked, as asked for"


def test_without_a_range_nothing_is_claimed(write: Write) -> None:
    path = write(changed={"action.min": np.zeros(0)})
    assert check_actions(read_description(path), SPEC, PLAIN).startswith("not checked: no min and max")


@pytest.mark.parametrize("text", ["1,0", "open:1", "open:1,closed:1", "closed:0,open:1", "open:x,closed:0"])
def test_a_gripper_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write the two numbers"):
        Gripper.parse(text, SPEC)


def test_options_are_read_and_unknown_ones_refused() -> None:
    options = LeRobotOptions.parse({"resize": "bilinear", "n_action_steps": "4", "map": "a:b"})
    assert (options.resize, options.n_action_steps, options.map, options.ranges) == (True, 4, {"a": "b"}, True)
    with pytest.raises(UnknownNameError, match="Did you mean 'gripper'"):
        LeRobotOptions.parse({"griper": "open:1,closed:0"})
    with pytest.raises(UsageError, match="resize=nearest"):
        LeRobotOptions.parse({"resize": "nearest"})
