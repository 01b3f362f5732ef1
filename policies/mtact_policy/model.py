"""The network of MT-ACT: a style encoder that only training needs, and a transformer from observations to actions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seer_bench_nn.imagenet_image import MEAN, STD

from .config import MtactConfig
from .resnet import FilmResNet
from .transformer import Encoder, Transformer, grid_positions, sequence_positions


class Mtact(nn.Module):
    """MT-ACT, with RoboAgent's parameter names except for `backbone` (see `checkpoint`).

    States and actions are normalised (see `statistics`), images are those of `prepared_images`. Cameras have no
    embedding of their own: a token tells its place in its image, and the order of cameras changes nothing.
    """

    def __init__(self, config: MtactConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.hidden_dim
        self.backbone = FilmResNet(config.channels, dim)
        self.input_proj = nn.Conv2d(config.channels[-1], dim, 1)
        self.input_proj_robot_state = nn.Linear(config.state_dim, dim)
        self.proj_text_emb = nn.Linear(config.sentence_dim, dim)
        self.latent_out_proj = nn.Linear(config.latent_dim, dim)
        self.additional_pos_embed = nn.Embedding(3, dim)
        self.transformer = Transformer(config)
        self.query_embed = nn.Embedding(config.chunk, dim)
        self.action_head = nn.Linear(dim, config.action_dim)

        self.encoder = Encoder(config)
        self.cls_embed = nn.Embedding(1, dim)
        self.encoder_proj = nn.Linear(config.action_dim, dim)
        self.latent_proj = nn.Linear(dim, 2 * config.latent_dim)
        self.register_buffer("_steps", sequence_positions(config.chunk + 1, dim), persistent=False)
        self._steps: Tensor

    def style(self, actions: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """Distribution of the style of demonstrated actions; the sentence and the state are not asked.

        Args:
            actions: (B, chunk, action_dim).
            padding: bool (B, chunk), True behind a demonstration's end.

        Returns:
            Mean and log-variance, each (B, latent_dim).
        """
        start = self.cls_embed.weight.expand(len(actions), 1, -1)
        tokens = torch.cat([start, self.encoder_proj(actions)], dim=1)
        hidden = torch.cat([padding.new_zeros(len(padding), 1), padding], dim=1)
        mean, log_variance = self.latent_proj(self.encoder(tokens, self._steps, hidden)[:, 0]).chunk(2, dim=-1)
        return mean, log_variance

    def forward(self, state: Tensor, images: Tensor, sentence: Tensor, style: Tensor | None = None) -> Tensor:
        """Predict a chunk of actions.

        Args:
            state: (B, state_dim).
            images: (B, cameras, 3, height, width).
            sentence: embeddings (B, sentence_dim).
            style: (B, latent_dim); None is the mean of the prior, 0, which inference takes.

        Returns:
            Normalised actions (B, chunk, action_dim); the first is for the present step.
        """
        if style is None:
            style = state.new_zeros(len(state), self.config.latent_dim)
        told = self.proj_text_emb(sentence)
        seen, places = self._seen(images, told)
        lead = torch.stack([self.latent_out_proj(style), self.input_proj_robot_state(state), told], dim=1)
        positions = torch.cat([self.additional_pos_embed.weight, places])
        decoded = self.transformer(torch.cat([lead, seen], dim=1), positions, self.query_embed.weight)
        actions: Tensor = self.action_head(decoded)
        return actions

    def _seen(self, images: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Image tokens (B, cameras * cells, dim) and their positions (cameras * cells, dim)."""
        cameras = images.shape[1]
        maps = [self.input_proj(self.backbone(images[:, camera], told)) for camera in range(cameras)]
        tokens = torch.cat([one.flatten(2).transpose(1, 2) for one in maps], dim=1)
        height, width = maps[0].shape[-2:]
        places = grid_positions(self.config.hidden_dim, height, width, images.device)
        return tokens, places.repeat(cameras, 1)


def prepared_images(frames: NDArray[np.uint8], config: MtactConfig) -> Tensor:
    """Frames (N, height, width, 3), uint8 RGB, to images (N, 3, image_height, image_width), float32.

    They are resized without keeping their aspect ratio (bilinear, antialiased), where they have another size, and
    normalised by ImageNet's mean and deviation. RoboAgent does not resize; that cameras of CALVIN, which have several
    sizes, are brought to one is our choice.
    """
    size = (config.image_height, config.image_width)
    pixels = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float() / 255
    if pixels.shape[-2:] != size:
        pixels = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, STD))
    return (pixels - mean) / deviation
