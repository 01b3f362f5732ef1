"""The encoder computes what MPI's own code does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mpi_policy.deformable import DeformableAttention, patch_places
from mpi_policy.layers import RmsNorm, SwishGlu

PLACES = [(0, 0), (0, 13), (1, 97), (1, 195), (0, 196), (1, 196)]
"""Image and token, in the published order: 196 patches, then the pooled token."""
PUBLISHED = {
    "pair": [
        [-0.76959, -0.09536, 1.21684],
        [-1.80186, -0.30134, 2.03036],
        [-0.40921, -0.95658, -0.6133],
        [-0.35288, -1.38406, -0.2532],
        [0.64984, -0.95919, 0.11278],
        [0.71567, -0.49506, 0.10124],
    ],
    "twice the same": [
        [-1.09206, -0.72041, 0.60545],
        [-0.66035, 1.27542, 0.11315],
        [-1.81543, -0.34605, -0.6361],
        [-0.37331, 0.86482, -0.78454],
        [0.30017, -0.34683, -0.04642],
        [0.17311, -0.08993, 0.22873],
    ],
}
"""Channels 0, 11, 22 that `MPI.get_representations` of github.com/OpenDriveLab/MPI at 5e89a1c gives at those places,
with the weights and images of conftest, no language, PyTorch 2.13 on a CPU."""
SUMS = {"pair": -407.56148, "twice the same": -364.18736}
"""Sum of all 2 * 197 * 32 numbers."""


@pytest.mark.parametrize("case", ["pair", "twice the same", "single"])
def test_features_are_those_of_the_published_code(encoder, images, case):
    earlier, later = images
    if case == "single":
        features, case = encoder(earlier), "twice the same"
    else:
        features = encoder.represent(earlier, later if case == "pair" else earlier)
    ordered = torch.cat([features[:, 1:], features[:, :1]], dim=1)
    found = [ordered[image, token, ::11].tolist() for image, token in PLACES]
    np.testing.assert_allclose(found, PUBLISHED[case], atol=2e-4)
    assert ordered.double().sum().item() == pytest.approx(SUMS[case], abs=0.05)


def test_a_single_image_is_the_same_image_twice(encoder, images):
    torch.testing.assert_close(encoder(images[0]), encoder.represent(images[0], images[0]), atol=5e-5, rtol=1e-4)


def test_the_order_of_frames_matters(encoder, images):
    assert (encoder.represent(*images) - encoder.represent(*images[::-1])).abs().max() > 0.1


def test_images_of_a_batch_do_not_mix(encoder, images):
    alone = torch.cat([encoder(image[None]) for image in images[0]])
    torch.testing.assert_close(encoder(images[0]), alone, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_place_in_a_batch_does_not_matter_to_the_bit(encoder, images, threads):
    both, before = torch.cat(images), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(encoder(both), encoder(both.flip(0)).flip(0))
    finally:
        torch.set_num_threads(before)


def test_weights_decide_the_precision(encoder, images):
    exact = encoder(images[0][:1])
    low = encoder.bfloat16()(images[0][:1])
    assert low.dtype == torch.bfloat16
    assert (low.float() - exact).abs().mean() < 0.1 * exact.abs().mean()


def read_at(grid: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear reading of (side, side, channels); x and y in patches, 0 at the first one's centre; zero outside."""
    out = np.zeros(grid.shape[-1])
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < len(grid) and 0 <= column < len(grid):
                out += grid[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return out


def test_deformable_attention_reads_around_the_query():
    torch.manual_seed(0)
    side, dim, heads = 4, 8, 2
    attention = DeformableAttention(dim, heads, side, patch=16)
    for layer in (attention.value_proj, attention.output_proj):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.normal_(attention.sampling_offsets.bias, std=8)  # offsets of some patches, also out of the image
    queries, values = torch.randn(1, side * side, dim), torch.randn(1, side * side, dim)
    with torch.no_grad():
        found = attention(queries, values)[0].numpy()
        offsets = attention.sampling_offsets(queries).view(side, side, heads, 4, 2).numpy()
        weights = attention.attention_weights(queries).view(side, side, heads, 4).softmax(-1).numpy()
    grid = values.view(side, side, heads, dim // heads).numpy()
    for row in range(side):
        for column in range(side):
            wanted = [
                sum(
                    weights[row, column, head, point]
                    * read_at(grid[:, :, head], *(np.array([column, row]) - 1 / 16 + offset / 8))
                    for point, offset in enumerate(offsets[row, column, head])
                )
                for head in range(heads)
            ]
            np.testing.assert_allclose(found[row * side + column], np.concatenate(wanted), atol=1e-5)


def test_patches_lie_one_pixel_before_their_centres():
    places = patch_places(14, 16) * 224
    assert places[0].tolist() == pytest.approx([7, 7])
    assert places[1].tolist() == pytest.approx([23, 7])
    assert places[-1].tolist() == pytest.approx([215, 215])


def test_a_normed_token_has_root_mean_square_one():
    x = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    assert RmsNorm(2)(x).pow(2).mean(-1).tolist() == pytest.approx([1, 0])


def test_the_second_half_of_a_gated_unit_is_the_gate():
    unit = SwishGlu(1, 1)
    with torch.no_grad():
        unit.project.weight.copy_(torch.tensor([[2.0], [0.0]]))
        unit.project.bias.copy_(torch.tensor([0.0, 1.0]))
        assert unit(torch.tensor([3.0])).item() == pytest.approx(6 / (1 + np.exp(-1)))
