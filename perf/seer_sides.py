"""The sides that `seer_inference.py` compares: ways to compute the same control step of Seer, or of GR-1."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gr1_policy.fast import FastGr1
from gr1_policy.images import gr1_image
from gr1_policy.model import Gr1, unit_length
from seer_bench_nn.clip_image import clip_image
from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.clip_tokenizer import tokenize
from seer_policy.config import SeerConfig
from seer_policy.fast import FastSeer
from seer_policy.model import Seer

SENTENCE = "push the sliding door to the left side"


class Episode:
    """Camera frames of CALVIN's sizes and robot states, all random."""

    def __init__(self, steps: int, state_dim: int) -> None:
        rng = np.random.default_rng(0)
        self.frames = [
            [rng.integers(256, size=(side, side, 3), dtype=np.uint8) for _ in range(steps)] for side in (200, 84)
        ]
        self.states = torch.from_numpy(rng.uniform(-1, 1, (steps, state_dim)).astype(np.float32))


class Side(Protocol):
    """One way to compute a control step."""

    def step(self, t: int) -> Tensor:
        """The action (7,) at step t of the episode."""

    def set_precision(self, precision: torch.dtype) -> None:
        """Let the vision encoder compute in this precision from now on."""


class Straightforward:
    """All frames, all rows, the sentence S times, and the images, at every step.

    Args:
        model: the network.
        episode: what it sees; any step can be asked for. Older frames are prepared already, as in a queue.
    """

    def __init__(self, model: Seer, episode: Episode) -> None:
        self.model, self.config, self.episode = model, model.config, episode
        self.tokens = tokenize(SENTENCE).expand(self.config.history, -1)
        self.prepared = [[self.prepare(frame) for frame in camera] for camera in episode.frames]

    def set_precision(self, precision: torch.dtype) -> None:
        """See `Side`."""
        self.model.vision_encoder.to(precision)

    @torch.no_grad()
    def step(self, t: int) -> Tensor:
        """See `Side`."""
        first = max(0, t + 1 - self.config.history)
        newest = t - first
        padding = self.config.history - 1 - newest
        primary, wrist = (
            torch.stack([*camera[first:t], *[self.prepare(frames[t])] * (1 + padding)])[None]
            for camera, frames in zip(self.prepared, self.episode.frames, strict=True)
        )
        states = self.episode.states
        state = torch.cat([states[first : t + 1], states[t : t + 1].expand(padding, -1)])[None]
        arm, gripper = self.predict(primary, wrist, state)
        return torch.cat([arm[0, newest, 0], gripper[0, newest, 0]])

    def prepare(self, frame: NDArray[np.uint8]) -> Tensor:
        """A camera frame to the pixels of the network."""
        return clip_image(frame)

    def predict(self, primary: Tensor, wrist: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Actions (1, S, T, ...) of a padded history."""
        output = self.model(primary, wrist, state, self.text(self.tokens)[:1])
        return output.arm, output.gripper

    def text(self, tokens: Tensor) -> Tensor:
        """Sentences (N, 77), no position left out, to features (N, 512)."""
        clip = self.text_encoder()
        x = clip.transformer(clip.token_embedding(tokens) + clip.positional_embedding)
        features: Tensor = clip.ln_final(x[torch.arange(len(x)), tokens.argmax(-1)]) @ clip.text_projection
        return features

    def text_encoder(self) -> ClipTextEncoder:
        """The network's."""
        return self.model.clip_model


class StraightforwardGr1(Straightforward):
    """As GR-1's published evaluation: zeros stand behind the newest frame, one sentence, no images foreseen."""

    model: Gr1

    def set_precision(self, precision: torch.dtype) -> None:
        """See `Side`."""
        self.model.model_mae.to(precision)

    @torch.no_grad()
    def step(self, t: int) -> Tensor:
        """See `Side`."""
        history = self.config.history
        first = max(0, t + 1 - history)
        count = t + 1 - first
        windows = []
        for camera, frames in zip(self.prepared, self.episode.frames, strict=True):
            windows.append(torch.zeros(1, history, 3, 224, 224))
            windows[-1][0, :count] = torch.stack([*camera[first:t], self.prepare(frames[t])])
        state = torch.zeros(1, history, 7)
        state[0, :count] = self.episode.states[first : t + 1]
        text = unit_length(self.text(self.tokens[:1]))
        output = self.model(*windows, state, text, torch.arange(history)[None] < count, foresight=False)
        return torch.cat([output.arm, output.gripper], dim=-1)[0, count - 1]

    def prepare(self, frame: NDArray[np.uint8]) -> Tensor:
        """A camera frame to the pixels of the network."""
        return gr1_image(frame)

    def text_encoder(self) -> ClipTextEncoder:
        """The network's."""
        return self.model.model_clip


class Fast:
    """The same by `FastSeer`; steps are to be asked for in order."""

    fast: FastSeer | FastGr1

    def __init__(self, model: Seer, episode: Episode, *, compile: bool) -> None:
        self.fast, self.episode = FastSeer(model, actions=1, compile=compile), episode

    def set_precision(self, precision: torch.dtype) -> None:
        """See `Side`."""
        self.fast.model.vision_encoder.to(precision)

    def step(self, t: int) -> Tensor:
        """See `Side`."""
        if t == 0:
            self.fast.reset(0, self.text())
        primary, wrist = (self.prepare(camera[t])[None] for camera in self.episode.frames)
        arm, gripper = self.fast.step([0], primary, wrist, self.episode.states[t : t + 1])
        return torch.cat([arm, gripper], dim=-1).flatten()

    def prepare(self, frame: NDArray[np.uint8]) -> Tensor:
        """A camera frame to the pixels of the network."""
        return clip_image(frame)

    def text(self) -> Tensor:
        """Encode the sentence, as if it had not been met before."""
        return self.fast.model.encode_text(tokenize(SENTENCE))[0]


class FastestGr1(Fast):
    """The same by `FastGr1`."""

    fast: FastGr1

    def __init__(self, model: Gr1, episode: Episode) -> None:
        self.fast, self.episode = FastGr1(model), episode

    def set_precision(self, precision: torch.dtype) -> None:
        """See `Side`."""
        self.fast.model.model_mae.to(precision)

    def prepare(self, frame: NDArray[np.uint8]) -> Tensor:
        """A camera frame to the pixels of the network."""
        return gr1_image(frame)


class Upstream(Straightforward):
    """The published code with the same weights, from a checkout of https://github.com/OpenRobotLab/Seer."""

    def __init__(self, model: Seer, episode: Episode, checkout: Path) -> None:
        super().__init__(model, episode)
        self.agent = published(self.config, model.state_dict(), checkout)

    def set_precision(self, precision: torch.dtype) -> None:
        """See `Side`."""
        self.agent.vision_encoder.to(precision)
        self.agent._init_model_type()  # it notes the precision down

    def predict(self, primary: Tensor, wrist: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Actions (1, S, T, ...) of a padded history."""
        output = self.agent(image_primary=primary, image_wrist=wrist, state=state, text_token=self.tokens[None])
        return output[0], output[1]


def published(config: SeerConfig, weights: Mapping[str, Tensor], checkout: Path) -> Any:
    """The published network; exits with a sentence where what it imports is missing."""
    sys.path.insert(0, str(checkout))
    try:
        import clip
        import clip.model
        from models.seer_model import SeerAgent
    except ImportError as error:
        sys.exit(
            f"--upstream {checkout}: its code cannot be imported ({error}). It needs, beside this project: pip install "
            "timm==0.9.16 transformers==4.40.2 einops einops_exts clip-anytorch torchvision"
        )
    # a text tower of the right shape instead of a download; the weights come afterwards
    clip.load = lambda *_, **__: (clip.model.CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).float(), None)
    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save({"model": {}}, file.name)
        agent = SeerAgent(
            finetune_type="calvin", clip_device="cpu", vit_checkpoint_path=file.name, phase="evaluate",
            sequence_length=config.history, num_resampler_query=config.resampler_queries,
            num_obs_token_per_image=config.foresight_tokens, obs_pred=True, action_pred_steps=config.action_tokens,
            transformer_layers=config.layers, hidden_dim=config.hidden_dim, transformer_heads=config.heads,
            gripper_width=config.finger_widths,
        ).eval()  # fmt: skip
    if unknown := agent.load_state_dict(weights, strict=False).unexpected_keys:
        sys.exit(f"--upstream {checkout}: its network has no {', '.join(unknown[:3])}; is it the published code?")
    return agent
