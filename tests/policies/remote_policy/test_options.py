from __future__ import annotations

import pytest

from remote_policy.options import RemoteOptions
from seer_bench import UsageError

URL = "ws://127.0.0.1:8000"


def test_the_address_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SEER_BENCH_REMOTE_URL", "ws://gpu:8000")
    monkeypatch.setenv("SEER_BENCH_REMOTE_TOKEN", "secret")
    options = RemoteOptions.parse({})
    assert (options.url, options.token) == ("ws://gpu:8000", "secret")
    assert "secret" not in repr(options)
    assert RemoteOptions.parse({"url": "wss://other"}).url == "wss://other"


def test_pairs_of_keys():
    options = RemoteOptions.parse({"url": URL, "keys": "observation/image:rgb_static, state:hand+fingers"})
    assert options.keys == {"observation/image": ("rgb_static",), "state": ("hand", "fingers")}


def test_a_preset_fills_in_what_is_not_given():
    options = RemoteOptions.parse({"url": URL, "preset": "openpi-libero", "chunk": "10"})
    assert (options.chunk, options.resize) == (10, 224)
    assert options.keys["observation/state"] == ("eef_position", "eef_axis_angle", "gripper_qpos")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "url=ws://HOST:PORT"),
        ({"url": "127.0.0.1:8000"}, "give ws://HOST:PORT or wss://HOST:PORT"),
        ({"url": URL, "token": "x"}, "unknown option 'token'.*the policy 'remote'"),
        ({"url": URL, "timeout": "0"}, "timeout=0"),
        ({"url": URL, "wait": "soon"}, "wait=soon"),
        ({"url": URL, "timeout": "inf"}, "timeout=inf"),
        ({"url": URL, "chunk": "0"}, "chunk=0"),
        ({"url": URL, "resize": "-3"}, "resize=-3"),
        ({"url": URL, "keys": "x"}, "no pair"),
        ({"url": URL, "keys": "x:a,x:b"}, "twice"),
        ({"url": URL, "keys": "x:a+"}, "no pair"),
        ({"url": URL, "preset": "libero"}, "preset=libero"),
    ],
)
def test_what_cannot_be_used_is_named(given, said):
    with pytest.raises(UsageError, match=said):
        RemoteOptions.parse(given)
