"""Programs for the Python of an environment with `openpi-client`; nothing of seer-bench is there.

python openpi_programs.py client PORT [TOKEN]      plays an episode, prints the actions as JSON
python openpi_programs.py server WEBSOCKET_POLICY_SERVER.py
                                                   openpi's own server around a small policy; prints its port
python openpi_programs.py fit SIDE                 `resize_with_pad` of a picture, as bytes on stdout
"""

from __future__ import annotations

import importlib.util
import json
import socket
import sys

import numpy as np
from openpi_client import base_policy, image_tools, msgpack_numpy, websocket_client_policy


def client(port: str, *token: str) -> None:
    policy = websocket_client_policy.WebsocketClientPolicy("127.0.0.1", int(port), *token)
    actions = []
    for step in range(3):
        observation = {"total": np.array([step + 1.0]), "picture": np.zeros((4, 6, 3), np.uint8), "prompt": "go"}
        answer = policy.infer(observation)
        actions.append(answer["actions"].tolist())
        assert answer["server_timing"]["infer_ms"] >= 0
    policy._ws.close()
    print(json.dumps({"metadata": sorted(policy.get_server_metadata()), "actions": actions}))  # noqa: T201


class Totals(base_policy.BasePolicy):
    """Answers four actions [sum of the state + k, rows of the picture]."""

    def infer(self, obs: dict) -> dict:
        assert obs["prompt"].startswith("reach"), sorted(obs)
        total, picture = obs["observation/state"], obs["observation/image"]
        assert (total.dtype, picture.dtype) == (np.float64, np.uint8)
        if total[0] < 0:
            raise ValueError("no such total")
        return {"actions": np.array([[total.sum() + k, len(picture)] for k in range(4)], np.float32)}


def server(path: str) -> None:
    spec = importlib.util.spec_from_file_location("websocket_policy_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(port, flush=True)  # noqa: T201
    module.WebsocketPolicyServer(Totals(), "127.0.0.1", port, {"reset_pose": [0.5, 1.0]}).serve_forever()


def fit(side: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    sys.stdout.buffer.write(msgpack_numpy.packb(image_tools.resize_with_pad(picture, int(side), int(side))))


if __name__ == "__main__":
    {"client": client, "server": server, "fit": fit}[sys.argv[1]](*sys.argv[2:])
