"""A model server started from the vla-eval package, and contexts to ask it from."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import PolicyContext
from tests.fakes.programs import await_answer, free_port

Start = Callable[..., str]


def context(url: str, protocol: str = "calvin-embedded/v1", **options: str) -> PolicyContext:
    benchmark = LiberoBenchmark() if protocol.startswith("libero") else CalvinBenchmark()
    chosen = benchmark.protocols()[protocol]
    return PolicyContext(benchmark.interface(chosen), chosen, options={"url": url, **options})


def vla_eval_python() -> str:
    """Python of an environment with vla-eval; the test fails where none is named."""
    if python := os.environ.get("SEER_BENCH_VLA_EVAL_PYTHON"):
        return python
    pytest.fail(
        "name the Python of an environment with `pip install vla-eval`: "
        "SEER_BENCH_VLA_EVAL_PYTHON=.../bin/python pytest -m vla_eval"
    )


def launch(port: int, params=None, actions=None, chunk=None, batch=1, dies_at=None) -> subprocess.Popen[bytes]:
    """Start a server and wait until it listens."""
    told = {"params": params or {}, "actions": actions or {}, "chunk": chunk, "batch": batch, "dies_at": dies_at}
    command = [vla_eval_python(), str(Path(__file__).with_name("vla_eval_server.py")), str(port), json.dumps(told)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_answer(f"http://127.0.0.1:{port}/health", process)
    return process


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts a server, once for each set of arguments; its address."""
    running: dict[str, tuple[str, subprocess.Popen[bytes]]] = {}

    def start(*args: object, **told: object) -> str:
        key = repr((args, told))
        if key not in running:
            port = free_port()
            running[key] = (f"ws://127.0.0.1:{port}", launch(port, *args, **told))
        return running[key][0]

    yield start
    for _, process in running.values():
        process.kill()
        process.wait()
