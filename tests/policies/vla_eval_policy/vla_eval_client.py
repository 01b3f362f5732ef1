"""vla-eval's own client plays one episode: its connection, runner and benchmark, over a simulator that was recorded.

    python vla_eval_client.py URL calvin|libero SIMULATOR.npz '{"send_state": true, ...}' TAKEN.npy

For the Python of an environment with vla-eval. The file of the simulator holds what it shows at each step, and where a
subtask ends; written is what the simulator is commanded, one row a step.
"""

from __future__ import annotations

import json
import sys
import types
from types import SimpleNamespace

import anyio
import numpy as np
from vla_eval.benchmarks.calvin import benchmark as calvin
from vla_eval.benchmarks.libero.benchmark import LIBEROBenchmark
from vla_eval.connection import Connection
from vla_eval.protocol.numpy_codec import set_image_format
from vla_eval.runners.sync_runner import SyncEpisodeRunner

TAKEN: list[np.ndarray] = []


class Tensor:
    """As much of PyTorch's as the client touches."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.asarray(array)

    def __getitem__(self, key: object) -> Tensor:
        return Tensor(self.array[key])

    def permute(self, *axes: int) -> Tensor:
        return Tensor(self.array.transpose(axes))

    def unsqueeze(self, axis: int) -> Tensor:
        return Tensor(np.expand_dims(self.array, axis))

    def to(self, device: object) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self.array


class Calvin:
    """In place of CALVIN's wrapped environment; its pictures are in [-1, 1], channels first."""

    def __init__(self, recorded: dict) -> None:
        self.recorded, self.at = recorded, 0

    def reset(self, **state: object) -> None:
        pass

    def get_obs(self) -> dict:
        row = {name: values[self.at] for name, values in self.recorded.items()}
        pictures = {name: Tensor(row[name][None, None]) for name in ("rgb_static", "rgb_gripper")}
        return {"rgb_obs": pictures, "robot_obs_raw": Tensor(row["robot_obs"])}

    def get_info(self) -> int:
        return self.at

    def step(self, action: Tensor) -> tuple:
        TAKEN.append(action.numpy().ravel())
        self.at += 1
        return self.get_obs(), 0.0, False, {}


class Libero:
    """In place of LIBERO's environment."""

    def __init__(self, recorded: dict) -> None:
        self.recorded, self.at = recorded, 0
        controller = SimpleNamespace(ee_pos=np.zeros(3), ee_ori_mat=np.eye(3))
        self.robots = [SimpleNamespace(controller=controller)]

    def look(self) -> dict:
        return {name: values[self.at] for name, values in self.recorded.items()}

    def step(self, action: list) -> tuple:
        TAKEN.append(np.array(action))
        self.at += 1
        return self.look(), 0.0, self.at == len(self.recorded["robot0_eef_pos"]) - 1, {}


class RecordedLibero(LIBEROBenchmark):
    """Begins without LIBERO."""

    def reset(self, task: dict) -> dict:
        return self._env.look()


def calvin_benchmark(recorded: dict, params: dict) -> tuple:
    """The benchmark, and the task of its one episode."""
    ends = set(recorded.pop("ends").tolist())
    last = len(recorded["robot_obs"]) - 1
    float32 = "float32"
    sys.modules["torch"] = types.SimpleNamespace(tensor=lambda a, dtype: Tensor(np.float32(a)), float32=float32)
    calvin._get_env_state_for_initial_condition = lambda condition: (None, None)
    benchmark = calvin.CALVINBenchmark(**params, ep_len=last)
    benchmark._env = Calvin(recorded)
    benchmark._task_oracle = SimpleNamespace(get_task_info_for_set=lambda start, now, tasks: now in ends)
    sequence = ["open_drawer", "turn_on_led", "stack_block", "lift_red_block_table", "push_into_drawer"]
    task = {"name": "seq_0007", "initial_condition": {}, "eval_sequence": sequence, "seq_idx": 7, "episode_idx": 0}
    return benchmark, task, last


def libero_benchmark(recorded: dict, params: dict) -> tuple:
    """The benchmark, and the task of its one episode."""
    benchmark = RecordedLibero("libero_10", **params)
    benchmark._env = Libero(recorded)
    task = {"name": "put it there", "suite": "libero_10", "task_id": 3, "task_obj": object(), "episode_idx": 7}
    return benchmark, task, len(recorded["robot0_eef_pos"]) - 1


async def play(url: str, name: str, benchmark: object, task: dict, steps: int) -> None:
    """As vla-eval's orchestrator plays an episode."""
    connection = Connection(url)
    await connection.connect(benchmark=name)
    await SyncEpisodeRunner().run_episode(benchmark, task, connection, max_steps=steps)
    await connection.close()


if __name__ == "__main__":
    url, kind, simulator, params, taken = sys.argv[1:]
    with np.load(simulator) as file:
        recorded = dict(file)
    make = calvin_benchmark if kind == "calvin" else libero_benchmark
    benchmark, task, steps = make(recorded, json.loads(params))
    set_image_format("raw")
    module = type(benchmark).__mro__[kind == "libero"]
    anyio.run(play, url, f"{module.__module__}:{module.__qualname__}", benchmark, task, steps)
    np.save(taken, TAKEN)
