"""A policy in a package of its own: a linear layer over the newest frames, and noise from the subtask's seed."""

from collections import deque

import numpy as np

from seer_bench import ActionSpec, CheckpointError, ImageSpec, Policy, PolicyArgs, PolicySpec, VectorSpec

ROBOT = "world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command"
SPEC = PolicySpec(  # as printed by: seer-bench protocol show calvin-abc-d/v1
    observations={"rgb_static": ImageSpec(200, 200, "rgb", "upright"), "robot_obs": VectorSpec(15, ROBOT)},
    action=ActionSpec("cartesian_rel", 7, "world, added to the accumulated target pose", 0.02, 0.05, "euler_xyz", 1),
)


class HelloPolicy(Policy):
    def __init__(self, context):
        self.spec, self.weights = SPEC, np.random.default_rng(0).normal(0, 0.5, (7, 18))
        self.speed = PolicyArgs("hello", context.options, ["speed"]).number("speed", 0.5)
        if context.checkpoint is not None:
            self.weights = np.load(context.checkpoint)["weights"]
            if self.weights.shape != (7, 18):
                raise CheckpointError(f"{context.checkpoint}: weights are {self.weights.shape}, not (7, 18).")
        self.frames, self.rng = {}, {}

    def reset(self, slots, instructions, seeds):
        for slot, seed in zip(slots, seeds, strict=True):
            self.frames[slot], self.rng[slot] = deque(maxlen=4), np.random.default_rng(seed)

    def act(self, slots, observations):
        rows = zip(slots, observations["rgb_static"], observations["robot_obs"], strict=True)
        return np.stack([self.one(slot, image, robot) for slot, image, robot in rows])  # (slots, 1, 7)

    def one(self, slot, image, robot):
        self.frames[slot].append(np.concatenate([image.mean(axis=(0, 1)) / 255, robot]))
        raw = self.weights @ np.mean(self.frames[slot], axis=0) + 0.1 * self.rng[slot].normal(size=7)
        action = self.speed * np.tanh(raw)
        action[6] = 1 if raw[6] > 0 else -1  # gripper open or closed
        return action[None].astype(np.float32)
