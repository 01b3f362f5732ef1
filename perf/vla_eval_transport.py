"""Seconds a step through the client and the server of vla-eval, with a policy that answers at once.

    python perf/vla_eval_transport.py FRAME.npz raw|png CLIENTS UNITS STEPS

For the Python of an environment with vla-eval; `step_overhead.py` and `remote_overhead.py` call it with `--vla-eval`.
It prints a JSON list, one number a unit of each client, after one unit for warming up. The server is a process of its
own, and so is every client.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import time
import urllib.request

import anyio
import numpy as np
from vla_eval.connection import Connection
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve
from vla_eval.protocol.numpy_codec import set_image_format


class InstantServer(PredictModelServer):
    """Answers zeros."""

    def predict(self, obs: dict, ctx: object) -> dict:  # noqa: ARG002 - their contract
        """Zeros."""
        return {"actions": np.zeros(7, np.float32)}

    def get_action_spec(self) -> dict:
        """Nothing is declared."""
        return {}

    def get_observation_spec(self) -> dict:
        """Nothing is declared."""
        return {}


def main(path: str, coding: str, clients: int, units: int, steps: int) -> None:
    """Start a server, let the clients ask it, print the seconds a step."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve_instantly, args=(port,), daemon=True)
    server.start()
    await_health(port)
    try:
        with context.Pool(clients) as pool:
            answers = pool.starmap(play, [(path, coding, port, units, steps)] * clients, chunksize=1)
    finally:
        server.kill()
    json.dump([seconds for answer in answers for seconds in answer[1:]], sys.stdout)


def serve_instantly(port: int) -> None:
    """Body of the server's process."""
    serve(InstantServer(), host="127.0.0.1", port=port)


def await_health(port: int) -> None:
    """Wait until the server answers; raises TimeoutError."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the server of vla-eval did not start")


def play(path: str, coding: str, port: int, units: int, steps: int) -> list[float]:
    """Body of a client's process: seconds a step of every unit, the first one included."""
    set_image_format(coding)
    with np.load(path) as frame:
        pictures = {name: frame[name] for name in ("rgb_static", "rgb_gripper")}
        observation = {"images": pictures, "state": frame["robot_obs"], "task_description": "wait"}
    return anyio.run(ask, observation, port, units, steps)


async def ask(observation: dict, port: int, units: int, steps: int) -> list[float]:
    """One connection, `units` + 1 episodes."""
    seconds = []
    connection = Connection(f"ws://127.0.0.1:{port}")
    await connection.connect()
    for _ in range(units + 1):
        await connection.start_episode({"task": {"name": "wait"}})
        started = time.perf_counter()
        for _ in range(steps):
            await connection.act(observation)
        seconds.append((time.perf_counter() - started) / steps)
        await connection.end_episode({"metrics": {}})
    await connection.close()
    return seconds


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
