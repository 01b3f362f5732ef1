"""What shapes a GR-1 network, and the layout of its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from seer_bench.errors import UsageError


@dataclass(frozen=True)
class Gr1Config:
    """Everything that shapes the network; the defaults are the published ones (`logs/configs.json` of bytedance/GR-1).

    One step's tokens are, in order: text, state, latents and CLS token of the static camera, the same of the hand
    camera, one action query, and, where images are foreseen, `image_queries` for each camera's image.
    """

    history: int = 10
    """Time steps that the network sees at once."""
    hidden_dim: int = 384
    """Channels of a token in the transformer."""
    layers: int = 12
    """Blocks of the transformer."""
    heads: int = 12
    """Its attention heads."""
    resampler_queries: int = 9
    """Latents that the perceiver resampler makes of one image, beside its CLS token."""
    resampler_depth: int = 3
    """Layers of the resampler."""
    resampler_heads: int = 4
    """Its attention heads."""
    resampler_head_dim: int = 128
    """Channels of one of them."""
    dropout: float = 0.1
    """Dropout of the transformer, in training."""
    vision_width: int = 768
    """Channels of the frozen MAE encoder (ViT-B/16), and of the resampler behind it."""
    vision_depth: int = 12
    """Its blocks."""
    vision_heads: int = 12
    """Its attention heads."""
    text_layers: int = 12
    """Blocks of the frozen CLIP text tower (ViT-B/32)."""
    text_vocabulary: int = 49408
    """Its token ids."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be built."""
        if self.hidden_dim % self.heads or self.hidden_dim % 16:
            raise UsageError(
                f"GR-1: hidden_dim is {self.hidden_dim}; it must be a multiple of heads ({self.heads}) and of 16, "
                "the image decoder's heads."
            )
        if self.history < 1:
            raise UsageError(f"GR-1: history is {self.history}; it must be 1 or more.")

    @property
    def observed(self) -> int:
        """Tokens of a step that carry observations."""
        return 2 + 2 * (self.resampler_queries + 1)

    @property
    def image_queries(self) -> int:
        """Query tokens of a step that become one camera's image of the future: as many as an image's tokens."""
        return self.resampler_queries + 1
