"""How recordings of this format make their weights, inputs and pictures out of seeds.

A recording holds no weights: every tensor is drawn from NumPy's legacy generator, whose streams never change, seeded
with a seed of the recording and the CRC-32 of the tensor's name. Data made so is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seer_bench_nn.patches import IMAGE_SIZE

Float32 = NDArray[np.float32]

COMPUTED = frozenset(
    {
        "attention_mask",
        "image_decoder_position_embedding",
        "vision_encoder.pos_embed",
        "vision_encoder.decoder_pos_embed",
    }
)
"""Tensors that the network computes itself and that are never drawn."""


@dataclass(frozen=True)
class Inputs:
    """What a recorded network was given: B windows of W steps, all float32."""

    primary: Float32
    """(B, W, 3, 224, 224)."""
    wrist: Float32
    """(B, W, 3, 224, 224)."""
    text: Float32
    """Sentence features (B, 512)."""
    pose: Float32
    """(B, W, 6)."""
    gripper: Float32
    """-1 or +1, (B, W, 1)."""
    widths: Float32
    """Finger positions (B, W, 2)."""
    actions: Float32
    """(B, W, 7), the last one -1 or +1."""


def draw_inputs(seed: int, batch: int, window: int) -> Inputs:
    """The recorded inputs; `seed` is the recording's `input_seed`."""
    generator = np.random.RandomState(seed)

    def normal(*shape: int) -> Float32:
        return generator.standard_normal(shape).astype(np.float32)

    def uniform(size: int, limit: float) -> Float32:
        return generator.uniform(-limit, limit, (batch, window, size)).astype(np.float32)

    def sign() -> Float32:
        return np.where(generator.uniform(size=(batch, window, 1)) < 0.5, -1.0, 1.0).astype(np.float32)

    # keyword arguments are evaluated in this order, and with it the stream is used up
    return Inputs(
        primary=normal(batch, window, 3, IMAGE_SIZE, IMAGE_SIZE),
        wrist=normal(batch, window, 3, IMAGE_SIZE, IMAGE_SIZE),
        text=normal(batch, 512),
        pose=uniform(6, 1.0),
        gripper=sign(),
        widths=uniform(2, 0.04),
        actions=np.concatenate([uniform(6, 1.0), sign()], axis=-1),
    )
