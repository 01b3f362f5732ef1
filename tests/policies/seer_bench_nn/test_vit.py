"""Position embeddings and MAE's encoder."""

from __future__ import annotations

import pytest
import torch

from seer_bench_nn.sincos import sincos_2d
from seer_bench_nn.vit import MaeEncoder


def test_position_embeddings_are_those_of_the_published_code(shared):
    path = shared / "golden" / "seer" / "tiny_ft_mae_format.pth"
    published = torch.load(path, weights_only=True)["model"]["pos_embed"][0]
    assert not published[0].any()
    torch.testing.assert_close(sincos_2d(64, 14), published[1:], atol=1e-7, rtol=0)


def test_first_half_of_the_channels_is_the_column():
    table = sincos_2d(8, 3)
    assert torch.equal(table[0], torch.tensor([0.0, 0, 1, 1, 0, 0, 1, 1]))
    assert torch.equal(table[1, 4:], table[0, 4:])
    assert table[1, 0].item() == pytest.approx(0.841471)
    assert torch.equal(table[3, :4], table[0, :4])
    with pytest.raises(ValueError, match="multiple of 4"):
        sincos_2d(6, 3)


def test_names_and_shapes_are_those_of_maes_file(shared):
    published = torch.load(shared / "golden" / "seer" / "tiny_ft_mae_format.pth", weights_only=True)["model"]
    ours = MaeEncoder(width=64, depth=2, heads=4).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {n: t.shape for n, t in published.items()}


@torch.no_grad()
def test_precision_is_that_of_the_weights():
    encoder = MaeEncoder(width=16, depth=1, heads=2).bfloat16()
    features = encoder(torch.randn(2, 3, 224, 224))
    assert features.shape == (2, 197, 16)
    assert features.dtype == encoder.dtype == torch.bfloat16
