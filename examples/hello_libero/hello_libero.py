"""A PyTorch network on LIBERO: two frames of history, chunks of four actions, up to four slots a call."""

import torch
from torch import nn

from seer_bench import ActionSpec, ImageSpec, Policy, PolicyArgs, PolicySpec, VectorSpec

FINGERS = "finger joints[m]: first (0 closed, 0.04 open), second (0 closed, -0.04 open)"
SPEC = PolicySpec(  # as printed by: seer-bench protocol show libero-long/seer-v1
    observations={"rgb_agentview": ImageSpec(128, 128, "rgb", "raw"), "gripper_qpos": VectorSpec(2, FINGERS)},
    action=ActionSpec("cartesian_rel", 7, "world, added to the measured pose", 0.05, 0.5, "rotation_vector", -1),
    chunk=4,
    batch=4,
)


class HelloLibero(Policy):
    def __init__(self, context):
        PolicyArgs("hello-libero", context.options)  # it has none, so any is refused
        self.spec, self.device, self.frames, self.rng = SPEC, torch.device(context.device), {}, {}
        torch.set_num_threads(context.threads)
        with torch.random.fork_rng():  # first weights are drawn from a global state, which is to stay as it is
            torch.manual_seed(0)
            self.network = nn.Sequential(nn.Linear(2 * 770, 64), nn.GELU(), nn.Linear(64, 4 * 7), nn.Tanh())
        if context.checkpoint is not None:
            self.network.load_state_dict(torch.load(context.checkpoint, weights_only=True))
        self.network.eval().to(self.device)

    def reset(self, slots, instructions, seeds):
        for slot, seed in zip(slots, seeds, strict=True):
            self.frames[slot], self.rng[slot] = [], torch.Generator().manual_seed(seed)

    @torch.inference_mode()
    def act(self, slots, observations):
        pictures = torch.tensor(observations["rgb_agentview"]).permute(0, 3, 1, 2).flip(2) / 255  # (n, 3, 128, 128)
        small = nn.functional.adaptive_avg_pool2d(pictures, 16).flatten(1)  # upright now, as a camera would see
        newest = torch.cat([small, torch.tensor(observations["gripper_qpos"], dtype=torch.float32)], 1)  # (n, 770)
        for slot, frame in zip(slots, newest, strict=True):
            self.frames[slot] = ([*self.frames[slot], frame] if self.frames[slot] else [frame, frame])[-2:]
        seen = torch.stack([torch.cat(self.frames[slot]) for slot in slots]).to(self.device)
        noise = torch.stack([torch.randn(28, generator=self.rng[slot]) for slot in slots])
        return (self.network(seen).cpu() + 0.05 * noise).reshape(-1, 4, 7).numpy()
