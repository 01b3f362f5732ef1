"""What shapes a network of MT-ACT; the defaults are RoboAgent's."""

from __future__ import annotations

from dataclasses import dataclass

from seer_bench.errors import UsageError

CHUNK = 20
"""Actions that RoboAgent predicts at every step."""


@dataclass(frozen=True)
class MtactConfig:
    """Sizes of the network. Numbers are those of RoboAgent's `train.py` and `detr/main.py`, images apart."""

    state_dim: int
    """Numbers of proprioception."""
    image_height: int
    """Pixels; frames of another size are resized. RoboAgent's cameras give 240 x 424."""
    image_width: int
    """Pixels."""
    action_dim: int = 7
    """Numbers of an action."""
    chunk: int = CHUNK
    """Actions predicted at a step, the first for that step."""
    hidden_dim: int = 512
    """Channels of a token."""
    feed_forward: int = 3200
    """Hidden channels of the layers between attentions."""
    heads: int = 8
    """Attention heads."""
    encoder_layers: int = 4
    """Layers of the encoder of observations, and of the style encoder that training needs."""
    decoder_layers: int = 7
    """Layers of the decoder."""
    decoder_output: int = 0
    """Decoder layer whose output becomes actions. Published code reads the first, so that the others are neither
    trained nor used; -1 reads the last."""
    latent_dim: int = 32
    """Size of the style z."""
    sentence_dim: int = 384
    """Size of a sentence embedding."""
    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels of the four stages of the image encoder; ResNet-18's."""
    dropout: float = 0.1
    """In training."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        for name, value in vars(self).items():
            if isinstance(value, int) and name != "decoder_output" and value < 1:
                raise UsageError(f"MT-ACT: {name} is {value}; give at least 1.")
        if self.hidden_dim % self.heads or self.hidden_dim % 4:
            raise UsageError(
                f"MT-ACT: hidden_dim is {self.hidden_dim}; give a multiple of 4 and of heads, {self.heads}."
            )
        if not -self.decoder_layers <= self.decoder_output < self.decoder_layers:
            raise UsageError(
                f"MT-ACT: decoder_output is {self.decoder_output}, but there are {self.decoder_layers} decoder layers."
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"MT-ACT: dropout is {self.dropout}; give a fraction in [0, 1).")
