"""How recordings make weights out of seeds.

A recording holds no weights: every tensor is drawn from NumPy's legacy generator, whose streams never change, seeded
with a seed of the recording and the CRC-32 of the tensor's name. Data made so is the same on every machine.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray


def draw_weight(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """The recorded value of a parameter.

    Vectors and scalars are gains near 1 if named `weight`, else small offsets; matrices are scaled by their shape;
    free tensors (tokens, tables) by 0.2.

    Args:
        name: in the state dict, without `module.`; of a tensor that the network does not compute itself.
        shape: of the parameter.
        seed: the recording's `weight_seed`.
    """
    generator = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
    drawn = generator.standard_normal(math.prod(shape)).astype(np.float32).reshape(shape)
    kind = name.rpartition(".")[2]
    if len(shape) < 2:
        return np.asarray(1.0 + 0.1 * drawn if kind == "weight" else 0.05 * drawn, np.float32)
    if kind.endswith("weight"):
        inputs, outputs = math.prod(shape[1:]), shape[0]
        return np.asarray(drawn * np.float32((2.0 / (inputs + outputs)) ** 0.5), np.float32)
    return np.asarray(0.2 * drawn, np.float32)
