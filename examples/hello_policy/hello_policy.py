"""A policy in a package of its own: it looks for red in the picture, and lowers the hand where there is some."""

import numpy as np

from seer_bench import ActionSpec, ImageSpec, Policy, PolicyContext, PolicySpec, VectorSpec

SPEC = PolicySpec(  # copied from: seer-bench protocol show calvin-abc-d/v1
    observations={
        "rgb_static": ImageSpec(height=200, width=200, kind="rgb", orientation="upright"),
        "robot_obs": VectorSpec(
            size=15, layout="world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command"
        ),
    },
    action=ActionSpec(
        kind="cartesian_rel",
        dim=7,
        frame="world, added to the accumulated target pose",
        translation_scale=0.02,
        rotation_scale=0.05,
        rotation="euler_xyz",
        gripper_open=1,
    ),
)


class HelloPolicy(Policy):
    spec = SPEC

    def __init__(self, context: PolicyContext) -> None:
        self.speed = float(context.options.get("speed", "0.5"))  # --policy-arg speed=0.3
        self.sentences: dict[int, str] = {}  # load your weights here, from context.checkpoint

    def reset(self, slots, instructions, seeds):
        self.sentences.update(zip(slots, instructions, strict=True))

    def act(self, slots, observations):
        images = observations["rgb_static"].astype(np.int16)  # (n, 200, 200, 3)
        height = observations["robot_obs"][:, 2]  # (n,) metres
        red = (images[..., 0] > images[..., 1:].max(axis=-1) + 80).any(axis=(1, 2))
        actions = np.zeros((len(slots), 1, 7), dtype=np.float32)
        actions[:, 0, 2] = np.where(red & (height > 0.48), -self.speed, 0.0)
        actions[:, 0, 6] = 1.0  # gripper open
        return actions
