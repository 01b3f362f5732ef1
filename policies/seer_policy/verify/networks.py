"""Comparing networks: outputs, mask, labels, losses and one step of training."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.recordings.fields import Fields

from ..fast import FastSeer
from ..losses import Losses, TrainingBatch, action_labels, losses
from ..model import Seer, SeerOutput
from ..training import MAX_GRADIENT_NORM, WEIGHT_DECAY, make_optimizer, train_step
from .network import RecordedNetwork, build_network, read_network, use_recorded_mask
from .recipe import draw_inputs
from .tolerances import BFLOAT16, CHECKSUM, FULL, GRADIENT, LOSS, LOSS_AFTER_STEP, REDUCED

IN_BFLOAT16 = "_bf16vit"
"""Ends the names of arrays that were recorded with the vision encoder in bfloat16."""

_LOSSES = ("arm", "gripper", "image_primary", "image_wrist", "image", "total")
_IMAGES = ("image_pred_strided", "image_pred_mean", "image_pred_std")
_LEARNING_RATE = 1e-3
_FEW_STEPS = 3
"""So many steps of the fast inference are compared at full size, where one takes seconds."""
_UNBUILT = ("image_decoder", "mask_token")
"""What upstream builds without using it where no image is foreseen, and we do not build."""
_COMPARED = (
    "config", "small", "weight_seed", "input_seed", "B", "S", "window", "future_steps", "sentence", "seed",
    "state_dict_checksums", "losses", "train_step",
)  # fmt: skip
_INFORMATIVE = (
    "vit_permutation_noise", "sensitivity_arm_maxdiff", "arm_range", "note",
    "bf16_vs_fp32_arm_maxdiff", "bf16_vs_fp32_gripper_maxdiff", "bf16_rerun_noise_from_random_patch_order",
)  # fmt: skip
"""What whoever made the recording measured beside it: properties of upstream's own runs."""


def compare_reduced(recording: Recording, comparison: Comparison) -> None:
    """A network of reduced size."""
    _Replay(recording, comparison, REDUCED).run(needs_mask=True)


def compare_full(recording: Recording, comparison: Comparison) -> None:
    """A network of full size."""
    _Replay(recording, comparison, FULL, fast_steps=_FEW_STEPS).run(needs_mask=False)


def compare_outputs(
    recording: Recording, comparison: Comparison, output: SeerOutput, tolerance: float, suffix: str = ""
) -> None:
    """All outputs that were recorded under their names and `suffix`.

    Raises:
        RecordError: actions are missing, or images in float32 of a network that foresees them.
    """
    got = {"arm": output.arm.numpy(), "gripper": output.gripper.numpy()}
    needed = list(got)
    if output.images is not None:
        images = output.images.flatten(0, 1).numpy()
        got["image_pred_strided"] = images[:, :, ::14, ::8]
        got["image_pred_mean"] = images.mean((2, 3))
        got["image_pred_std"] = images.std((2, 3), ddof=1)  # as torch does
        got["image_pred"] = images
        needed += _IMAGES if not suffix else ()
    for name, array in got.items():
        if name in needed or name + suffix in recording.arrays:
            comparison.within(name + suffix, recording.arrays[name + suffix], array, tolerance)


@dataclass(frozen=True)
class GivenInputs:
    """What a recorded network was given."""

    batch: TrainingBatch

    @classmethod
    def of(cls, fields: Fields, network: RecordedNetwork) -> GivenInputs:
        """Draw the inputs of a record; `window` frames where it says so, else as many as the network sees."""
        history = network.config.history
        if "S" in fields and fields.integer("S") != history:
            raise RecordError(f"{fields.where}: 'S' is {fields.integer('S')}, but 'sequence_length' is {history}")
        window = fields.integer("window", most=1000) if "window" in fields else history
        if window < history:
            raise RecordError(f"{fields.where}: 'window' is {window}, shorter than 'sequence_length', {history}")
        drawn = draw_inputs(fields.integer("input_seed", least=0), fields.integer("B", most=1000), window)
        flag = (drawn.gripper + 1) // 2
        gripper = drawn.widths if network.config.finger_widths else flag
        state = np.concatenate([drawn.pose, gripper], axis=-1)
        arrays = (drawn.primary, drawn.wrist, state, drawn.text, drawn.actions)
        return cls(TrainingBatch(*(torch.from_numpy(array) for array in arrays)))

    def run(self, model: Seer, text: Tensor | None = None) -> SeerOutput:
        """What the network predicts for the first steps of the window; `text` replaces the drawn features."""
        steps, batch = model.config.history, self.batch
        views = (batch.primary[:, :steps], batch.wrist[:, :steps], batch.state[:, :steps])
        with torch.no_grad():
            output: SeerOutput = model(*views, batch.text if text is None else text)
        return output


class _Replay:
    """One record of a network, compared part by part.

    Raises:
        RecordError: the record does not say what to build, or what to give it.
    """

    def __init__(
        self, recording: Recording, comparison: Comparison, tolerance: float, *, fast_steps: int = 1000
    ) -> None:
        self._recording, self._comparison, self._tolerance = recording, comparison, tolerance
        self._fast_steps = fast_steps
        self._fields = Fields.of(recording)
        self._network = read_network(self._fields)
        self._given = GivenInputs.of(self._fields, self._network)
        self._text: Tensor | None = None
        if unknown := [key for key in self._fields if key not in (*_COMPARED, *_INFORMATIVE)]:
            comparison.note(f"{self._fields.where}: not compared: {', '.join(unknown)}")

    @cached_property
    def _model(self) -> Seer:
        """The network with the recorded weights."""
        return build_network(self._network)

    def run(self, *, needs_mask: bool) -> None:
        """Compare everything that the record holds; what changes the weights comes last."""
        parts = [("weights", self._weights)]
        if needs_mask or "attention_mask" in self._recording.arrays or self._network.config.attention.hidden_foresight:
            parts.append(("attention mask", self._mask))
        if self._network.reads_text:
            parts.append(("text", self._read_text))
        parts.append(("outputs", self._outputs))
        attention = self._network.config.attention
        if not attention.goal_offset and not attention.hidden_foresight:  # else a step depends on later ones, or luck
            parts.append(("fast inference", self._fast))
        parts.append(("outputs, ViT in bfloat16", self._outputs_in_bfloat16))
        if "losses" in self._fields or "label_actions" in self._recording.arrays:
            parts.append(("losses", self._losses))
        if "train_step" in self._fields:
            parts.append(("training step", self._train_step))
        self._comparison.expect(len(parts))
        for name, compare in parts:
            with self._comparison.unit(name):
                compare()

    def _weights(self) -> None:
        """Build the network, and compare sums of its weights where they are recorded."""
        state = self._model.state_dict()
        if "state_dict_checksums" not in self._fields:
            return
        sums = self._fields.inner("state_dict_checksums")
        for name in sums:
            if name not in state:
                raise RecordError(f"{sums.where}: there is no tensor '{name}'")
            numbers = state[name].double()
            got = [float(numbers.sum()), float(numbers.square().sum())]
            self._comparison.within(f"checksum of {name}", sums.numbers(name, 2), got, CHECKSUM)

    def _mask(self) -> None:
        """Compare the mask, and give the network the one that it was recorded with."""
        arrays = self._recording.arrays
        if use_recorded_mask(self._model, self._network, arrays, self._fields):
            self._comparison.note("which [FRS] tokens [INV] does not see was drawn by an unknown seed: as recorded")
        mask = self._model.attention_mask.numpy()
        self._comparison.numbers("attention_mask", arrays["attention_mask"], mask, role="alone")

    def _read_text(self) -> None:
        """Compare the tokens and the feature of the sentence."""
        tokens = tokenize(self._fields.texts("sentence"))
        self._comparison.numbers("tokens", self._recording.arrays["tokens"], tokens.numpy(), role="alone")
        features = self._model.encode_text(tokens)
        self._comparison.within("text_feature", self._recording.arrays["text_feature"], features.numpy(), FULL)
        self._text = features.expand(len(self._given.batch.text), -1)

    @cached_property
    def _output(self) -> SeerOutput:
        """What the network predicts with the recorded weights, in float32."""
        return self._given.run(self._model, self._text)

    def _outputs(self) -> None:
        compare_outputs(self._recording, self._comparison, self._output, self._tolerance)

    def _outputs_in_bfloat16(self) -> None:
        exact = self._model.vision_encoder
        self._model.vision_encoder = copy.deepcopy(exact).bfloat16()
        try:
            output = self._given.run(self._model, self._text)
        finally:
            self._model.vision_encoder = exact
        compare_outputs(self._recording, self._comparison, output, BFLOAT16, IN_BFLOAT16)

    def _fast(self) -> None:
        """Feed the window frame by frame to what runs in evaluations: step k sees no more than slot k of the window."""
        batch, arrays = self._given.batch, self._recording.arrays
        rows, steps = len(batch.text), min(self._network.config.history, self._fast_steps)
        seer, slots = FastSeer(self._model), list(range(rows))
        for slot, feature in zip(slots, batch.text if self._text is None else self._text, strict=True):
            seer.reset(slot, feature)
        made = [seer.step(slots, batch.primary[:, k], batch.wrist[:, k], batch.state[:, k]) for k in range(steps)]
        for name, got in zip(("arm", "gripper"), zip(*made, strict=True), strict=True):
            array = torch.stack(got, dim=1).numpy()
            self._comparison.within(f"{name}, fast inference", arrays[name][:, :steps], array, self._tolerance)
        patches = [foreseen for slot in slots if (foreseen := seer.foresee(slot)) is not None]
        if patches:
            newest = arrays["image_pred_strided"].reshape(rows, -1, 2, 14, 96)[:, steps - 1]
            pixels = torch.stack(patches)[:, :, ::14, ::8].numpy()
            self._comparison.within("image_pred_strided, fast inference", newest, pixels, self._tolerance)

    def _losses(self) -> None:
        """Compare labels and losses."""
        config, batch = self._network.loss_config, self._given.batch
        labels = action_labels(batch.actions, config.history - config.attention.goal_offset, config.action_tokens)
        self._comparison.numbers("label_actions", self._recording.arrays["label_actions"], labels.numpy(), role="alone")
        if "losses" in self._fields:
            parts = losses(self._output, batch, config, self._future_steps())
            self._compare_losses(self._fields.inner("losses"), parts, LOSS)

    def _train_step(self) -> None:
        """Take the recorded step, and compare the gradient and the losses after it."""
        step, model, batch = self._fields.inner("train_step"), self._model, self._given.batch
        optimizer = make_optimizer(model, _learning_rate(step))
        model.config = self._network.loss_config
        report = train_step(model, optimizer, batch, np.random.RandomState(0), self._future_steps())
        norm = step.number("grad_norm_before_clip")
        self._comparison.within("norm of the gradient", norm, report.gradient_norm, GRADIENT)
        unread = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
        self._compare_unread(step.texts("no_grad_params"), unread)
        after = losses(self._given.run(model, self._text), batch, model.config, self._future_steps())
        self._compare_losses(step.inner("loss_after"), after, LOSS_AFTER_STEP)

    def _future_steps(self) -> int:
        """How many steps ahead images are foreseen."""
        return self._fields.integer("future_steps", least=0, most=1000)

    def _compare_unread(self, recorded: list[str], unread: list[str]) -> None:
        """Compare the names of the parameters that got no gradient."""
        if not self._network.config.foresight_tokens:
            recorded = [name for name in recorded if not name.startswith(_UNBUILT)]
        self._comparison.outcome("parameters without gradient", sorted(recorded), sorted(unread))

    def _compare_losses(self, recorded: Fields, got: Losses, tolerance: float) -> None:
        """Compare the parts of the loss, each by its name."""
        recorded.refuse_unknown(_LOSSES)
        for name in _LOSSES:
            where = f"{recorded.where.rpartition(': ')[2]} '{name}'"
            self._comparison.within(where, recorded.number(name), float(getattr(got, name)), tolerance)


def _learning_rate(step: Fields) -> float:
    """That of the recorded step: a key `lr`, else what its note says, else 1e-3.

    Raises:
        RecordError: the note tells of another clipping or weight decay than the network is trained with.
    """
    note = step.text("note") if "note" in step else ""
    for words, ours in (("grad clip", MAX_GRADIENT_NORM), ("wd", WEIGHT_DECAY)):
        told = _number_after(words, note)
        if told is not None and told != ours:
            raise RecordError(f"{step.where}: 'note' says {words} {told:g}; only {ours:g} can be replayed")
    if "lr" in step:
        return step.number("lr")
    return _number_after("lr", note) or _LEARNING_RATE


def _number_after(words: str, text: str) -> float | None:
    """The number that follows some words."""
    found = re.search(rf"\b{words} ([0-9.]+(?:e-?[0-9]+)?)", text)
    return float(found[1]) if found else None
