"""CLIP's image transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seer_bench_nn.clip_image import clip_image, denormalise, normalise


@pytest.mark.parametrize("size", ["200x200", "84x84", "128x128", "256x256", "480x640", "224x224"])
def test_pixels_are_those_recorded(shared, size):
    with np.load(shared / "golden" / "seer" / "image_preprocess.npz") as recorded:
        pixels = clip_image(recorded[f"in_{size}"]).double()
        np.testing.assert_allclose(pixels[:, ::3, ::5], recorded[f"out_{size}"], atol=1e-6, rtol=0)
        sums = pixels.sum().item(), pixels.square().sum().item()
        np.testing.assert_allclose(sums, recorded[f"sum_{size}"], rtol=1e-6)
    assert pixels.shape == (3, 224, 224)


def test_colours_come_back():
    frame = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), np.uint8))
    assert torch.equal(denormalise(normalise(frame)), frame)


@pytest.mark.parametrize("frame", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_other_arrays_are_refused(frame):
    with pytest.raises(ValueError, match="uint8"):
        clip_image(frame)
