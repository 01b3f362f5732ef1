"""The perceiver resampler."""

from __future__ import annotations

import torch

from seer_bench_nn.resampler import PerceiverAttention, PerceiverResampler


@torch.no_grad()
def test_any_number_of_tokens_in_any_order_becomes_the_latents():
    torch.manual_seed(0)
    resampler = PerceiverResampler(16, queries=3, depth=2, heads=2, head_dim=8)
    media = torch.randn(2, 10, 16)
    latents = resampler(media)
    assert latents.shape == (2, 3, 16)
    torch.testing.assert_close(resampler(media[:, torch.randperm(10)]), latents, atol=1e-6, rtol=0)
    assert not torch.allclose(resampler(media[:, :5]), latents, atol=1e-3)


@torch.no_grad()
def test_latents_attend_to_media_and_to_themselves():
    torch.manual_seed(0)
    attention = PerceiverAttention(16, heads=2, head_dim=8)
    media, latents = torch.randn(1, 5, 16), torch.randn(1, 2, 16)
    known = torch.cat([attention.norm_media(media), attention.norm_latents(latents)], dim=1)
    q = attention.to_q(attention.norm_latents(latents)).view(2, 2, 8).transpose(0, 1)
    k, v = (x.view(7, 2, 8).transpose(0, 1) for x in attention.to_kv(known).chunk(2, dim=-1))
    mixed = (q @ k.transpose(1, 2) * 8**-0.5).softmax(-1) @ v
    expected = attention.to_out(mixed.transpose(0, 1).reshape(1, 2, 16))
    torch.testing.assert_close(attention(media, latents), expected, atol=1e-6, rtol=0)
