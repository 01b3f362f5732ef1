"""The masked transformer: its mask, and keys and values that are kept."""

from __future__ import annotations

import pytest
import torch

from seer_bench_nn.gpt2 import Conv1D, Gpt2, MaskedSelfAttention


@pytest.fixture
def attention() -> MaskedSelfAttention:
    torch.manual_seed(0)
    return MaskedSelfAttention(16, 4, dropout=0.0, residual_std=0.02).eval()


@torch.no_grad()
def test_attention_is_a_softmax_over_the_keys_that_the_mask_allows(attention):
    x = torch.randn(2, 5, 16)
    mask = torch.rand(5, 5) < 0.5
    mask.fill_diagonal_(True)
    q, k, v = attention.project(x)
    assert torch.equal(torch.cat([q, k, v], dim=1).transpose(1, 2).flatten(2), attention.c_attn(x))
    weights = (q @ k.transpose(-1, -2) / 2).masked_fill(~mask, -torch.inf).softmax(-1)
    expected = attention.c_proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, mask), expected, atol=1e-7, rtol=1e-5)


@torch.no_grad()
def test_queries_over_kept_keys_give_the_same(attention):
    x = torch.randn(1, 6, 16)
    mask = torch.ones(6, 6).tril().bool()
    _, keys, values = attention.project(x[:, :4])
    q, k, v = attention.project(x[:, 4:])
    late = attention.attend(q, torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2), mask[4:])
    torch.testing.assert_close(late, attention(x, mask)[:, 4:], atol=1e-7, rtol=1e-5)


@torch.no_grad()
def test_the_mask_holds_through_all_layers():
    torch.manual_seed(0)
    backbone = Gpt2(16, layers=3, heads=4).eval()
    mask = torch.ones(4, 4).tril().bool()
    x = torch.randn(1, 4, 16)
    changed = x.clone()
    changed[:, 2] = torch.randn(16)
    before, after = backbone(x, mask), backbone(changed, mask)
    torch.testing.assert_close(after[:, :2], before[:, :2], atol=1e-6, rtol=0)
    assert (after[:, 3] - before[:, 3]).abs().max() > 1e-5


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    backbone = Gpt2(16, layers=1, heads=4, dropout=0.5)
    x, mask = torch.randn(1, 4, 16), torch.ones(4, 4, dtype=torch.bool)
    assert not torch.equal(backbone(x, mask), backbone(x, mask))
    backbone.eval()
    assert torch.equal(backbone(x, mask), backbone(x, mask))


def test_weights_are_stored_input_first():
    layer = Conv1D(2, 3)
    layer.weight.data = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    assert layer(torch.tensor([1.0, 10])).tolist() == [41, 52, 63]
