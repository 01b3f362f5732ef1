"""Small networks with random weights that act on both cameras, and CALVIN with short subtasks for them to play."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from calvin_benchmark.benchmark import CalvinBenchmark
from seer_bench import ActionSpec, ImageSpec, Policy, PolicySpec, VectorSpec

ACTION = ActionSpec("cartesian_rel", 7, "world, added to the accumulated target pose", 0.02, 0.05, "euler_xyz", 1)
CAMERAS = {"rgb_static": ImageSpec(200, 200), "rgb_gripper": ImageSpec(84, 84)}
SIDES = {"rgb_static": 20, "rgb_gripper": 12}
WIDTH, CHUNK, STEPS = 16, 12, 48


class ShortCalvin(CalvinBenchmark):
    """The embedded scene with `STEPS` steps a subtask: four looks at the cameras.

    It has the chains that the variable CALVIN_SHORT_CHAINS lists, e.g. 3,0,2, in that order.
    """

    name = "calvin-short"
    default_protocol = "calvin-short/v1"

    def protocols(self):
        embedded = super().protocols()["calvin-embedded/v1"]
        chain = {**embedded.settings["chain"], "steps_per_subtask": STEPS}
        settings = {**embedded.settings, "chain": chain}
        return {
            self.default_protocol: replace(embedded, name=self.default_protocol, benchmark=self.name, settings=settings)
        }

    def units(self, protocol):
        chains = super().units(protocol)
        return [chains[int(index)] for index in os.environ["CALVIN_SHORT_CHAINS"].split(",")]


class Network(Policy):
    """What both networks have in common: fields, a memory of its own for every slot, and the option `blank`.

    `blank` names a camera whose pictures are painted black before the network sees them.
    """

    def __init__(self, context) -> None:
        proprio = VectorSpec(15, context.interface.observations["robot_obs"].layout)
        batch = int(context.options.get("batch", "4"))
        self.blank = context.options.get("blank")
        self.spec = PolicySpec({**CAMERAS, "robot_obs": proprio}, ACTION, chunk=CHUNK, batch=batch, placement="main")
        self.memory: dict[int, np.ndarray] = {}

    def reset(self, slots, instructions, seeds) -> None:
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            start = np.random.default_rng([seed, len(instruction)]).normal(size=WIDTH)
            self.memory[slot] = start.astype(np.float32)

    def act(self, slots, observations) -> np.ndarray:
        pictures = {name: observations[name].astype(np.float32) / 128 - 1 for name in CAMERAS}
        if self.blank is not None:
            pictures[self.blank][...] = -1
        memory = np.stack([self.memory[slot] for slot in slots])
        hidden, actions = self.forward(pictures, observations["robot_obs"].astype(np.float32), memory)
        for slot, old, new in zip(slots, memory, hidden, strict=True):
            self.memory[slot] = np.float32(0.5) * (old + new)
        return actions.reshape(len(slots), CHUNK, 7)

    def forward(self, pictures, proprio, memory) -> tuple[np.ndarray, np.ndarray]:
        """Hidden state (n, WIDTH) and actions (n, CHUNK * 7)."""
        raise NotImplementedError


class VisionPolicy(Network):
    """NumPy: a linear layer on patches of each camera, tanh, mean, and an MLP.

    Every row of a batch has products of its own, so its actions do not depend on its neighbours, unless the option
    `leak` adds a little of them.
    """

    def __init__(self, context) -> None:
        super().__init__(context)
        self.leak = float(context.options.get("leak", "0"))
        rng = np.random.default_rng(7)
        self.patches = {name: self._weights(rng, 3 * side**2) for name, side in SIDES.items()}
        self.proprio, self.hidden = self._weights(rng, 15), self._weights(rng, 4 * WIDTH)
        self.head = rng.normal(size=(WIDTH, CHUNK * 7)).astype(np.float32)

    @staticmethod
    def _weights(rng, inputs: int) -> np.ndarray:
        return (rng.normal(size=(inputs, WIDTH)) / np.sqrt(inputs)).astype(np.float32)

    def forward(self, pictures, proprio, memory):
        rows = len(memory)
        features = [memory[:, None], np.tanh(proprio[:, None] @ self.proprio)]
        for name, side in SIDES.items():
            count = CAMERAS[name].height // side
            cut = pictures[name].reshape(rows, count, side, count, side, 3).swapaxes(2, 3)
            patches = np.tanh(cut.reshape(rows, count**2, -1) @ self.patches[name])
            features.append(patches.mean(axis=1, keepdims=True))
        hidden = np.tanh(np.concatenate(features, axis=2) @ self.hidden)
        hidden = hidden + np.float32(self.leak) * hidden.sum(axis=0, keepdims=True)
        return hidden[:, 0], np.tanh(hidden @ self.head)


class TorchPolicy(Network):
    """Torch: two strided convolutions on each camera, ReLU, mean, and an MLP."""

    def __init__(self, context) -> None:
        import torch

        super().__init__(context)
        torch.set_num_threads(context.threads)
        generator = torch.Generator().manual_seed(7)

        def weights(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator) / np.sqrt(np.prod(shape[1:]))

        self.torch = torch
        self.convolutions = {name: (weights(WIDTH, 3, 8, 8), weights(WIDTH, WIDTH, 4, 4)) for name in CAMERAS}
        self.proprio, self.hidden = weights(WIDTH, 15), weights(WIDTH, 4 * WIDTH)
        self.head = 4 * weights(CHUNK * 7, WIDTH)

    def forward(self, pictures, proprio, memory):
        torch = self.torch
        linear, conv2d = torch.nn.functional.linear, torch.nn.functional.conv2d
        with torch.inference_mode():
            features = [torch.from_numpy(memory), linear(torch.from_numpy(proprio), self.proprio).tanh()]
            for name, (first, second) in self.convolutions.items():
                layer = conv2d(torch.from_numpy(pictures[name]).permute(0, 3, 1, 2), first, stride=4).relu()
                features.append(conv2d(layer, second, stride=2).relu().mean(dim=(2, 3)))
            hidden = linear(torch.cat(features, dim=1), self.hidden).tanh()
            return hidden.numpy(), linear(hidden, self.head).tanh().numpy()
