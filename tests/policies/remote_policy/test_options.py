from __future__ import annotations

import pytest

from remote_policy.options import RemoteOptions
from seer_bench import UsageError


def test_the_address_may_come_from_the_environment():
    here = {"SEER_BENCH_REMOTE_URL": "gpu:8000", "SEER_BENCH_REMOTE_TOKEN": "secret"}
    options = RemoteOptions.parse({}, here)
    assert (options.url, options.token) == ("ws://gpu:8000", "secret")
    assert "secret" not in repr(options)
    assert RemoteOptions.parse({"url": "wss://other"}, here).url == "wss://other"


def test_pairs_of_keys():
    options = RemoteOptions.parse({"url": "a", "keys": "observation/image:rgb_static, state:hand+fingers"}, {})
    assert options.keys == {"observation/image": ("rgb_static",), "state": ("hand", "fingers")}


def test_a_preset_fills_in_what_is_not_given():
    options = RemoteOptions.parse({"url": "a", "preset": "openpi-libero", "chunk": "10"}, {})
    assert (options.chunk, options.resize) == (10, 224)
    assert options.keys["observation/state"] == ("eef_position", "eef_axis_angle", "gripper_qpos")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "url=ws://HOST:PORT"),
        ({"url": "a", "token": "x"}, "unknown option of the policy 'remote' 'token'"),
        ({"url": "a", "timeout": "0"}, "timeout=0"),
        ({"url": "a", "wait": "soon"}, "wait=soon"),
        ({"url": "a", "timeout": "inf"}, "timeout=inf"),
        ({"url": "a", "chunk": "0"}, "chunk=0"),
        ({"url": "a", "resize": "-3"}, "resize=-3"),
        ({"url": "a", "keys": "x"}, "no pair"),
        ({"url": "a", "keys": "x:a,x:b"}, "twice"),
        ({"url": "a", "keys": "x:a+"}, "no pair"),
        ({"url": "a", "preset": "libero"}, "preset=libero"),
    ],
)
def test_what_cannot_be_used_is_named(given, said):
    with pytest.raises(UsageError, match=said):
        RemoteOptions.parse(given, {})
