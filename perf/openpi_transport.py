"""Seconds a step through the client and the server of openpi, with a policy that answers at once.

    python perf/openpi_transport.py FRAME.npz OPENPI UNITS STEPS

For the Python of an environment with openpi-client and typing_extensions; OPENPI is a checkout of openpi, whose server
is in no package. `remote_overhead.py` calls it. It prints a JSON list, one number a unit, after one for warming up.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import socket
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from openpi_client.base_policy import BasePolicy
from openpi_client.websocket_client_policy import WebsocketClientPolicy


class InstantPolicy(BasePolicy):
    """Answers zeros."""

    def infer(self, obs: dict) -> dict:  # noqa: ARG002 - their contract
        """Zeros."""
        return {"actions": np.zeros((1, 7), np.float32)}


def main(path: str, openpi: str, units: int, steps: int) -> None:
    """Start the server, ask it, print the seconds a step."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=serve_instantly, args=(openpi, port), daemon=True)
    server.start()
    await_health(port)
    try:
        with np.load(path) as frame:
            observation = {**frame, "prompt": "wait"}
        client = WebsocketClientPolicy("127.0.0.1", port)
        seconds = []
        for _ in range(units + 1):
            started = time.perf_counter()
            for _ in range(steps):
                client.infer(observation)
            seconds.append((time.perf_counter() - started) / steps)
    finally:
        server.kill()
    json.dump(seconds[1:], sys.stdout)


def serve_instantly(openpi: str, port: int) -> None:
    """Body of the server's process."""
    path = Path(openpi, "src/openpi/serving/websocket_policy_server.py")
    spec = importlib.util.spec_from_file_location("websocket_policy_server", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.WebsocketPolicyServer(InstantPolicy(), "127.0.0.1", port).serve_forever()


def await_health(port: int) -> None:
    """Wait until the server answers; raises TimeoutError."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the server of openpi did not start")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
