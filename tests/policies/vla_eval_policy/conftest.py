"""A model server started from the vla-eval package, and contexts to ask it from."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import PolicyContext

PYTHON = os.environ.get("SEER_BENCH_VLA_EVAL_PYTHON")
"""Python of an environment with `pip install vla-eval`."""

Start = Callable[..., str]


def context(url: str, protocol: str = "calvin-embedded/v1", **options: str) -> PolicyContext:
    benchmark = LiberoBenchmark() if protocol.startswith("libero") else CalvinBenchmark()
    chosen = benchmark.protocols()[protocol]
    return PolicyContext(benchmark.interface(chosen), chosen, options={"url": url, **options})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts a server, once for each set of arguments; its address."""
    if PYTHON is None:
        pytest.skip("SEER_BENCH_VLA_EVAL_PYTHON names no Python of an environment with vla-eval")
    running: dict[str, tuple[str, subprocess.Popen[bytes]]] = {}

    def start(params=None, actions=None, chunk=None, batch=1) -> str:
        told = json.dumps({"params": params or {}, "actions": actions or {}, "chunk": chunk, "batch": batch})
        if told not in running:
            port = free_port()
            command = [PYTHON, str(Path(__file__).with_name("vla_eval_server.py")), str(port), told]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            running[told] = (f"ws://127.0.0.1:{port}", process)
            _await(f"http://127.0.0.1:{port}/health", process)
        return running[told][0]

    yield start
    for _, process in running.values():
        process.kill()
        process.wait()


def _await(health: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(health, timeout=1).close()  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server of vla-eval did not start")
