"""OpenVLA's deployment server around a model that is arithmetic, for the Python of an environment of its own.

    python official_server.py vla-scripts/deploy.py PORT

Only what loads and runs the network is stood in for: torch, transformers and draccus (which reads the command line).
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np


class Loaded:
    """Processor and network in one."""

    norm_stats = ("libero_10_no_noops",)

    @classmethod
    def from_pretrained(cls, *args: object, **options: object) -> Loaded:
        return cls()

    def __call__(self, prompt: str, image: object) -> Loaded:
        self.inputs = {"prompt": prompt, "image": np.asarray(image)}
        return self

    def to(self, *args: object, **options: object) -> Loaded:
        return self

    def keys(self) -> object:
        return self.inputs.keys()

    def __getitem__(self, name: str) -> object:
        return self.inputs[name]

    def predict_action(self, prompt: str, image: np.ndarray, unnorm_key: str | None, do_sample: bool) -> np.ndarray:
        """The mean of each colour, the length of the prompt, and a gripper that opens on dark pictures."""
        assert unnorm_key in self.norm_stats
        assert image.shape == (224, 224, 3)
        assert not do_sample
        colours = image.mean(axis=(0, 1)) / 255
        return np.concatenate([colours, [len(prompt) / 100, 0.0, 0.1], [0.996 if colours.mean() < 0.4 else 0.0]])


def stub(name: str, **members: object) -> None:
    """Put a module in place of a package."""
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


if __name__ == "__main__":
    stub("torch", bfloat16=None, device=str, cuda=SimpleNamespace(is_available=lambda: False))
    stub("transformers", AutoModelForVision2Seq=Loaded, AutoProcessor=Loaded)
    stub("draccus", wrap=lambda: lambda function: function)
    spec = importlib.util.spec_from_file_location("deploy", sys.argv[1])
    deploy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(deploy)
    deploy.OpenVLAServer("openvla/openvla-7b").run("127.0.0.1", int(sys.argv[2]))
