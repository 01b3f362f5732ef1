"""The Seer network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import SeerConfig
from .decoder import VisualForesight
from .encoder import MultiModalEncoder
from .heads import InverseDynamics, trunk
from .part import SeerPart
from .tokenizers import InputTokenizers

FROZEN = ("clip_model.", "vision_encoder.")
"""First parts of the names of frozen parameters: they come from files of their own, not from Seer's checkpoints."""


@dataclass(frozen=True)
class SeerOutput:
    """What the network predicts at every one of S time steps."""

    arm: Tensor
    """Arm actions (B, S, T, 6) in [-1, 1]; entry t, j is the action for step t + j."""
    gripper: Tensor
    """Probability (B, S, T, 1) that the gripper command is +1."""
    images: Tensor | None
    """Foreseen patches (B, S, 2, 196, 768), see `VisualForesight.foresee`; None where they were not asked for."""


class UnusedWeights(SeerPart):
    """Layers that every published checkpoint contains and that nothing reads; here so that it loads strictly."""

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        hidden = config.hidden_dim
        self.action_pose_encoder = nn.Linear(6, hidden)
        self.action_gripper_position_encoder = nn.Linear(2, hidden)
        self.action_projector = nn.Linear(2 * hidden, hidden)
        self.recon_state_decoder = trunk(hidden)
        self.recon_arm_state_decoder = nn.Sequential(nn.Linear(hidden // 2, 6))
        self.recon_gripper_state_decoder = nn.Sequential(nn.Linear(hidden // 2, 1))


class Seer(InputTokenizers, MultiModalEncoder, VisualForesight, InverseDynamics, UnusedWeights):
    """Predicts images of the future and, guided by them, the actions that lead there.

    A new network has Seer's initial weights; the frozen encoders are random until their files are loaded. Build it
    under `torch.device("meta")` and load with `assign=True` to spend no time on weights that are replaced anyway.

    The steps of `forward` are methods of the parts and can be called one by one: `encode_text`, `encode_image`,
    `text_token`, `state_token`, `image_tokens` (tokenizers); `assemble`, `encode` (multi-modal encoder); `foresee`;
    `decode_actions`.
    """

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.startswith(FROZEN):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self,
        primary: Tensor,
        wrist: Tensor,
        state: Tensor,
        text: Tensor,
        *,
        mask: Tensor | None = None,
        foresight: bool = True,
    ) -> SeerOutput:
        """Predict at every step of the history.

        Args:
            primary: images of the primary camera (B, S, 3, 224, 224), normalised as CLIP does.
            wrist: images of the wrist camera, likewise.
            state: robot states (B, S, 7 or 8), see `state_token`.
            text: sentence features (B, 512), see `encode_text`; one sentence holds for the whole history.
            mask: attention mask in place of the usual one, see `draw_mask`.
            foresight: also decode the images; actions do not depend on it.
        """
        latents = self.encode(self.assemble(self.observed_tokens(primary, wrist, state, text)), mask)
        layout = self.config.layout
        arm, gripper = self.decode_actions(latents[:, :, layout.action_slice])
        wanted = foresight and layout.foresight > 0
        return SeerOutput(arm, gripper, self.foresee(latents[:, :, layout.foresight_slice]) if wanted else None)

    def observed_tokens(self, primary: Tensor, wrist: Tensor, state: Tensor, text: Tensor) -> Tensor:
        """The observation tokens (B, S, observed, H) of a whole history; arguments as in `forward`."""
        batch, steps = state.shape[:2]
        views = (self.encode_image(images.flatten(0, 1)) for images in (primary, wrist))
        return self.step_tokens(self.image_tokens(*views).view(batch, steps, -1, self.config.hidden_dim), state, text)

    def step_tokens(self, images: Tensor, state: Tensor, text: Tensor) -> Tensor:
        """Join image tokens (B, S, 2Q + 2, H), states (B, S, 7 or 8) and a sentence (B, 512): (B, S, observed, H)."""
        sentence = self.text_token(text).unsqueeze(1).expand(-1, state.shape[1], -1, -1)
        return torch.cat([sentence, self.state_token(state), images], dim=2)
