"""A small encoder whose weights are drawn by name, so that anybody can give the same ones to MPI's own code."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor

from mpi_policy.encoder import MpiEncoder

WIDTH, DEPTH, HEADS = 32, 2, 2


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """Normal numbers of deviation 0.3, about 1 for scales, float32; sampling offsets reach out of the image."""
    values = 0.3 * np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith((".g", ".gamma", "temporal_attn_norm.weight")):
        values += 1
    if name == "temporal_attn.sampling_offsets.bias":
        values *= 40
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture
def encoder() -> MpiEncoder:
    network = MpiEncoder(WIDTH, DEPTH, HEADS)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name != "encoder_pe":
                parameter.copy_(drawn(name, tuple(parameter.shape)))
    return network.eval().requires_grad_(False)


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    """Two different batches (2, 3, 224, 224)."""
    return drawn("earlier", (2, 3, 224, 224)), drawn("later", (2, 3, 224, 224))
