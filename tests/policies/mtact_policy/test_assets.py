"""Installing MiniLM's files from what a user has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtact_policy import assets
from seer_bench import AssetError
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.minilm import SentenceEncoder
from tests.fakes.mtact_files import write_minilm


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder somewhere in which small files lie, which pass for the published ones."""
    folder = write_minilm(tmp_path / "downloads" / "minilm")
    monkeypatch.setattr(assets, "FILES", {name: checkpoint_sha256(folder / name) for name in assets.FILES})
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(tmp_path / "cache"))
    return folder.parent


def test_files_are_found_checked_and_copied(source, tmp_path):
    (source / "another").mkdir()
    (source / "another" / "vocab.txt").write_text("of another model")
    assert assets.install(source) == tmp_path / "cache"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["model.safetensors", "vocab.txt"]
    assert assets.locate() == assets.install() == tmp_path / "cache"


def test_what_is_missing_is_said_and_where_it_is_published(source, tmp_path):
    with pytest.raises(AssetError) as caught:
        assets.install()
    assert all(f"{name} (sha256 {sha256})" in str(caught.value) for name, sha256 in assets.FILES.items())
    assert "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/tree/main" in str(caught.value)
    assert "seer-bench assets mtact --from DIR" in str(caught.value)
    assert not (tmp_path / "cache").exists()
    with pytest.raises(AssetError, match="there is no such folder"):
        assets.install(source / "nowhere")


def test_altered_files_are_not_taken_and_whole_ones_are_kept(source, tmp_path):
    vocabulary = source / "minilm" / "vocab.txt"
    whole = vocabulary.read_text()
    vocabulary.write_text(whole + "x")
    with pytest.raises(
        AssetError, match=r"does not hold them as published. Missing .*:\n  vocab.txt .*\nFetch"
    ) as caught:
        assets.install(source)
    assert "model.safetensors" not in str(caught.value)
    vocabulary.write_text(whole)
    assets.install(source)
    (tmp_path / "cache" / "vocab.txt").write_text("damaged")
    with pytest.raises(AssetError, match=r"vocab\.txt"):
        assets.locate()
    assets.install(source)
    assert (tmp_path / "cache" / "vocab.txt").read_text() == whole


@pytest.mark.minilm
def test_published_weights_give_the_embeddings_that_roboagent_publishes():
    encoder = SentenceEncoder(assets.locate())
    found = encoder("Slide open drawer from left to right")[:4]
    wanted = torch.tensor([-0.01232353, 0.02083108, -0.00587090, 0.05826884])  # constants.py, TEXT_EMBEDDINGS[0]
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
