"""Comparing what stands alone: attention masks, the text encoder and the image transform."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from seer_bench.verification.compare import Comparison, describe
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.clip_image import clip_image
from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.loading import uninitialised
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.networks import fill_drawn

from ..config import TokenLayout
from ..mask import attention_mask
from .network import read_attention, told_seed
from .tolerances import FULL, PIXEL, PIXEL_SUM

_SHAPE = "__shape"
"""Ends the name of the array that holds a mask's shape."""
_MASK_KEYS = (
    "K", "num_A", "num_B", "atten_goal", "atten_goal_state", "atten_only_obs", "attn_robot_proprio_state",
    "mask_l_obs_ratio", "num_obs_token", "action_pred_steps", "seed",
)  # fmt: skip
_MOST = 1000
"""No mask has more of anything."""


def compare_masks(recording: Recording, comparison: Comparison) -> None:
    """Attention masks, each bit.

    Where tokens are hidden at random, NumPy's generator starts from the entry's `seed`, else from the number at the
    end of its name (`..._seed5`), else from 0.
    """
    entries = Fields.of(recording)
    comparison.expect(len(list(entries)))
    for name in entries:
        with comparison.unit(name):
            recorded = _unpacked(recording, name)
            comparison.numbers("the mask", recorded, _mask(name, entries.inner(name)), role="alone")
            comparison.count(masks=1)


def compare_clip_text(recording: Recording, comparison: Comparison) -> None:
    """The text encoder at full size: tokens exactly, features within the tolerance of full size."""
    fields = Fields.of(recording)
    sentences = fields.texts("sentences")
    comparison.expect(2)
    tokens = tokenize(sentences)
    with comparison.unit("tokens"):
        comparison.numbers("tokens", recording.arrays["tokens"], tokens.numpy(), role="alone")
        comparison.count(sentences=len(sentences))
    with comparison.unit("features"), torch.no_grad():
        with uninitialised():
            encoder = ClipTextEncoder()
        fill_drawn(encoder, fields.integer("weight_seed", least=0))
        comparison.within("features", recording.arrays["features"], encoder(tokens).numpy(), FULL)


def compare_images(recording: Recording, comparison: Comparison) -> None:
    """The image transform: every third row and fifth column, and sums over all pixels and over their squares."""
    arrays = recording.arrays
    given = [name.removeprefix("in_") for name in arrays if name.startswith("in_")]
    comparison.expect(len(given))
    for name in given:
        with comparison.unit(name):
            frame = arrays[f"in_{name}"]
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
                raise RecordError(f"{arrays.name}: 'in_{name}' must be a uint8 image (height, width, 3)")
            pixels = clip_image(frame).numpy()
            comparison.within(f"out_{name}", arrays[f"out_{name}"], pixels[:, ::3, ::5], PIXEL)
            wide = pixels.astype(np.float64)
            comparison.within(f"sum_{name}", arrays[f"sum_{name}"], [wide.sum(), np.square(wide).sum()], PIXEL_SUM)
            comparison.count(images=1)


def _mask(name: str, fields: Fields) -> NDArray[np.bool_]:
    """The mask that an entry describes."""
    fields.refuse_unknown(_MASK_KEYS)
    layout = TokenLayout(
        observed=fields.integer("num_A", least=3, most=_MOST),
        foresight=fields.integer("num_obs_token", least=0, most=_MOST),
        actions=fields.integer("action_pred_steps", most=_MOST),
    )
    readout = layout.foresight + layout.actions
    if fields.integer("num_B", most=2 * _MOST) != readout:
        raise RecordError(
            f"{fields.where}: 'num_B' is {fields.integer('num_B')}, but num_obs_token + action_pred_steps is {readout}"
        )
    rng = np.random.RandomState(told_seed(name, fields) or 0)
    return attention_mask(layout, fields.integer("K", most=_MOST), read_attention(fields), rng)


def _unpacked(recording: Recording, name: str) -> NDArray[np.bool_]:
    """A mask from its packed bits."""
    arrays = recording.arrays
    bits, shape = arrays[name], arrays[name + _SHAPE]
    if bits.dtype != np.uint8 or bits.ndim != 1:
        raise RecordError(f"{arrays.name}: '{name}' must hold packed bits, uint8 (n,), it is {describe(bits)}")
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or len(bits) != (int(shape.prod()) + 7) // 8:
        raise RecordError(
            f"{arrays.name}: '{name}{_SHAPE}' must be the shape of a mask of {len(bits)} bytes, it is {shape.tolist()}"
        )
    return np.unpackbits(bits)[: int(shape.prod())].reshape(shape).astype(np.bool_)
