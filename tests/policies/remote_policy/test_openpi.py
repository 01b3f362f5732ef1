"""Against the programs of openpi themselves, in an environment of their own.

pip install openpi-client typing_extensions        (it imports the latter and does not declare it)
SEER_BENCH_OPENPI_PYTHON=.../bin/python SEER_BENCH_OPENPI=CHECKOUT_OF_OPENPI pytest -m openpi
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from remote_policy.pictures import fit
from seer_bench import SimulationError
from seer_bench.serving.codec import unpack
from tests.fakes.serving import Historian, Wire, observation, serving

pytestmark = pytest.mark.openpi
PROGRAMS = Path(__file__).with_name("openpi_programs.py")
KEYS = "observation/state:total,observation/image:picture"


def python() -> str:
    if "SEER_BENCH_OPENPI_PYTHON" not in os.environ:
        pytest.skip("needs SEER_BENCH_OPENPI_PYTHON, the Python of an environment with openpi-client")
    return os.environ["SEER_BENCH_OPENPI_PYTHON"]


def run(*arguments: object) -> bytes:
    command = [python(), PROGRAMS, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=30).stdout


@contextmanager
def openpi_server():
    """openpi's server in a process of its own; gives its port."""
    if "SEER_BENCH_OPENPI" not in os.environ:
        pytest.skip("needs SEER_BENCH_OPENPI, a checkout of openpi")
    file = Path(os.environ["SEER_BENCH_OPENPI"]) / "src/openpi/serving/websocket_policy_server.py"
    with subprocess.Popen(
        [python(), PROGRAMS, "server", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def test_openpis_client_plays_with_our_server():
    with serving(Historian(batch=2), token="open sesame") as port:  # noqa: S106 - of the tests
        said = json.loads(run("client", port, "open sesame"))
    assert said == {"metadata": ["seer_bench"], "actions": [[[1, 1]], [[3, 2]], [[6, 3]]]}


def test_we_play_with_openpis_server(connect):
    with openpi_server() as (port, _):
        remote = connect(port, keys=KEYS, chunk=3, name="pi0")
        assert list(remote.spec.observations) == ["total", "picture"]
        assert (remote.spec.chunk, remote.spec.arm) == (3, {"method": "pi0"})
        remote.reset([0, 1], ["reach 1", "reach 2"], [0, 0])
        for total in (1.0, 5.0):
            given = observation(total, rows=2)
            actions = remote.act([0, 1], given)
            assert actions.dtype == np.float32
            assert actions.tolist() == [[[total + k, 4] for k in range(3)]] * 2


def test_vectors_are_joined_for_it(connect):
    with openpi_server() as (port, _):
        remote = connect(port, keys="observation/state:total+total,observation/image:picture")
        remote.reset([0], ["reach 1"], [0])
        assert remote.act([0], observation(4.0)).tolist() == [[[8, 4]]]


def test_its_error_is_nobodys_failure(connect):
    with openpi_server() as (port, _):
        remote = connect(port, keys=KEYS)
        remote.reset([0], ["reach 1"], [0])
        with pytest.raises(SimulationError, match="no such total"):
            remote.act([0], observation(-1.0))
        assert remote.act([0], observation(2.0)).tolist() == [[[2, 4]]]


def test_it_is_never_asked_twice(connect):
    with openpi_server() as (port, _), Wire(port) as wire:
        remote = connect(wire.port, keys=KEYS)
        remote.reset([0], ["reach 1"], [0])
        wire.cut_answers = 1
        with pytest.raises(SimulationError):
            remote.act([0], observation(1.0))
        wire.cut()
        time.sleep(0.1)
        assert remote.act([0], observation(2.0)).tolist() == [[[2, 4]]]


def test_a_killed_server_is_an_outage(connect):
    with openpi_server() as (port, process):
        remote = connect(port, keys=KEYS, wait=0.5)
        remote.reset([0], ["reach 1"], [0])
        remote.act([0], observation(1.0))
        process.kill()
        process.wait()
        with pytest.raises(SimulationError):
            remote.act([0], observation(1.0))


@pytest.mark.parametrize("side", [224, 100, 37])
def test_pictures_are_scaled_as_openpi_scales_them(side):
    picture = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    assert np.array_equal(fit(picture, side), unpack(run("fit", side)))
