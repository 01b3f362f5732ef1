"""Inverse dynamics prediction: [INV] latents to actions."""

from __future__ import annotations

from torch import Tensor, nn

from .config import SeerConfig
from .part import SeerPart


class InverseDynamics(SeerPart):
    """A trunk of two layers, then one head for the arm and one for the gripper."""

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        hidden = config.hidden_dim
        self.action_decoder = trunk(hidden)
        self.arm_action_decoder = nn.Sequential(nn.Linear(hidden // 2, 6), nn.Tanh())
        self.gripper_action_decoder = nn.Sequential(nn.Linear(hidden // 2, 1), nn.Sigmoid())

    def decode_actions(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """[INV] latents (..., H) to arm (..., 6) in [-1, 1] and gripper (..., 1), the probability of +1."""
        features = self.action_decoder(latents)
        return self.arm_action_decoder(features), self.gripper_action_decoder(features)


def trunk(hidden: int) -> nn.Sequential:
    """Two linear layers to half the channels, each with a ReLU."""
    return nn.Sequential(nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, hidden // 2), nn.ReLU())
