from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from openvla_policy.client import OpenVlaClient
from openvla_policy.image import prepare
from openvla_policy.options import OpenVlaOptions
from openvla_policy.policy import PROTOCOL, make_policy, with_robosuite_gripper
from seer_bench import (
    CheckpointError,
    ConventionError,
    InvalidActionError,
    PolicyContext,
    SimulationError,
    UnknownNameError,
    UsageError,
    check_policy,
)

from .stand_in import StandIn, stand_in

DATA = Path(__file__).parent / "data"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


def context(url: str, protocol: str = PROTOCOL, **options: str) -> PolicyContext:
    benchmark = LiberoBenchmark()
    chosen = benchmark.protocols()[protocol]
    return PolicyContext(benchmark.interface(chosen), chosen, options={"url": url, "wait": "0.3", **options})


def picture() -> np.ndarray:
    """Waves, a slope and a disc."""
    y, x = np.mgrid[:256, :256] / 255
    disc = (x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.05
    colours = [127 + 100 * np.sin(9 * x + 4 * y), 255 * x * y, 40 + 200 * disc]
    return np.stack(colours, axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("center_crop", "name"), [(False, "reduced"), (True, "cropped")])
def test_a_picture_is_prepared_as_tensorflow_does(center_crop, name):
    """`data/tensorflow.npz`: every eighth pixel of what OpenVLA's calls gave with TensorFlow 2.21."""
    theirs = np.load(DATA / "tensorflow.npz")[name].astype(int)
    ours = prepare(picture(), center_crop=center_crop)
    assert (ours.shape, ours.dtype) == ((224, 224, 3), np.uint8)
    difference = np.abs(ours[::8, ::8] - theirs)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.002


def test_it_keeps_the_contract(server):
    check_policy("openvla", context(server.url))


def test_what_is_asked_and_what_becomes_of_the_answer(server):
    policy = make_policy(context(server.url))
    assert policy.spec.settings == {"unnorm_key": "libero_10_no_noops", "center_crop": "on"}
    server.requests.clear()
    policy.reset([4, 2], ["Put it there", "Turn it on"], [0, 0])
    dark, light = np.zeros((256, 256, 3), np.uint8), np.full((256, 256, 3), 255, np.uint8)
    actions = policy.act([2, 4], {"rgb_agentview": np.stack([dark, light])})
    assert [request["instruction"] for request in server.requests] == ["Turn it on", "Put it there"]
    assert {request["image"].shape for request in server.requests} == {(224, 224, 3)}
    assert {request["unnorm_key"] for request in server.requests} == {"libero_10_no_noops"}
    # 47 characters of the prompt besides the sentence
    np.testing.assert_allclose(actions[0, 0], [0, 0, 0, 0.57, 0, 0.1, -1], atol=1e-12)  # dark: opens
    np.testing.assert_allclose(actions[1, 0], [1, 1, 1, 0.59, 0, 0.1, 1], atol=1e-12)


@pytest.mark.parametrize(("open_", "command"), [(0.0, 1.0), (0.49, 1.0), (0.5, 0.0), (0.51, -1.0), (0.996, -1.0)])
def test_the_gripper(open_, command):
    np.testing.assert_array_equal(with_robosuite_gripper(np.array([0.5] * 6 + [open_])), [0.5] * 6 + [command])


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((b'"error"', 200), SimulationError, "the server's log has the traceback"),
        ((b"Internal Server Error", 500), SimulationError, "HTTP 500 .*: Internal Server Error"),
        ((b"<html>", 200), SimulationError, "not JSON"),
        ((b"[1, 2]", 200), SimulationError, "something else than an array"),
        ((b'{"__numpy__": "!!", "dtype": "<f8", "shape": [7]}', 200), SimulationError, "something else than an array"),
        ((b'{"__numpy__": "", "dtype": "|O", "shape": [0]}', 200), SimulationError, "dtype object"),
        ((b" " * (2**20 + 1), 200), SimulationError, "more than 1048576 bytes"),
        ((b'{"__numpy__": "AAAAAAAAAAA=", "dtype": "<f8", "shape": [1]}', 200), InvalidActionError, r"shape \(1,\)"),
    ],
)
def test_an_answer_that_is_no_action(server, answer, error, text):
    policy = make_policy(context(server.url))
    policy.reset([0], ["go"], [0])
    server.answers.append(answer)
    with pytest.raises(error, match=text):
        policy.act([0], {"rgb_agentview": picture()[None]})
    assert policy.act([0], {"rgb_agentview": picture()[None]}).shape == (1, 1, 7)


def test_a_server_that_hangs_up_is_asked_again(server):
    policy = make_policy(context(server.url))
    policy.reset([0], ["go"], [0])
    server.answers.append(None)
    assert policy.act([0], {"rgb_agentview": picture()[None]}).shape == (1, 1, 7)


def test_a_server_that_is_too_slow():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = OpenVlaClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2, wait=5)
        with pytest.raises(SimulationError, match=r"did not answer within 0\.2 s.*--policy-arg timeout"):
            client.act(picture(), "go", "libero_10")


def test_a_server_that_went_away():
    with stand_in() as server:
        policy = make_policy(context(server.url))
        policy.reset([0], ["go"], [0])
    with pytest.raises(SimulationError, match=r"no OpenVLA server answers.*deploy\.py"):
        policy.act([0], {"rgb_agentview": picture()[None]})


def test_statistics_that_the_server_does_not_know(server):
    with pytest.raises(UsageError, match=r"statistics of bridge_orig.*--policy-arg unnorm_key"):
        make_policy(context(server.url, unnorm_key="bridge_orig"))
    with pytest.raises(UsageError, match="HTTP 404"):
        make_policy(context(f"{server.url}/other"))


def test_another_protocol_is_refused(server):
    with pytest.raises(ConventionError, match="--protocol libero-long/openvla-v1"):
        make_policy(context(server.url, "libero-long/seer-v1"))


def test_what_it_cannot_be_built_from(server):
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    with pytest.raises(UsageError, match=r"plays libero.*libero-long/openvla-v1"):
        make_policy(PolicyContext(benchmark.interface(protocol), protocol, options={"url": server.url}))
    with pytest.raises(CheckpointError, match="Leave --ckpt out"):
        make_policy(replace(context(server.url), checkpoint=Path("weights")))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "needs the address"),
        ({"url": "ws://127.0.0.1:8000"}, "http://HOST:PORT"),
        ({"url": "http://host", "timeout": "-1"}, "above 0"),
        ({"url": "http://host", "center_crop": "yes"}, "choose on or off"),
    ],
)
def test_options_that_cannot_be(given, text):
    with pytest.raises(UsageError, match=text):
        OpenVlaOptions.parse(given)


def test_an_unknown_option():
    with pytest.raises(UnknownNameError, match="Did you mean 'unnorm_key'"):
        OpenVlaOptions.parse({"url": "http://host", "unorm_key": "x"})


def test_the_address_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("SEER_BENCH_OPENVLA_URL", "http://there")
    assert OpenVlaOptions.parse({}).url == "http://there"
