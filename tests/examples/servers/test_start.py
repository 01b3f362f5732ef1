"""Every server as a program, in a made-up checkout with the names that upstream's code has at the commit read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calvin_benchmark.benchmark import CalvinBenchmark
from remote_policy import make_policy
from seer_bench import Policy, PolicyContext, Unit

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "servers"
PYTHON = os.environ.get("SEER_BENCH_SERVERS_PYTHON", sys.executable)
"""An older one may be named, with NumPy, websockets and msgpack: the servers are for Python 3.8 and newer."""
FIELDS = ("rgb_static", "rgb_gripper", "depth_static", "depth_gripper", "robot_obs")

ROBOFLAMINGO = {
    "robot_flamingo/eval/eval_calvin.py": """
import sys
from types import SimpleNamespace as Has

from eval_utils import eval_one_epoch_calvin_ddp


class Head:
    hidden_state, history_memory = None, []


def main():
    assert sys.argv == ["eval_calvin.py", "--precision", "fp16"]
    module = Has(lang_encoder=Has(lm_head=Head()), lm_head=Head(), sep_lm_head=True)
    args = Has(head_type="lstm", precision="fp16", pad_length=-1, replan=2, refresh=-1)
    eval_one_epoch_calvin_ddp(args=args, model=Has(module=module), image_processor="i", tokenizer="t", reset=False)
""",
    "robot_flamingo/eval/eval_utils.py": """
from collections import deque


def get_cast_dtype(precision):
    return "half" if precision == "fp16" else None


def eval_one_epoch_calvin_ddp(**_):
    raise AssertionError("upstream would evaluate")


class ModelWrapper:
    def __init__(self, model, tokenizer, image_processor, cast_dtype, use_diff, history_len=None):
        assert (tokenizer, image_processor, cast_dtype, use_diff, history_len) == ("t", "i", "half", False, None)
        self.model, self.replan = model, 3  # upstream turns windows into steps
        self.reset()

    def reset(self):
        self.img_queue, self.gripper_queue, self.state_queue = deque(), deque(), deque()
        self.mask_queue, self.text_queue, self.feature_cache = deque(), deque(), None
        for head in (self.model.module.lang_encoder.lm_head, self.model.module.lm_head):
            head.hidden_state, head.history_memory = None, []

    def step(self, obs, goal):
        import numpy as np

        head = self.model.module.lm_head
        head.history_memory.append(obs["rgb_obs"]["rgb_static"].mean())
        head.hidden_state = (head.hidden_state or 0) + 1
        self.img_queue.append(1)
        known = [head.hidden_state, len(head.history_memory), len(self.img_queue)]
        return np.array([*known, obs["robot_obs"][0], len(goal), 0, 1], np.float16) / 64
""",
}

SUSIE = {
    "mini_dataset/0.tfrecord": "",
    "calvin_models/calvin_agent/evaluation/jax_diffusion_model.py": """
from susie.model import create_sample_fn


class DiffusionModel:
    def __init__(self):
        self.sample_fn = create_sample_fn()

    def generate(self, sentence, picture):
        return self.sample_fn(picture, sentence)
""",
    "calvin_models/calvin_agent/evaluation/diffusion_gc_policy.py": """
import os

import numpy as np


class GCPolicy:
    def __init__(self):
        open("mini_dataset/0.tfrecord").close()
        assert os.path.isabs(os.environ["GC_POLICY_CHECKPOINT"])
        self.agent = self

    def sample_actions(self, observations, goals, seed, temperature):
        assert observations["image"].shape == (1, 200, 200, 3) and seed == "key 42" and temperature == 0.0
        return np.full((4, 7), goals["image"][0, 0, 0] / 255)
""",
    "site/susie/__init__.py": "",
    "site/susie/model.py": """
import numpy as np


def create_sample_fn():
    rng = "time of day"

    def sample(image, prompt):
        nonlocal rng
        drawn, rng = int(rng.split()[1]), "used"
        return np.full((200, 200, 3), drawn, np.uint8)

    return sample
""",
    "site/jax.py": """
class random:
    PRNGKey = staticmethod(lambda seed: f"key {seed}")
""",
}

DIFFUSER_ACTOR = {
    "online_evaluation_calvin/evaluate_policy.py": """
import os
import sys
from types import SimpleNamespace as Has

import numpy as np
import torch
from diffuser_actor import NAME  # the package of upstream's, not the server of that name

EP_LEN, EXECUTE_LEN = 60, 20


class Arguments:
    def parse_args(self):
        assert sys.argv == ["evaluate_policy.py", "--interpolation_length", "5"]
        return Has(interpolation_length=5)


class Model:
    args = Has(device="cpu")

    def encode_instruction(self, instruction, device):
        return instruction

    def step(self, obs, instruction):
        assert obs["rgb_obs"]["rgb_gripper"].shape == obs["pcd_obs"]["pcd_static"].shape == (200, 200, 3)
        assert torch.casting and obs["proprio"].shape == (3, 8)
        plan = np.tile(np.append(obs["proprio"][-1, :3], [0.1, 0.2, 0.3, 1.0]), (1, 4, 1))
        plan[0, :, 2] += torch.seed / 100
        return plan


def make_env(path, show_gui):
    raise AssertionError("upstream would simulate")


def evaluate_policy(model, env, conf_dir):
    raise AssertionError("upstream would evaluate")


def main(args):
    assert args.local_rank == 0 and os.environ["WORLD_SIZE"] == "1"
    assert torch.backends.cudnn.deterministic
    evaluate_policy(Model(), make_env("path", show_gui=False), conf_dir=None)
""",
    "diffuser_actor/__init__.py": "NAME = 1",
    "torch.py": """
from contextlib import contextmanager
from types import SimpleNamespace as Has

casting, seed = False, None
backends = Has(cudnn=Has(benchmark=False, deterministic=False))


@contextmanager
def autocast():
    global casting
    casting = True
    yield
    casting = False


def manual_seed(value):
    global seed
    seed = value


cuda = Has(amp=Has(autocast=autocast))
""",
}


@contextmanager
def started(name: str, checkout: Path, files: Mapping[str, str], *arguments: str) -> Iterator[tuple[Policy, str]]:
    """The policy behind a server that runs in `checkout`, and what the server said before."""
    for path, text in files.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text)
    (checkout / "gc").mkdir()
    environment = {**os.environ, "DIFFUSION_MODEL_CHECKPOINT": "on/the-hub", "GC_POLICY_CHECKPOINT": "gc"}
    environment["PYTHONPATH"] = str(checkout / "site")
    command = [PYTHON, str(FOLDER / f"{name}.py"), "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = ""
        try:
            while "serving" not in said:
                line = process.stdout.readline()
                assert line, "the server ended"
                said += line
            benchmark = CalvinBenchmark()
            protocol = benchmark.protocols()["calvin-embedded/v1"]
            keys = ",".join(f"{field}:{field}" for field in FIELDS)
            options = {"url": said.split()[-1], "keys": keys, "wait": "5"}
            policy = make_policy(PolicyContext(benchmark.interface(protocol), protocol, options=options))
            policy.begin([0], [Unit("calvin-embedded/v1:chain=0003", 3)])
            policy.reset([0], ["open it"], [5])
            yield policy, said
            policy.close()
        finally:
            process.kill()


def seen() -> dict[str, np.ndarray]:
    pictures = {"rgb_static": np.full((1, 200, 200, 3), 9, np.uint8), "rgb_gripper": np.zeros((1, 84, 84, 3), np.uint8)}
    depth = {"depth_static": np.ones((1, 200, 200), np.float32), "depth_gripper": np.ones((1, 84, 84), np.float32)}
    return {**pictures, **depth, "robot_obs": np.zeros((1, 15))}


def test_roboflamingo_starts_in_its_checkout(tmp_path):
    with started("roboflamingo", tmp_path, ROBOFLAMINGO, "--", "--precision", "fp16") as (policy, _):
        actions = np.array([policy.act([0], seen())[0, 0] for _ in range(5)])
        assert actions.dtype == np.float16
        np.testing.assert_array_equal(actions[:, :3].astype(float) * 64, np.array([[1, 2, 3, 1, 2]] * 3).T)
        assert policy.spec.settings["replan"] == "3"


def test_susie_starts_beside_the_package_of_its_name(tmp_path):
    with started("susie", tmp_path, SUSIE, "--upstream", ".") as (policy, _):
        values = [policy.act([0], seen())[0, 0, 0] for _ in range(45)]
    np.testing.assert_allclose(np.array(values)[[0, 19, 23, 44]] * 255, [5, 5, 25, 45])  # seed + step of the sub-goal


def test_diffuser_actor_starts_beside_the_package_of_its_name(tmp_path):
    with started("diffuser_actor", tmp_path, DIFFUSER_ACTOR, "--", "--interpolation_length", "5") as (policy, said):
        heights = np.cumsum([policy.act([0], seen())[0, 0, 2] * 0.02 for _ in range(9)])
        assert policy.spec.settings["executed_of_a_plan"] == "4"
    assert "60 plans of 4 poses: 240 steps" in said
    np.testing.assert_allclose(heights, np.array([5, 5, 5, 5, 6, 6, 6, 6, 7]) / 100)
