"""Seer's inference, step by step for many slots at once, without computing anything twice or in vain.

A frame goes through the vision encoder once and is kept as tokens; a sentence is encoded once. The transformer
computes the newest step's actions only (see `newest`), and images are foreseen only when asked for. In float32 the
actions are those of `Seer.forward` up to rounding.

A slot is one rollout that is going on. How a slot's history began does not matter to others: which numbers come out
for a slot depends, to the bit, on its own frames and on how many slots are in the call, and not on the age of the
others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.newest import SlotMemory, row_by_row
from seer_bench_nn.precision import full_precision, upload

from .model import Seer
from .newest import NewestStep


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
        layout = model.config.layout
        self._memory = SlotMemory(self._newest, model.config.history, layout.observed, self._device)
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
        self._memory.reset(slot, feature)

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
        with full_precision(self._device):
            images = upload(torch.cat([primary, wrist]), self._device)
            tokens = self._see(images, upload(state, self._device), self._memory.sentences(slots)).clone()
            latents = self._memory.remember(slots, tokens)
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
        with full_precision(self._device):
            history = self._memory.history(slot)
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
