"""GR-1 as evaluations run it: one frame at a time, for many slots at once, without computing anything twice.

A frame is encoded once and kept as observation tokens; while a history fills, so are the keys and values of earlier
steps (see `seer_bench_nn.newest`); only the newest step's action query is run. What comes out is that of `Gr1.forward`
at the last valid step, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.newest import SlotMemory, read_last, row_by_row
from seer_bench_nn.precision import full_precision, upload

from .mask import attention_mask
from .model import Gr1


class NewestAction:
    """Reads the newest step's action query; a `seer_bench_nn.newest.NewestReader`. On demand, its image queries.

    Args:
        model: the network, on the device where it computes.
    """

    def __init__(self, model: Gr1) -> None:
        config = model.config
        self._model, self._observed = model, config.observed
        length = config.history * config.observed
        self.cache_shape = (config.layers, 2, config.heads, length, config.hidden_dim // config.heads)
        device = model.mask_token.device
        self._window_mask = self._mask(length, 1, device)
        self._growing_masks = torch.stack([self._growing_mask(step) for step in range(config.history)])

    def grow(self, tokens: Tensor, steps: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (n, 1, H), and the keys and values of the new step; see `NewestReader.grow`."""
        positions = self._model.embed_timestep.weight[steps].unsqueeze(1)
        embedded = self._with_query(self._model.embed_ln(tokens + positions))
        mask = self._growing_masks[steps].unsqueeze(1)
        return read_last(self._model.transformer, embedded, mask, 1, self._observed, cache)

    def recompute(self, history: Tensor) -> Tensor:
        """Latents (n, 1, H) of full histories of observation tokens (n, S, observed, H)."""
        embedded = self._with_query(self._model.embed(history).flatten(1, 2))
        mask = self._window_mask.expand(len(history), 1, -1, -1)
        return read_last(self._model.transformer, embedded, mask, 1, self._observed)[0]

    def foresight(self, history: Tensor) -> Tensor:
        """Answers (2 * image_queries, H) to the newest step's image queries; see `Gr1.foresee`.

        Args:
            history: observation tokens (k, observed, H) of the steps that there are.
        """
        observed = self._model.embed(history.unsqueeze(0)).flatten(1, 2)
        queries = self._model.queries(foresight=True)[1:].unsqueeze(0)
        mask = self._mask(observed.shape[1], queries.shape[1], observed.device).expand(1, 1, -1, -1)
        asked = torch.cat([observed, queries], dim=1)
        return read_last(self._model.transformer, asked, mask, queries.shape[1], self._observed)[0][0]

    def _with_query(self, observed: Tensor) -> Tensor:
        """Put the action query behind embedded observation tokens (n, k, H)."""
        query = self._model.queries(foresight=False).expand(len(observed), -1, -1)
        return torch.cat([observed, query], dim=1)

    @staticmethod
    def _mask(observed: int, queries: int, device: torch.device) -> Tensor:
        """Over observation tokens and, behind all of them, queries, which nobody sees."""
        return attention_mask(observed, queries, torch.ones(1, 1, dtype=torch.bool, device=device))[0, 0]

    def _growing_mask(self, step: int) -> Tensor:
        """For one step's tokens and its query: over the observation tokens of all steps, as cached, then themselves."""
        new = torch.cat([self._window_mask[: self._observed], self._window_mask[-1:]])[:, : self._observed]
        length = len(self._window_mask) - 1
        cached = (torch.arange(length, device=new.device) < step * self._observed).expand(len(new), -1)
        return torch.cat([cached, new, new.new_zeros(len(new), 1)], dim=1)


class FastGr1:
    """Predicts actions for slots that each have a history of their own.

    Args:
        model: the network; it is put into evaluation mode and moved to the device.
        device: where to compute, e.g. "cuda".
    """

    def __init__(self, model: Gr1, *, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self.model = model.eval().to(self._device)
        config = model.config
        self._newest = NewestAction(self.model)
        self._memory = SlotMemory(self._newest, config.history, config.observed, self._device)
        self._sentences: dict[str, Tensor] = {}

    @torch.inference_mode()
    def sentence(self, text: str) -> Tensor:
        """Feature (512,) of an instruction, float32; a text is encoded only once."""
        if text not in self._sentences:
            self._sentences[text] = self.model.encode_text(tokenize(text).to(self._device))[0]
        return self._sentences[text]

    def reset(self, slot: int, feature: Tensor) -> None:
        """Forget what a slot has seen; `feature` (512,) is what it is to do, see `sentence`."""
        self._memory.reset(slot, feature)

    @torch.inference_mode()
    def step(self, slots: Sequence[int], static: Tensor, hand: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Append one frame to the history of each slot and predict what to do next.

        Args:
            slots: n different slots, each reset before its first step.
            static: images of the static camera (n, 3, 224, 224), float32, see `images.gr1_image`.
            hand: images of the hand camera, likewise.
            state: robot states (n, 7), float32, see `Gr1.step_tokens`.

        Returns:
            Arm actions (n, 6) and gripper logits (n, 1) at the newest step; float32, on the CPU.
        """
        with full_precision(self._device):
            features = self.model.encode_image(upload(torch.cat([static, hand]), self._device)).unsqueeze(1)
            text, robot = self._memory.sentences(slots), upload(state, self._device).unsqueeze(1)
            n = len(slots)
            tokens = row_by_row(self.model.step_tokens, features[:n], features[n:], robot, text)[:, 0]
            latents = self._memory.remember(slots, tokens)
            actions = row_by_row(self._decode, latents)[:, 0].cpu()
        return actions[:, :-1], actions[:, -1:]

    @torch.inference_mode()
    def foresee(self, slot: int) -> Tensor:
        """Images that the network expects, as of the slot's newest step; nothing that the slot remembers changes.

        Returns:
            Patches (2, 196, 768), float32, on the CPU, see `Gr1.foresee`.
        """
        with full_precision(self._device):
            return self.model.foresee(self._newest.foresight(self._memory.history(slot))).cpu()

    def _decode(self, latents: Tensor) -> Tensor:
        """Answers to action queries (n, 1, H) to arm and gripper side by side (n, 1, 7)."""
        return torch.cat(self.model.decode_actions(latents), dim=-1)
