"""The GR-1 network, with the parameter names of the published snapshots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.gpt2 import INIT_STD, Gpt2
from seer_bench_nn.patches import IMAGE_SIZE, PATCH, PATCHES
from seer_bench_nn.resampler import PerceiverResampler
from seer_bench_nn.sincos import sincos_2d
from seer_bench_nn.vit import MaeEncoder, VitBlock

from .config import Gr1Config
from .mask import attention_mask

CLIP, MAE = "model_clip.", "model_mae."
"""First parts of the names of the frozen encoders' parameters."""
TEXT_WIDTH = 512
"""Channels of a sentence feature."""
DECODER_DEPTH, DECODER_HEADS = 2, 16
"""Blocks of the image decoder and their attention heads."""


@dataclass(frozen=True)
class Gr1Output:
    """What the network predicts at every one of S time steps."""

    arm: Tensor
    """Arm actions (B, S, 6), not bounded; trained towards [-1, 1]."""
    gripper: Tensor
    """Logit (B, S, 1) of the gripper command being +1."""
    images: Tensor | None
    """Foreseen patches (B, S, 2, 196, 768), static camera first; None where they were not asked for."""


class Gr1(nn.Module):
    """Predicts the next action and, on demand, what both cameras will see.

    A new network has random weights, the frozen encoders included. The steps of `forward` can be called one by one:
    `encode_image`, then `predict`, which is `step_tokens`, `embed`, the transformer, `decode_actions` and `foresee`.
    """

    decoder_pos_embed: Tensor

    def __init__(self, config: Gr1Config) -> None:
        super().__init__()
        self.config = config
        hidden, width = config.hidden_dim, config.vision_width
        self.model_clip = ClipTextEncoder(TEXT_WIDTH, config.text_layers, vocabulary=config.text_vocabulary)
        self.model_mae = MaeEncoder(width, config.vision_depth, config.vision_heads, IMAGE_SIZE, PATCH)
        self.model_clip.requires_grad_(False)
        self.model_mae.requires_grad_(False)
        self.perceiver_resampler = PerceiverResampler(
            width,
            config.resampler_queries,
            config.resampler_depth,
            config.resampler_heads,
            config.resampler_head_dim,
            media_embedding=True,
        )
        self.embed_lang = nn.Linear(TEXT_WIDTH, hidden)
        self.embed_arm_state = nn.Linear(6, hidden)
        self.embed_gripper_state = nn.Linear(2, hidden)
        self.embed_state = nn.Linear(2 * hidden, hidden)
        self.embed_patch = nn.Linear(width, hidden)
        self.embed_img = nn.Linear(width, hidden)
        self.embed_hand_patch = nn.Linear(width, hidden)
        self.embed_hand_img = nn.Linear(width, hidden)
        self.embed_timestep = nn.Embedding(config.history, hidden)
        self.embed_ln = nn.LayerNorm(hidden)
        self.action_queries = nn.Embedding(1, hidden)
        self.obs_queries = nn.Embedding(config.image_queries, hidden)
        self.obs_hand_queries = nn.Embedding(config.image_queries, hidden)
        self.transformer = Gpt2(hidden, config.layers, config.heads, config.dropout, activation="relu")
        self.pred_act_mlps = nn.Sequential(nn.Linear(hidden, hidden // 2), nn.Linear(hidden // 2, hidden // 2))
        self.pred_arm_act = nn.Linear(hidden // 2, 6)
        self.pred_gripper_act = nn.Linear(hidden // 2, 1)
        self.decoder_embed = nn.Linear(hidden, hidden)
        self.mask_token = nn.Parameter(torch.empty(1, 1, 1, hidden).normal_(std=INIT_STD))
        self.decoder_blocks = nn.Sequential(*(VitBlock(hidden, DECODER_HEADS, eps=1e-5) for _ in range(DECODER_DEPTH)))
        self.decoder_norm = nn.LayerNorm(hidden)
        self.decoder_pred = nn.Linear(hidden, 3 * PATCH**2)
        grid = sincos_2d(hidden, IMAGE_SIZE // PATCH)
        self.decoder_pos_embed = nn.Parameter(grid.unsqueeze(0), requires_grad=False)

    def forward(
        self,
        static: Tensor,
        hand: Tensor,
        state: Tensor,
        text: Tensor,
        valid: Tensor | None = None,
        *,
        foresight: bool = True,
    ) -> Gr1Output:
        """Predict at every step of the history.

        Args:
            static: images of the static camera (B, S, 3, 224, 224), normalised as by `images.gr1_image`.
            hand: images of the hand camera, likewise.
            state: robot states (B, S, 7), see `step_tokens`.
            text: sentence features (B, 512), see `encode_text`.
            valid: boolean (B, S), False for steps behind the end that hold no observation; None: all are.
            foresight: also predict images; actions do not depend on it.
        """
        features = self.encode_image(torch.cat([static, hand]).flatten(0, 1))
        features = features.view(2, *state.shape[:2], -1, self.config.vision_width)
        return self.predict(features[0], features[1], state, text, valid, foresight=foresight)

    def predict(
        self, static: Tensor, hand: Tensor, state: Tensor, text: Tensor, valid: Tensor | None, *, foresight: bool
    ) -> Gr1Output:
        """The same from features of the images (B, S, Q + 1, width), see `encode_image`."""
        batch, steps = state.shape[:2]
        observed = self.embed(self.step_tokens(static, hand, state, text))
        queries = self.queries(foresight=foresight).expand(batch, steps, -1, -1)
        seen = torch.ones(batch, steps, dtype=torch.bool, device=state.device) if valid is None else valid
        mask = attention_mask(self.config.observed, queries.shape[2], seen)
        latents = self.transformer(torch.cat([observed, queries], dim=2).flatten(1, 2), mask)
        answers = latents.view(batch, steps, -1, self.config.hidden_dim)[:, :, self.config.observed :]
        arm, gripper = self.decode_actions(answers[:, :, 0])
        return Gr1Output(arm, gripper, self.foresee(answers[:, :, 1:]) if foresight else None)

    @torch.no_grad()
    def encode_text(self, tokens: Tensor) -> Tensor:
        """CLIP token ids (B, 77), int64, to sentence features (B, 512) of length 1, float32."""
        return unit_length(self.model_clip(tokens).float())

    def encode_image(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, 224, 224) to features (N, Q + 1, width): the resampler's latents, then CLS."""
        with torch.no_grad():
            features = self.model_mae(images).float()
        return torch.cat([self.perceiver_resampler(features[:, 1:]), features[:, :1]], dim=1)

    def step_tokens(self, static: Tensor, hand: Tensor, state: Tensor, text: Tensor) -> Tensor:
        """The observation tokens of each step, before their time embedding: (B, S, observed, H).

        Args:
            static: features of the static camera (B, S, Q + 1, width), see `encode_image`.
            hand: features of the hand camera, likewise.
            state: (B, S, 7): position in metres and Euler angles in radians, as they are, then the last gripper
                command, -1 or +1.
            text: sentence features (B, 512).
        """
        is_open = state[..., 6:] >= 1
        gripper = torch.cat([~is_open, is_open], dim=-1).to(state.dtype)
        arm = self.embed_arm_state(state[..., :6])
        robot = self.embed_state(torch.cat([arm, self.embed_gripper_state(gripper)], dim=-1))
        sentence = self.embed_lang(text)[:, None, None].expand(-1, state.shape[1], -1, -1)
        return torch.cat(
            [
                sentence,
                robot.unsqueeze(2),
                self.embed_patch(static[..., :-1, :]),
                self.embed_img(static[..., -1:, :]),
                self.embed_hand_patch(hand[..., :-1, :]),
                self.embed_hand_img(hand[..., -1:, :]),
            ],
            dim=2,
        )

    def embed(self, tokens: Tensor) -> Tensor:
        """Add time embeddings to the observation tokens (B, k, observed, H) of the first k steps, and normalise."""
        embedded: Tensor = self.embed_ln(tokens + self.embed_timestep.weight[: tokens.shape[1], None])
        return embedded

    def queries(self, *, foresight: bool) -> Tensor:
        """Normalised query tokens (queries, H); they have no time embedding and are the same at every step."""
        images = [self.obs_queries.weight, self.obs_hand_queries.weight] if foresight else []
        normed: Tensor = self.embed_ln(torch.cat([self.action_queries.weight, *images]))
        return normed

    def decode_actions(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Answers to action queries (..., H) to arm (..., 6) and gripper logit (..., 1)."""
        features = self.pred_act_mlps(latents)
        return self.pred_arm_act(features), self.pred_gripper_act(features)

    def foresee(self, latents: Tensor) -> Tensor:
        """Answers to the image queries (..., 2 * image_queries, H) to patches (..., 2, 196, 768).

        Patches are in rows, their pixels as (row, column, channel), each normalised by its own mean and deviation.
        """
        batch, asking = latents.shape[:-2], self.config.image_queries
        asked = self.decoder_embed(latents.reshape(-1, asking, latents.shape[-1]))
        masked = (self.mask_token[0] + self.decoder_pos_embed).expand(len(asked), -1, -1)
        decoded = self.decoder_blocks(torch.cat([asked, masked], dim=1))
        patches: Tensor = self.decoder_pred(self.decoder_norm(decoded[:, asking:]))
        return patches.view(*batch, 2, PATCHES, -1)


def unit_length(features: Tensor) -> Tensor:
    """Sentence features (B, 512), as the text encoder gives them, at length 1."""
    length: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (length + 1e-6)
