"""Comparing the network: what it predicts where a part of its history is valid, and the fast inference.

Arrays of a record are named by how many steps of the history were valid: `arm_4` are the arm actions where 4 were.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.patches import IMAGE_SIZE, patchify
from seer_bench_nn.recordings.fields import Fields

from ..fast import FastGr1
from ..losses import image_labels
from ..model import Gr1
from .network import RecordedNetwork, build_network, read_network, read_text

FAST_STEPS = 3
"""So many steps of the fast inference are compared at full size; each takes about a second."""

_NAME = re.compile(r"(arm|gripper_logit|(?:obs|hand)(?:_target)?_strided)_([1-9]\d*)$")
_CAMERAS = ("obs", "hand")
_SEEDS = ("config", "small", "weight_seed", "input_seed", "B", "sentence", "text_feature")
_INFORMATIVE = ("inputs", "weights", "training_target", "note")
"""What whoever made the recording wrote beside it."""
_MOST = 64
"""Windows of one record; a window's images alone take 24 MB."""


@dataclass(frozen=True)
class _Given:
    """What a recorded network was given: B windows."""

    static: Tensor
    hand: Tensor
    state: Tensor

    @classmethod
    def draw(cls, seed: int, batch: int, history: int) -> _Given:
        """Windows of which all steps are valid."""
        generator = np.random.RandomState(seed)
        images = (batch, history, 3, IMAGE_SIZE, IMAGE_SIZE)
        static, hand = (generator.standard_normal(images).astype(np.float32) for _ in range(2))
        arm = generator.uniform(-1, 1, (batch, history, 6)).astype(np.float32)
        is_open = generator.uniform(size=(batch, history, 1)) < 0.5
        state = np.concatenate([arm, np.where(is_open, np.float32(1), np.float32(-1))], axis=-1)
        return cls(torch.from_numpy(static), torch.from_numpy(hand), torch.from_numpy(state))

    def first(self, valid: int) -> _Given:
        """Zeros, and the command to close, in all but the first `valid` steps."""
        static, hand, state = (array.clone() for array in (self.static, self.hand, self.state))
        for array in (static, hand, state):
            array[:, valid:] = 0
        state[:, valid:, 6] = -1
        return _Given(static, hand, state)


def compare_outputs(recording: Recording, comparison: Comparison) -> None:
    """Compare all outputs for every recorded number of valid steps, then those of the fast inference."""
    replay = _Replay(recording, comparison)
    comparison.expect(len(replay.counts) + 1)
    for count in replay.counts:
        with comparison.unit(f"{count} valid steps"):
            replay.compare_forward(count)
    with comparison.unit("fast inference"):
        replay.compare_fast(max(replay.counts))


class _Replay:
    """One record.

    Raises:
        RecordError: the record does not say what to build, or what to give it.
    """

    def __init__(self, recording: Recording, comparison: Comparison) -> None:
        fields = Fields.of(recording)
        self._arrays, self._comparison = recording.arrays, comparison
        self._network: RecordedNetwork = read_network(recording, fields)
        names = [found for name in recording.arrays if (found := _NAME.match(name))]
        self.counts = list(dict.fromkeys(int(found[2]) for found in names))
        history = self._network.config.history
        if not names or max(self.counts) > history:
            raise RecordError(
                f"{recording.arrays.name}: needs arrays such as arm_N, N valid steps of up to {history}; "
                f"has {', '.join(recording.arrays) or 'none'}"
            )
        self._batch = self._read_batch(fields, names[0][0])
        self._given = _Given.draw(fields.integer("input_seed", least=0), self._batch, history)
        # `inputs` says in words what was drawn; other inputs than those of this format give other outputs
        if unknown := [key for key in fields if key not in (*_SEEDS, *_INFORMATIVE)]:
            comparison.note(f"{fields.where}: not compared: {', '.join(unknown)}")
        config = fields.inner("config")
        plain = config.flag("without_norm_pix_loss", default=False)
        self._target = patchify if plain else image_labels
        self._model: Gr1 = build_network(self._network)
        self._text = read_text(recording, fields, comparison, self._model, self._batch)

    def compare_forward(self, count: int) -> None:
        """Compare all that was recorded where `count` steps were valid."""
        given, (static, hand) = self._given.first(count), self._encoded(count)
        valid = torch.arange(given.state.shape[1]).expand(self._batch, -1) < count
        targets = [f"{camera}_target_strided_{count}" for camera in _CAMERAS]
        images = [f"{camera}_strided_{count}" for camera in _CAMERAS]
        with torch.no_grad():
            foresight = any(name in self._arrays for name in images)
            output = self._model.predict(static, hand, given.state, self._text, valid, foresight=foresight)
        self._within(f"arm_{count}", output.arm)
        self._within(f"gripper_logit_{count}", output.gripper)
        for camera, frames in enumerate((given.static, given.hand)):
            if output.images is not None:
                self._within(images[camera], self._strided(images[camera], output.images[:, :, camera]))
            if targets[camera] in self._arrays:
                self._within(targets[camera], self._strided(targets[camera], self._target(frames)))

    def compare_fast(self, count: int) -> None:
        """Feed the window frame by frame to what runs in evaluations; attention is causal: each step is comparable."""
        given, slots = self._given, range(self._batch)
        fast, steps = FastGr1(self._model), min(count, FAST_STEPS) if self._network.is_full else count
        for slot in slots:
            fast.reset(slot, self._text[slot])
        shown = [n for n in self.counts if any(f"{camera}_strided_{n}" in self._arrays for camera in _CAMERAS)]
        made = []
        for k in range(steps):
            made.append(fast.step(slots, given.static[:, k], given.hand[:, k], given.state[:, k]))
            if shown and k + 1 == min(max(shown), steps):
                foreseen = torch.stack([fast.foresee(slot) for slot in slots])[:, None]
                for camera, name in enumerate(_CAMERAS):
                    array = f"{name}_strided_{max(shown)}"
                    newest = self._strided(array, foreseen[:, :, camera])
                    self._within(array, newest, slice(k, k + 1), ", fast inference")
        for name, outputs in zip(("arm", "gripper_logit"), zip(*made, strict=True), strict=True):
            self._within(f"{name}_{count}", torch.stack(outputs, dim=1), slice(steps), ", fast inference")

    @torch.no_grad()
    def _encoded(self, count: int) -> Tensor:
        """Features (2, B, S, Q + 1, width) of both cameras, of whose frames those behind the first `count` are blank.

        Frames are encoded once, because at full size this takes nearly all of the time.
        """
        blank = self._blank.expand(2, self._batch, self._network.config.history - count, -1, -1)
        return torch.cat([self._features[:, :, :count], blank], dim=2)

    @cached_property
    def _features(self) -> Tensor:
        """Features (2, B, k, Q + 1, width) of all frames that are not blank in every window."""
        frames = torch.stack([self._given.static, self._given.hand])[:, :, : max(self.counts)]
        features = self._model.encode_image(frames.flatten(0, 2))
        return features.view(*frames.shape[:3], -1, self._network.config.vision_width)

    @cached_property
    def _blank(self) -> Tensor:
        """Features (1, Q + 1, width) of a blank frame."""
        return self._model.encode_image(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))

    def _strided(self, name: str, patches: Tensor) -> Tensor:
        """Of patches (B, S, 196, 768), every n-th patch and every m-th pixel, as the array of that name holds them."""
        shape = self._arrays[name].shape if name in self._arrays else ()
        rows, pixels = map(_stride, shape[2:], patches.shape[2:]) if len(shape) == 4 else (14, 8)
        return patches[..., ::rows, ::pixels]

    def _within(self, name: str, output: Tensor, steps: slice = slice(None), suffix: str = "") -> None:
        """Compare an output with some steps of the array of that name, if there is one.

        An array may hold the first steps alone.
        """
        if name in self._arrays:
            recorded = self._arrays[name]
            wanted = recorded[:, steps] if recorded.ndim > 1 else recorded
            got = output[:, : wanted.shape[1]] if wanted.ndim > 1 and wanted.shape[1] else output
            self._comparison.within(name + suffix, wanted, got.numpy(), self._network.tolerance)

    def _read_batch(self, fields: Fields, name: str) -> int:
        """How many windows there are: key `B`, else as many as an array has rows; raises RecordError."""
        if "B" in fields:
            return fields.integer("B", most=_MOST)
        shape: tuple[int, ...] = self._arrays[name].shape
        if not shape or not 1 <= shape[0] <= _MOST:
            raise RecordError(f"{self._arrays.name}: '{name}' must hold 1 to {_MOST} windows, its shape is {shape}")
        return shape[0]


def _stride(kept: int, of: int) -> int:
    """The smallest stride that keeps so many of a row, or the one closest to it."""
    return next((stride for stride in range(1, of) if -(-of // stride) <= kept), of)
