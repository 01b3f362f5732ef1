"""What is accepted as an action, and what is refused with which words."""

from __future__ import annotations

import numpy as np
import pytest

from calvin_benchmark.actions import AbsolutePose, JointTarget, RelativeMotion, parse_action
from seer_bench.errors import InvalidActionError

SEVEN = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -1.0])
EIGHT = np.append(np.arange(7.0), 1.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_relative_action_keeps_its_dtype_and_the_callers_array(dtype):
    action = SEVEN.astype(dtype)
    command = parse_action(action, "pinned")
    assert isinstance(command, RelativeMotion)
    assert command.translation.dtype == command.rotation.dtype == dtype
    assert command.gripper == -1
    assert not np.shares_memory(command.translation, action)


def test_every_form_is_understood():
    assert isinstance(parse_action({"type": "cartesian_rel", "action": SEVEN}, "main"), RelativeMotion)
    for orientation in (np.zeros(3), np.array([0, 0, 0, 1.0])):
        command = parse_action((np.zeros(3), orientation, 1), "pinned")
        assert isinstance(command, AbsolutePose)
        assert len(command.orientation) == len(orientation)
        packed = np.concatenate([np.zeros(3), orientation, [1.0]])
        assert isinstance(parse_action({"type": "cartesian_abs", "action": packed}, "main"), AbsolutePose)
    for kind in ("joint_rel", "joint_abs"):
        command = parse_action({"type": kind, "action": EIGHT}, "main")
        assert isinstance(command, JointTarget)
        assert command.relative == (kind == "joint_rel")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (SEVEN[:6], r"shape must be \(7,\), got \(6,\)"),
        (SEVEN.astype(int), "dtype must be floating point, got int64"),
        (np.append(SEVEN[:6], np.nan), "must be finite"),
        (np.append(SEVEN[:6], 0.0), "exactly -1 .close. or 1 .open., got 0.0"),
        ((np.zeros(3), np.zeros(2), 1), r"orientation .* \(3,\) or \(4,\), got \(2,\)"),
        ((np.zeros(3), np.zeros(3), "open"), "must be a number, got 'open'"),
        ({"type": "torque", "action": SEVEN}, "unknown action type 'torque'; known: cartesian_rel"),
        ({"type": "joint_abs", "action": SEVEN}, r"shape must be \(8,\)"),
        ({"kind": "joint_abs", "action": SEVEN}, "keys 'type' and 'action'"),
    ],
)
def test_what_is_malformed_is_refused_in_words(action, message):
    with pytest.raises(InvalidActionError, match=message):
        parse_action(action, "main")


def test_the_pinned_variant_takes_no_dictionaries():
    with pytest.raises(InvalidActionError, match="takes no action dictionaries"):
        parse_action({"type": "cartesian_rel", "action": SEVEN}, "pinned")
