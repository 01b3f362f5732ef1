"""Images as patches."""

from __future__ import annotations

import torch

from seer_bench_nn.patches import patch_statistics, patchify, unpatchify


def test_a_patch_holds_its_pixels_row_by_row_with_channels_last():
    images = torch.randn(2, 3, 3, 224, 224)
    patches = patchify(images)
    assert patches.shape == (2, 3, 196, 768)
    third_row_fifth_patch = images[1, 2, :, 32:48, 64:80]
    assert torch.equal(patches[1, 2, 2 * 14 + 4].view(16, 16, 3), third_row_fifth_patch.permute(1, 2, 0))


def test_unpatchify_is_the_inverse():
    images = torch.randn(2, 3, 224, 224)
    assert torch.equal(unpatchify(patchify(images)), images)


def test_statistics_bring_normalised_patches_back():
    patches = 3 + 2 * torch.randn(4, 768)
    mean, deviation = patch_statistics(patches)
    torch.testing.assert_close(mean[:, 0], patches.mean(dim=1))
    torch.testing.assert_close(deviation[:, 0], patches.std(dim=1, unbiased=True), rtol=1e-5, atol=0)
    flat = patch_statistics(torch.ones(1, 768))
    assert flat[1].item() == torch.tensor(1e-6).sqrt().item()
