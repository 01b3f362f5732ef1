"""ImageNet's image transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seer_bench_nn.imagenet_image import MEAN, STD, imagenet_image


def pixels(image: torch.Tensor) -> np.ndarray:
    """Back to (height, width, 3) in 0 to 255."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return ((image * std + mean) * 255).permute(1, 2, 0).numpy()


def test_a_frame_of_the_right_size_is_only_normalised():
    frame = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    np.testing.assert_allclose(pixels(imagenet_image(frame, resize=224, crop=224)), frame, atol=1e-3)


def test_the_middle_of_the_longer_side_is_cut_out():
    frame = np.zeros((4, 8, 3), np.uint8)
    frame[:, 2:6] = 200
    np.testing.assert_allclose(pixels(imagenet_image(frame, resize=4, crop=4)), 200, atol=1e-3)
    frame[:, 2] = frame[:, 5] = 0
    np.testing.assert_allclose(pixels(imagenet_image(frame, resize=4, crop=2)), 200, atol=1e-3)


def test_resizing_interpolates_linearly():
    frame = np.zeros((2, 2, 3), np.uint8)
    frame[:, 1] = 200
    assert pixels(imagenet_image(frame, resize=4, crop=4))[0, :, 0].round().tolist() == [0, 50, 150, 200]


@pytest.mark.parametrize("frame", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8)])
def test_only_frames_are_taken(frame):
    with pytest.raises(ValueError, match="needs a frame"):
        imagenet_image(frame, resize=4, crop=4)


def test_no_more_is_cut_out_than_there_is():
    with pytest.raises(ValueError, match="crop is 5"):
        imagenet_image(np.zeros((4, 4, 3), np.uint8), resize=4, crop=5)
