"""What shapes a Seer network, and the layout of its tokens.

The readout tokens keep the paper's names: [FRS], the foresight tokens, become the images of the future; [INV], the
action tokens, become the actions that lead there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from seer_bench.errors import UsageError

STATE_TOKEN = 1
"""Index of the robot-state token within a time step; the text token is number 0."""


@dataclass(frozen=True)
class TokenLayout:
    """Where each kind of token lies within one time step.

    In order: text, state, image tokens (latents of the primary and of the wrist camera, then the CLS token of each),
    [FRS] of the primary and of the wrist camera, [INV].
    """

    observed: int
    """Number of tokens that carry observations: text, state and image tokens."""
    foresight: int
    """Number of [FRS] tokens of both cameras together; 0 in a network without visual foresight."""
    actions: int
    """Number of [INV] tokens, one for each predicted action."""

    @property
    def per_step(self) -> int:
        """Tokens of one time step."""
        return self.observed + self.foresight + self.actions

    @property
    def image_slice(self) -> slice:
        """The image tokens."""
        return slice(STATE_TOKEN + 1, self.observed)

    @property
    def foresight_slice(self) -> slice:
        """The [FRS] tokens."""
        return slice(self.observed, self.observed + self.foresight)

    @property
    def action_slice(self) -> slice:
        """The [INV] tokens."""
        return slice(self.observed + self.foresight, self.per_step)


@dataclass(frozen=True)
class AttentionOptions:
    """Departures from the attention of fine-tuning and inference, used in pre-training; none by default."""

    goal_offset: int = 0
    """Steps ahead of the robot state that [FRS] sees as its goal; 0 means no goal state."""
    isolated_actions: bool = False
    """[INV] sees only the images and the [FRS] of its own step: no text, no history."""
    actions_see_state: bool = False
    """With `isolated_actions`: [INV] also sees the robot state of its own step."""
    hidden_foresight: float = 0.0
    """With `isolated_actions`: fraction of the [FRS] tokens of a step, drawn at random, that [INV] does not see."""

    def __post_init__(self) -> None:
        """Refuse options that would be silently without effect."""
        if self.goal_offset < 0:
            raise UsageError(f"attention: goal_offset is {self.goal_offset}; give a number of steps, 0 for none.")
        if not 0 <= self.hidden_foresight < 1:
            raise UsageError(f"attention: hidden_foresight is {self.hidden_foresight}; give a fraction in [0, 1).")
        if (self.actions_see_state or self.hidden_foresight) and not self.isolated_actions:
            raise UsageError("attention: actions_see_state and hidden_foresight need isolated_actions: true.")


@dataclass(frozen=True)
class VisionConfig:
    """The frozen MAE encoder; the defaults are ViT-B/16."""

    width: int = 768
    """Channels of a token, and of the perceiver resampler behind it."""
    depth: int = 12
    """Number of blocks."""
    heads: int = 12
    """Attention heads."""


@dataclass(frozen=True)
class TextConfig:
    """The frozen CLIP text tower; the defaults are ViT-B/32's."""

    width: int = 512
    """Channels of a token and of the sentence feature."""
    layers: int = 12
    """Number of blocks."""
    heads: int = 8
    """Attention heads."""
    vocabulary: int = 49408
    """Number of token ids."""


@dataclass(frozen=True)
class SeerConfig:
    """Everything that shapes the network. Named sets are in `variants`."""

    history: int
    """Time steps that the network sees at once (the paper's m)."""
    hidden_dim: int = 384
    """Channels of a token in the multi-modal encoder."""
    layers: int = 24
    """Blocks of the multi-modal encoder."""
    heads: int = 12
    """Attention heads of the multi-modal encoder."""
    resampler_queries: int = 6
    """Image tokens that the perceiver resampler makes of one image, beside its CLS token."""
    foresight_tokens: int = 9
    """[FRS] tokens of one camera, a square number; 0 builds a network without visual foresight."""
    action_tokens: int = 3
    """[INV] tokens, one for each action predicted at a step (the paper's n)."""
    finger_widths: bool = False
    """The gripper state is the two finger positions in metres; otherwise it is one flag, 1 or more meaning open."""
    dropout: float = 0.1
    """Dropout of the multi-modal encoder, in training."""
    attention: AttentionOptions = field(default_factory=AttentionOptions)
    """Departures from the usual attention mask."""
    vision: VisionConfig = field(default_factory=VisionConfig)
    """Shape of the vision encoder."""
    text: TextConfig = field(default_factory=TextConfig)
    """Shape of the text encoder."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be built."""
        if self.hidden_dim % self.heads or self.hidden_dim % 16:
            raise UsageError(
                f"Seer: hidden_dim is {self.hidden_dim}; it must be a multiple of heads ({self.heads}) and of 16, "
                "the image decoder's heads."
            )
        if round(self.foresight_tokens**0.5) ** 2 != self.foresight_tokens:
            raise UsageError(f"Seer: foresight_tokens is {self.foresight_tokens}; give a square number, or 0 for none.")
        if self.history < 1 or self.action_tokens < 1:
            raise UsageError(f"Seer: history {self.history} and action_tokens {self.action_tokens} must be 1 or more.")

    @property
    def layout(self) -> TokenLayout:
        """Where each kind of token lies within one time step."""
        return TokenLayout(4 + 2 * self.resampler_queries, 2 * self.foresight_tokens, self.action_tokens)

    @property
    def state_dim(self) -> int:
        """Length of a robot state: 6 of the pose, and one flag or two finger positions."""
        return 8 if self.finger_widths else 7
