"""Against OpenVLA's own deployment server, in an environment of its own.

pip install fastapi uvicorn json-numpy pillow
SEER_BENCH_OPENVLA_PYTHON=.../bin/python SEER_BENCH_OPENVLA=CHECKOUT_OF_OPENVLA pytest -m openvla
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from openvla_policy.policy import make_policy
from seer_bench import SimulationError, UsageError, check_policy
from tests.fakes.programs import await_answer, free_port

from .test_openvla import context, picture

pytestmark = pytest.mark.openvla


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of the official server, over a model that is arithmetic."""
    missing = [name for name in ("SEER_BENCH_OPENVLA_PYTHON", "SEER_BENCH_OPENVLA") if name not in os.environ]
    if missing:
        pytest.fail(f"set {' and '.join(missing)}: {__doc__}")
    port = free_port()
    program = Path(__file__).with_name("official_server.py")
    deploy = Path(os.environ["SEER_BENCH_OPENVLA"]) / "vla-scripts" / "deploy.py"
    command = [os.environ["SEER_BENCH_OPENVLA_PYTHON"], str(program), str(deploy), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_answer(f"http://127.0.0.1:{port}/docs", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_it_keeps_the_contract(url):
    check_policy(make_policy, context(url))


def test_an_action(url):
    policy = make_policy(context(url))
    assert policy.spec.settings["unnorm_key"] == "libero_10_no_noops"
    policy.reset([0], ["Put it there"], [0])
    action = policy.act([0], {"rgb_agentview": np.full((1, 256, 256, 3), 255, np.uint8)})
    np.testing.assert_allclose(action[0, 0], [1, 1, 1, 0.59, 0, 0.1, 1], atol=1e-12)


def test_what_it_reports_is_not_the_policys_fault(url):
    with pytest.raises(UsageError, match="reports an error"):
        make_policy(context(url, unnorm_key="bridge_orig"))
    policy = make_policy(context(url))
    policy._unnorm_key = "bridge_orig"
    policy.reset([0], ["go"], [0])
    with pytest.raises(SimulationError, match="reports an error"):
        policy.act([0], {"rgb_agentview": picture()[None]})
