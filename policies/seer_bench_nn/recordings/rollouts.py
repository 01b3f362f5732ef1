"""What recordings of wrappers share: made-up camera frames, sentence features, and when a rollout begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seer_bench.verification.recording import RecordError

from .fields import Fields

_PICTURE = re.compile(r"synth\((\w+)\+10\*t(?:\+(\d+))?,\s*(\d+),\s*(\d+)\)")
_GREATEST_PICTURE = 4096
_FEATURE = r"RandomState\((\d+)\)\.standard_normal\(512\)"


def read_resets(fields: Fields, steps: int) -> frozenset[int]:
    """Key `resets`: steps before which the policy is reset, 0 among them; 0 alone where the key is missing."""
    resets = fields.numbers("resets") if "resets" in fields else [0.0]
    if any(step not in range(steps) for step in resets) or 0 not in resets:
        raise RecordError(f"{fields.where}: 'resets' must be steps below {steps}, 0 among them; it is {resets}")
    return frozenset(int(step) for step in resets)


def read_pictures(fields: Fields, steps: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Key `images`: frames of the third-person and of the hand camera by step, drawn as it says."""
    text = fields.text("images")
    cameras = _PICTURE.findall(text)
    if len(cameras) != 2:
        raise RecordError(
            f"{fields.where}: 'images' must tell two cameras as synth(KEY+10*t+OFFSET,HEIGHT,WIDTH), it is {text!r}"
        )
    first, second = (
        (fields.integer(key, least=0) + int(offset or 0), int(height), int(width))
        for key, offset, height, width in cameras
    )
    if min(*first[1:], *second[1:]) < 1 or max(*first[1:], *second[1:]) > _GREATEST_PICTURE:
        raise RecordError(f"{fields.where}: 'images' must be of 1 to {_GREATEST_PICTURE} pixels a side, it is {text!r}")
    for t in range(steps):
        static, hand = (draw_picture(seed + 10 * t, height, width) for seed, height, width in (first, second))
        yield static, hand


def read_text_feature(fields: Fields, default: int | None = None) -> NDArray[np.float32]:
    """Key `text_feature`: the feature (512,) that stands for any sentence, drawn as it says.

    Args:
        fields: of the record.
        default: the seed where the key is missing; None: it must be there.
    """
    seed = default
    if default is None or "text_feature" in fields:
        text = fields.text("text_feature")
        found = re.match(_FEATURE, text)
        if not found:
            raise RecordError(f"{fields.where}: 'text_feature' is {text!r}; it must begin as {_FEATURE}")
        seed = int(found[1])
    return np.random.RandomState(seed).standard_normal(512).astype(np.float32)


def draw_picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """A picture (height, width, 3), uint8: four plane waves in each channel, and noise."""
    generator = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = np.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(4):
            across, down = generator.uniform(-0.2, 0.2, 2)
            phase = generator.uniform(0, 6.28)
            waves[..., channel] += np.sin(across * x + down * y + phase)
    pixels = 127.5 + 40 * waves + generator.uniform(-15, 15, waves.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)
