"""A small network with random weights that acts on both cameras, for tests of what batching may change."""

from __future__ import annotations

import numpy as np

from seer_bench import ActionSpec, ImageSpec, Policy, PolicySpec, VectorSpec

ACTION = ActionSpec("cartesian_rel", 7, "world, added to the accumulated target pose", 0.02, 0.05, "euler_xyz", 1)
CAMERAS = {"rgb_static": (ImageSpec(200, 200), 20), "rgb_gripper": (ImageSpec(84, 84), 12)}
WIDTH, CHUNK = 16, 36


class VisionPolicy(Policy):
    """A linear layer on patches of each camera, tanh, mean, and an MLP; a memory of its own for every slot.

    Every row of a batch has products of its own, so its actions do not depend on its neighbours, unless the option
    `leak` adds a little of them.
    """

    def __init__(self, context) -> None:
        batch = int(context.options.get("batch", "4"))
        self.leak = float(context.options.get("leak", "0"))
        fields = {name: spec for name, (spec, _) in CAMERAS.items()}
        proprio = VectorSpec(15, context.interface.observations["robot_obs"].layout)
        self.spec = PolicySpec({**fields, "robot_obs": proprio}, ACTION, chunk=CHUNK, batch=batch, placement="main")
        rng = np.random.default_rng(7)
        self.patches = {name: self._weights(rng, 3 * side**2) for name, (_, side) in CAMERAS.items()}
        self.proprio = self._weights(rng, 15)
        self.hidden = self._weights(rng, 4 * WIDTH)
        self.head = rng.normal(size=(WIDTH, CHUNK * 7)).astype(np.float32)
        self.memory: dict[int, np.ndarray] = {}

    @staticmethod
    def _weights(rng, inputs: int) -> np.ndarray:
        return (rng.normal(size=(inputs, WIDTH)) / np.sqrt(inputs)).astype(np.float32)

    def reset(self, slots, instructions, seeds) -> None:
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            start = np.random.default_rng([seed, len(instruction)]).normal(size=(1, WIDTH))
            self.memory[slot] = start.astype(np.float32)

    def act(self, slots, observations) -> np.ndarray:
        rows = len(slots)
        memory = np.stack([self.memory[slot] for slot in slots])
        features = [memory, np.tanh(observations["robot_obs"][:, None].astype(np.float32) @ self.proprio)]
        for name, (spec, side) in CAMERAS.items():
            count = spec.height // side
            pixels = observations[name].astype(np.float32) / 128 - 1
            cut = pixels.reshape(rows, count, side, count, side, 3).swapaxes(2, 3).reshape(rows, count**2, -1)
            features.append(np.tanh(cut @ self.patches[name]).mean(axis=1, keepdims=True))
        hidden = np.tanh(np.concatenate(features, axis=2) @ self.hidden)
        hidden = hidden + np.float32(self.leak) * hidden.sum(axis=0, keepdims=True)
        for slot, row in zip(slots, hidden, strict=True):
            self.memory[slot] = np.float32(0.5) * (self.memory[slot] + row)
        return np.tanh((hidden @ self.head).reshape(rows, CHUNK, 7))
