"""`seer-bench verify gr1`: the proof that our network equals what was recorded of the published code.

A recording holds seeds instead of weights and inputs. Its arrays are named by how many steps of the history were
valid: `arm_4` are the arm actions where 4 were.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.verification import Progress, Verdict
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording, read_index
from seer_bench.verification.records import verify_records
from seer_bench_nn.needs import needs_torch
from seer_bench_nn.recordings.fields import Fields

if TYPE_CHECKING:
    from torch import Tensor

    from .config import Gr1Config
    from .model import Gr1

SUBJECT = "seer"
"""Of folders of recordings; those of GR-1 lie among Seer's."""
KIND = "gr1_model"
"""Kind of the records that are compared."""
TOLERANCE = 1e-4
"""Greatest difference of an output. Measured: 2.7e-6."""
FAST_STEPS = 3
"""So many steps of the fast inference are compared; each takes about a second."""

_SIZES = {
    "history": "seq_len",
    "hidden_dim": "embed_dim",
    "layers": "n_layer",
    "heads": "n_head",
    "resampler_queries": "resampler_num_latents",
    "resampler_depth": "resampler_depth",
    "resampler_heads": "resampler_heads",
    "resampler_head_dim": "resampler_dim_head",
}
"""Recorded name of each size."""
_FIXED = {
    "activation_function": "relu", "resampler_num_media_embeds": 1, "action_mode": "ee_rel_pose", "act_dim": 7,
    "state_dim": 7, "use_hand_rgb": True, "clip_backbone": "ViT-B/32", "img_feat_dim": 768, "patch_feat_dim": 768,
    "lang_feat_dim": 512,
}  # fmt: skip
"""Options that can only be replayed as they were published."""
_WITHOUT_EFFECT = (
    "dropout", "n_positions", "device", "act_pred", "fwd_pred", "fwd_pred_hand", "fwd_pred_next_n",
    "without_norm_pix_loss",
)  # fmt: skip
"""Options of training, and of where it ran."""
_COMPUTED = "decoder_pos_embed"
"""The one tensor that the network computes itself and that is never drawn."""
_ARM = re.compile(r"arm_(\d+)$")


class Gr1Verifier:
    """Replays recordings of GR-1's network, on the CPU."""

    def facts(self) -> dict[str, str]:
        """Versions, processor and arithmetic; raises MissingExtraError where PyTorch is not installed."""
        with needs_torch("seer-bench verify gr1"):
            from seer_bench_nn.recordings.facts import facts
        return facts()

    def verify(
        self, golden: Path | None = None, *, against: str | None = None, progress: Progress | None = None
    ) -> Iterator[Verdict]:
        """Compare record by record; each verdict comes as soon as it is known.

        Args:
            golden: folder of recordings.
            against: there is nothing to compare with live.
            progress: told which record is being compared and how much of it is done.

        Raises:
            UsageError: no folder is given, it is no folder of recordings, its index is broken, nothing in it could be
                compared, or `against` is given.
            MissingExtraError: PyTorch is not installed.
        """
        if against is not None:
            raise UnknownNameError("backend to compare GR-1 with", against, (), hint="Give --golden DIR alone.")
        if golden is None:
            raise UsageError(
                "no recordings of GR-1 are packaged, because only the published code can make them. "
                "Give a folder of them: seer-bench verify gr1 --golden DIR"
            )
        with needs_torch("seer-bench verify gr1"):
            import torch  # noqa: F401 - asked for before anything is read
        recordings = read_index(golden, SUBJECT).recordings
        yield from verify_records(recordings, {KIND: _compare}, None, folder=golden, progress=progress)


@dataclass(frozen=True)
class _Given:
    """What a recorded network was given."""

    static: Tensor
    hand: Tensor
    state: Tensor
    valid: Tensor

    @classmethod
    def draw(cls, seed: int, history: int, valid: int) -> _Given:
        """One window, of whose steps the first `valid` hold something."""
        import torch

        generator = np.random.RandomState(seed)
        images = (1, history, 3, 224, 224)
        static, hand = (generator.standard_normal(images).astype(np.float32) for _ in range(2))
        arm = generator.uniform(-1, 1, (1, history, 6)).astype(np.float32)
        is_open = generator.uniform(size=(1, history)) < 0.5
        for array in (static, hand, arm, is_open):
            array[:, valid:] = 0
        gripper = np.where(is_open, np.float32(1), np.float32(-1))[..., None]
        state = np.concatenate([arm, gripper], axis=-1)
        filled = torch.arange(history)[None] < valid
        return cls(torch.from_numpy(static), torch.from_numpy(hand), torch.from_numpy(state), filled)


def _compare(recording: Recording, comparison: Comparison) -> None:
    """One record; what PyTorch refuses, e.g. for its size, becomes the record's verdict."""
    try:
        _replay(recording, comparison)
    except (RuntimeError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "not enough memory"
        raise RecordError(f"cannot be replayed here: {type(error).__name__}: {reason}") from error


def _replay(recording: Recording, comparison: Comparison) -> None:
    """Compare the outputs for every recorded number of valid steps, then those of the fast inference."""
    import torch

    fields = Fields.of(recording)
    config = _read_config(fields.inner("config"))
    seed = fields.integer("input_seed", least=0)
    counts = [int(found[1]) for name in recording.arrays if (found := _ARM.match(name))]
    if not counts or not all(1 <= count <= config.history for count in counts):
        raise RecordError(
            f"{recording.arrays.name}: needs arrays arm_N with N from 1 to {config.history}, has {counts}"
        )
    comparison.expect(len(counts) + 1)
    model = _build(config, fields.integer("weight_seed", least=0))
    tokens = recording.arrays["tokens"]
    if tokens.shape != (1, 77) or tokens.dtype.kind not in "iu":
        raise RecordError(
            f"{recording.arrays.name}: 'tokens' must be integers (1, 77), is {tokens.dtype} {tokens.shape}"
        )
    text = model.encode_text(torch.from_numpy(tokens.astype(np.int64)))
    for count in counts:
        with comparison.unit(f"{count} valid steps"):
            _compare_forward(recording, comparison, model, _Given.draw(seed, config.history, count), text, count)
    with comparison.unit("fast inference"):
        _compare_fast(recording, comparison, model, _Given.draw(seed, config.history, max(counts)), text, max(counts))


def _compare_forward(
    recording: Recording, comparison: Comparison, model: Gr1, given: _Given, text: Tensor, count: int
) -> None:
    """Compare all outputs that were recorded where `count` steps were valid."""
    import torch

    arrays = recording.arrays
    cameras = {0: f"obs_strided_{count}", 1: f"hand_strided_{count}"}
    with torch.no_grad():
        foresight = any(name in arrays for name in cameras.values())
        output = model(given.static, given.hand, given.state, text, given.valid, foresight=foresight)
    comparison.within(f"arm_{count}", arrays[f"arm_{count}"], output.arm.numpy(), TOLERANCE)
    logits = arrays[f"gripper_logit_{count}"]
    comparison.within(f"gripper_logit_{count}", logits, output.gripper.numpy(), TOLERANCE)
    for camera, name in cameras.items():
        if name in arrays:
            recorded = arrays[name]
            steps = recorded.shape[1] if recorded.ndim == 4 else model.config.history
            comparison.within(name, recorded, output.images[:, :steps, camera, ::14, ::8].numpy(), TOLERANCE)


def _compare_fast(
    recording: Recording, comparison: Comparison, model: Gr1, given: _Given, text: Tensor, count: int
) -> None:
    """Feed the window frame by frame to what runs in evaluations; attention is causal, so each step is comparable."""
    from .fast import FastGr1

    fast, steps = FastGr1(model), min(count, FAST_STEPS)
    fast.reset(0, text[0])
    made = [fast.step([0], given.static[:, k], given.hand[:, k], given.state[:, k]) for k in range(steps)]
    for name, outputs in zip(("arm", "gripper_logit"), zip(*made, strict=True), strict=True):
        got = np.stack([output.numpy() for output in outputs], axis=1)
        recorded = recording.arrays[f"{name}_{count}"][:, :steps]
        comparison.within(f"{name}_{count}, fast inference", recorded, got, TOLERANCE)


def _read_config(fields: Fields) -> Gr1Config:
    """The network of a record; raises RecordError where an option cannot be honoured."""
    from .config import Gr1Config

    fields.refuse_unknown((*_SIZES.values(), *_FIXED, *_WITHOUT_EFFECT))
    for key, wanted in _FIXED.items():
        if key not in fields:
            continue
        if isinstance(wanted, bool):
            found: object = fields.flag(key)
        else:
            found = fields.text(key) if isinstance(wanted, str) else fields.integer(key)
        if found != wanted:
            raise RecordError(f"{fields.where}: '{key}' is {found!r}; only {wanted!r} can be replayed")
    return Gr1Config(**{name: fields.integer(key, most=1 << 16) for name, key in _SIZES.items()})


def _build(config: Gr1Config, seed: int) -> Gr1:
    """The network with the recorded weights, on the CPU, in float32 and evaluation mode."""
    import torch

    from seer_bench_nn.loading import uninitialised
    from seer_bench_nn.recordings.weights import draw_weight

    from .model import Gr1

    with uninitialised():
        model = Gr1(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != _COMPUTED:
                parameter.copy_(torch.from_numpy(draw_weight(name, tuple(parameter.shape), seed)))
    return model
