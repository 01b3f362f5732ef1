"""Seer's inference, step by step for many slots at once, without computing anything twice or in vain.

A frame goes through the vision encoder once and is kept as tokens; a sentence is encoded once. The transformer
computes the newest step's actions only (see `newest`), and images are foreseen only when asked for. In float32 the
actions are those of `Seer.forward` up to rounding.

A slot is one rollout that is going on. How a slot's history began does not matter to others: which numbers come out
for a slot depends, to the bit, on its own frames and on how many slots are in the call, and not on the age of the
others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seer_bench_nn.clip_tokenizer import tokenize

from .model import Seer
from .newest import NewestStep, row_by_row


@dataclass
class _History:
    """What a slot remembers."""

    sentence: Tensor
    """Sentence feature (512,)."""
    steps: deque[Tensor]
    """Observation tokens of up to S steps, each (observed, H)."""
    age: int = 0
    """Frames seen since the reset."""
    cache: Tensor | None = field(default=None, repr=False)
    """Keys and values while the history fills, see `NewestStep.cache_shape`."""


class FastSeer:
    """Predicts actions for slots that each have a history of their own.

    Args:
        model: the network; it is put into evaluation mode and moved to the device. Its vision encoder computes in the
            precision of that encoder's weights, all else in float32.
        actions: how many of a step's actions are wanted, the nearest first; None: all T.
        device: where to compute, e.g. "cuda".
        compile: compile the network with `torch.compile`, on CUDA with CUDA graphs. The first steps take minutes.

    Raises:
        UsageError: the network's attention mask looks ahead, see `NewestStep`.
    """

    def __init__(self, model: Seer, *, actions: int | None = None, device: str = "cpu", compile: bool = False) -> None:
        self._device = torch.device(device)
        self.model = model.eval().to(self._device)
        self.actions = model.config.action_tokens if actions is None else actions
        self._newest = NewestStep(self.model, self.actions)
        self._length, self._observed = model.config.history, model.config.layout.observed
        self._slots: dict[int, _History] = {}
        self._sentences: dict[str, Tensor] = {}
        if compile:
            mode = "reduce-overhead" if self._device.type == "cuda" else "default"
            for owner, part in ((self, "_see"), (self._newest, "grow"), (self._newest, "recompute")):
                setattr(owner, part, torch.compile(getattr(owner, part), mode=mode, dynamic=False))

    @torch.inference_mode()
    def sentence(self, text: str) -> Tensor:
        """Feature (512,) of an instruction, float32; a text is encoded only once."""
        if text not in self._sentences:
            self._sentences[text] = self.model.encode_text(tokenize(text).to(self._device))[0]
        return self._sentences[text]

    def reset(self, slot: int, feature: Tensor) -> None:
        """Forget what a slot has seen.

        Args:
            slot: any number; a slot that is new begins here.
            feature: what it is to do (512,), see `sentence`.
        """
        self._slots[slot] = _History(feature.to(self._device, torch.float32), deque(maxlen=self._length))

    @torch.inference_mode()
    def step(self, slots: Sequence[int], primary: Tensor, wrist: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Append one frame to the history of each slot and predict what to do next.

        Args:
            slots: n different slots, each reset before its first step.
            primary: images of the primary camera (n, 3, 224, 224), float32, see `clip_image`.
            wrist: images of the wrist camera, likewise.
            state: robot states (n, 7 or 8), float32, see `InputTokenizers.state_token`.

        Returns:
            Arm actions (n, actions, 6) in [-1, 1] and gripper probabilities (n, actions, 1) at the newest step, entry
            j being for j steps ahead; float32, on the CPU.
        """
        histories = [self._slots[slot] for slot in slots]
        with self._full_precision():
            images = self._upload(torch.cat([primary, wrist]))
            text = torch.stack([history.sentence for history in histories])
            tokens = self._see(images, self._upload(state), text).clone()
            latents = self._remember(histories, tokens)
            actions = row_by_row(self._decode, latents).cpu()
        return actions[..., :-1], actions[..., -1:]

    @torch.inference_mode()
    def foresee(self, slot: int) -> Tensor | None:
        """Images that the network expects, as of the slot's newest step.

        They are computed from what the slot remembers and leave no trace in it.

        Returns:
            Patches (2, 196, 768), float32, on the CPU: see `VisualForesight.foresee`. None if the network has no
            visual foresight.
        """
        if not self.model.config.foresight_tokens:
            return None
        with self._full_precision():
            history = torch.stack([*self._slots[slot].steps])
            return self.model.foresee(self._newest.foresight(history.unsqueeze(0)))[0].cpu()

    def _see(self, images: Tensor, state: Tensor, text: Tensor) -> Tensor:
        """Both cameras' images (2n, ...), states (n, ...) and sentences (n, 512): tokens (n, observed, H)."""
        n = len(state)
        features = self.model.encode_image(images)
        seen = self.model.image_tokens(features[:n], features[n:])
        return row_by_row(self.model.step_tokens, seen.unsqueeze(1), state.unsqueeze(1), text)[:, 0]

    def _decode(self, latents: Tensor) -> Tensor:
        """[INV] latents (n, actions, H) to arm and gripper actions side by side (n, actions, 7)."""
        return torch.cat(self.model.decode_actions(latents), dim=-1)

    def _remember(self, histories: Sequence[_History], tokens: Tensor) -> Tensor:
        """Append a step of observation tokens (n, observed, H) to each history: [INV] latents (n, actions, H)."""
        for history, row in zip(histories, tokens, strict=True):
            history.steps.append(row.clone())  # a view would hold on to all rows
            history.age += 1
        growing = [history.age <= self._length for history in histories]
        # Each way is gone by all rows or by none: shapes, and with them the order in which sums are taken, must not
        # depend on how old the other slots are.
        grown = self._grow_all(histories, tokens) if any(growing) else None
        if grown is not None and all(growing):
            return grown
        recomputed = self._newest.recompute(torch.stack([self._window(history) for history in histories])).clone()
        if grown is None:
            return recomputed
        return torch.where(torch.tensor(growing, device=self._device)[:, None, None], grown, recomputed)

    def _grow_all(self, histories: Sequence[_History], tokens: Tensor) -> Tensor:
        """[INV] latents (n, actions, H) of the histories that still fill; of the others, numbers without meaning."""
        empty = torch.zeros(self._newest.cache_shape, device=self._device)
        caches = [empty if history.cache is None else history.cache for history in histories]
        positions = [(history.age - 1) % self._length for history in histories]
        steps = torch.tensor(positions, device=self._device)
        latents, kept = self._newest.grow(tokens, steps, torch.stack(caches))
        for history, cache, position, new in zip(histories, caches, positions, kept, strict=True):
            if history.age >= self._length:
                history.cache = None  # the next frame moves all others to an earlier position
            else:
                history.cache = cache.clone() if cache is empty else cache
                history.cache[..., position * self._observed : (position + 1) * self._observed, :] = new
        return latents.clone()

    def _window(self, history: _History) -> Tensor:
        """The last S steps (S, observed, H); a history that is not full is filled up with its newest step."""
        missing = self._length - len(history.steps)
        return torch.stack([*history.steps, *[history.steps[-1]] * missing])

    @contextmanager
    def _full_precision(self) -> Iterator[None]:
        """Nothing is rounded further than the weights' precision says: no autocast, no TF32."""
        with ExitStack() as stack:
            stack.enter_context(torch.autocast(self._device.type, enabled=False))
            if self._device.type == "cuda":
                cudnn = torch.backends.cudnn
                stack.enter_context(cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False))
            yield

    def _upload(self, tensor: Tensor) -> Tensor:
        """To the device, on CUDA while the processor goes on."""
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)
