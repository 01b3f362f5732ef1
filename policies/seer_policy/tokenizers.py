"""Input tokenizers: language, images and robot states to tokens of the multi-modal encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.patches import IMAGE_SIZE, PATCH
from seer_bench_nn.resampler import PerceiverResampler
from seer_bench_nn.vit import MaeEncoder

from .config import SeerConfig
from .part import SeerPart


class InputTokenizers(SeerPart):
    """Turns a sentence, two camera images and a robot state into tokens.

    The vision encoder (MAE) and the text encoder (CLIP) are frozen. The vision encoder computes in the precision of
    its own weights, officially bfloat16: `tokenizers.vision_encoder.bfloat16()`; everything else is float32.
    """

    def __init__(self, config: SeerConfig) -> None:
        super().__init__(config)
        hidden, width = config.hidden_dim, config.vision.width
        text = config.text
        self.clip_model = ClipTextEncoder(text.width, text.layers, text.heads, text.vocabulary)
        self.text_projector = nn.Linear(text.width, hidden)
        self.arm_state_encoder = nn.Linear(6, hidden)
        self.gripper_state_encoder = nn.Linear(2, hidden)
        self.state_projector = nn.Linear(2 * hidden, hidden)
        self.vision_encoder = MaeEncoder(width, config.vision.depth, config.vision.heads, IMAGE_SIZE, PATCH)
        self.perceiver_resampler = PerceiverResampler(width, config.resampler_queries)
        self.image_primary_projector = nn.Linear(width, hidden)
        self.cls_token_primary_projector = nn.Linear(width, hidden)
        self.image_wrist_projector = nn.Linear(width, hidden)
        self.cls_token_wrist_projector = nn.Linear(width, hidden)
        self.clip_model.requires_grad_(False)
        self.vision_encoder.requires_grad_(False)

    @torch.no_grad()
    def encode_text(self, tokens: Tensor) -> Tensor:
        """CLIP token ids (B, 77), int64, to sentence features (B, 512), float32."""
        features: Tensor = self.clip_model(tokens)
        return features.float()

    def encode_image(self, images: Tensor) -> Tensor:
        """Images of either camera to visual features, the same for both cameras.

        Args:
            images: (N, 3, 224, 224), normalised as CLIP does.

        Returns:
            Features (N, Q + 1, width), float32: the resampler's Q latents, then the CLS token.
        """
        with torch.no_grad():
            features = self.vision_encoder(images).float()
        latents = self.perceiver_resampler(features[:, 1:])
        return torch.cat([latents, features[:, :1]], dim=1)

    def text_token(self, features: Tensor) -> Tensor:
        """Sentence features (..., 512) to one token (..., 1, H)."""
        token: Tensor = self.text_projector(features)
        return token.unsqueeze(-2)

    def state_token(self, state: Tensor) -> Tensor:
        """Robot states to one token (..., 1, H).

        Args:
            state: (..., 7) or, with finger widths, (..., 8): position in metres and rotation in radians, as they
                are, then the gripper flag (1 or more: open) or the two finger positions in metres.
        """
        gripper = state[..., 6:]
        if not self.config.finger_widths:
            is_open = gripper >= 1
            gripper = torch.cat([~is_open, is_open], dim=-1).to(state.dtype)
        arm = self.arm_state_encoder(state[..., :6])
        token: Tensor = self.state_projector(torch.cat([arm, self.gripper_state_encoder(gripper)], dim=-1))
        return token.unsqueeze(-2)

    def image_tokens(self, primary: Tensor, wrist: Tensor) -> Tensor:
        """Visual features of both cameras, each (..., Q + 1, width), to the image tokens (..., 2Q + 2, H)."""
        return torch.cat(
            [
                self.image_primary_projector(primary[..., :-1, :]),
                self.image_wrist_projector(wrist[..., :-1, :]),
                self.cls_token_primary_projector(primary[..., -1:, :]),
                self.cls_token_wrist_projector(wrist[..., -1:, :]),
            ],
            dim=-2,
        )
