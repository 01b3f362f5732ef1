"""The image transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gr1_policy.images import gr1_image
from seer_bench_nn.imagenet_image import MEAN, STD


def pixels(frame: np.ndarray) -> np.ndarray:
    """The transformed frame (224, 224, 3), normalisation undone."""
    return gr1_image(frame).permute(1, 2, 0).numpy() * np.array(STD) + np.array(MEAN)


def test_a_frame_of_the_right_size_is_only_normalised() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    np.testing.assert_allclose(pixels(frame), frame / 255, atol=1e-6)


def test_it_is_cubic_convolution_between_the_centres_of_pixels() -> None:
    frame = np.zeros((84, 84, 3), np.uint8)
    row = np.random.default_rng(0).integers(0, 256, 84)
    frame[:] = row[None, :, None]

    def weight(x: float) -> float:
        a, x = -0.75, abs(x)
        return (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0

    for column in (20, 101, 150):
        place = (column + 0.5) * 84 / 224 - 0.5
        near = range(int(place) - 1, int(place) + 3)
        wanted = sum(weight(place - i) * row[i] for i in near) / 255
        np.testing.assert_allclose(pixels(frame)[50, column], wanted, atol=1e-5)


def test_edges_may_overshoot() -> None:
    frame = np.zeros((84, 84, 3), np.uint8)
    frame[:, 42:] = 255
    assert pixels(frame).min() < -0.01
    assert pixels(frame).max() > 1.01


@pytest.mark.parametrize("frame", [np.zeros((84, 84, 3), np.float32), np.zeros((84, 84, 4), np.uint8)])
def test_other_arrays_are_refused(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="needs a frame"):
        gr1_image(frame)


def test_read_only_frames_are_taken_and_left_alone() -> None:
    frame = np.full((200, 200, 3), 7, np.uint8)
    frame.flags.writeable = False
    assert gr1_image(frame).dtype == torch.float32
    assert (frame == 7).all()
