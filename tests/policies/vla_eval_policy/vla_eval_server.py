"""A model server of the vla-eval package, for the Python of an environment that has it.

    python vla_eval_server.py PORT '{"params": {...}, "actions": {...}, "chunk": N or null, "batch": N, "dies_at": N}'

Its model is arithmetic: an action holds the mean of the pictures, the sum of the state, the number of observations of
the episode, the length of the sentence, whether a subtask just began, and the number of pictures. It kills itself when
it is asked for the `dies_at`-th time.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve
from vla_eval.specs import DimSpec


class Arithmetic(PredictModelServer):
    def __init__(self, params: dict, actions: dict, chunk: int | None, batch: int, dies_at: int | None) -> None:
        super().__init__(chunk_size=chunk, max_batch_size=batch, max_wait_time=0.05)
        self.params, self.actions = params, actions
        self.left = dies_at

    def predict_batch(self, obs_batch: list, ctx_batch: list) -> list:
        return [self.one(obs, ctx) for obs, ctx in zip(obs_batch, ctx_batch, strict=True)]

    def one(self, obs: dict, ctx: object) -> dict:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        if obs["task_description"] == "fail":
            raise RuntimeError("out of memory")
        row = [
            np.mean([image.mean() for image in obs["images"].values()]) / 1000,
            float(np.sum(obs.get("states", 0.0))) / 100,
            ctx.step / 100,
            len(obs["task_description"]) / 1000,
            float(obs.get("episode_restart", False)) / 10,
            len(obs["images"]) / 100,
            1.0,
        ]
        if self.chunk_size is None:
            return {"actions": np.array(row)}
        return {"actions": np.stack([np.array(row) + k for k in range(self.chunk_size)])}

    def get_observation_params(self) -> dict:
        return self.params

    def get_action_spec(self) -> dict:
        return {name: DimSpec(name, 1, text) for name, text in self.actions.items()}

    def get_observation_spec(self) -> dict:
        return {}


if __name__ == "__main__":
    serve(Arithmetic(**json.loads(sys.argv[2])), "127.0.0.1", int(sys.argv[1]))
