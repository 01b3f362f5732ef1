"""MiniLM: its layers against PyTorch's own, and its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from seer_bench import CheckpointError
from seer_bench_nn.minilm import MiniLm, SentenceEncoder
from tests.fakes.mtact_files import PIECES, SENTENCE_DIM, drawn, write_minilm


def torch_layer(layer: nn.Module) -> nn.TransformerEncoderLayer:
    """The same layer as PyTorch has it."""
    heads = SENTENCE_DIM // 32
    twin = nn.TransformerEncoderLayer(SENTENCE_DIM, heads, 96, 0.0, "gelu", 1e-12, batch_first=True).eval()
    weights = layer.state_dict()
    names = [f"attention.self.{name}" for name in ("query", "key", "value")]
    for kind in ("weight", "bias"):
        getattr(twin.self_attn, f"in_proj_{kind}").copy_(torch.cat([weights[f"{name}.{kind}"] for name in names]))
        for ours, theirs in (
            ("attention.output.dense", twin.self_attn.out_proj),
            ("attention.output.LayerNorm", twin.norm1),
            ("intermediate.dense", twin.linear1),
            ("output.dense", twin.linear2),
            ("output.LayerNorm", twin.norm2),
        ):
            getattr(theirs, kind).copy_(weights[f"{ours}.{kind}"])
    return twin


def test_layers_are_those_of_bert_and_an_embedding_is_their_mean():
    model = drawn(lambda: MiniLm(len(PIECES), 16, SENTENCE_DIM, 96, 2))
    tokens = torch.tensor([2, 5, 8, 11, 3])
    parts = model.embeddings
    with torch.no_grad():
        summed = parts["word_embeddings"].weight[tokens] + parts["position_embeddings"].weight[:5]
        x = parts["LayerNorm"](summed + parts["token_type_embeddings"].weight[0])[None]
        for layer in model.encoder["layer"]:
            x = torch_layer(layer)(x)
        wanted = x[0].mean(dim=0) / x[0].mean(dim=0).norm()
        torch.testing.assert_close(model(tokens), wanted, atol=1e-6, rtol=0)


def test_sentences_become_embeddings_of_length_one(tmp_path):
    encoder = SentenceEncoder(write_minilm(tmp_path))
    one, other = encoder("Push the 0."), encoder("the push 0.")
    assert encoder.dim == SENTENCE_DIM
    assert one.norm().item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(one, encoder("push THE 0 ."))
    assert (one - other).abs().max() > 1e-3
    assert torch.equal(encoder("push " * 14), encoder("push " * 50))  # 16 positions, two of them for the marks


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "vocab.txt").unlink(), r"must hold model\.safetensors and vocab\.txt"),
        (lambda folder: (folder / "vocab.txt").write_text("[CLS]\n[SEP]\n[UNK]\n"), "holds 3 pieces, but .* knows 14"),
        (lambda folder: (folder / "vocab.txt").write_text("a\nb\n"), r"no vocabulary of BERT's, \[CLS\], \[SEP\]"),
        (lambda folder: change(folder, lambda w: w.pop("encoder.layer.1.output.dense.bias")), "1 missing: encoder"),
        (lambda folder: change(folder, lambda w: w.pop("embeddings.word_embeddings.weight")), "is no MiniLM"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, spoil, says):
    spoil(write_minilm(tmp_path))
    with pytest.raises(CheckpointError, match=says):
        SentenceEncoder(tmp_path)


def change(folder: Path, edit) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")
