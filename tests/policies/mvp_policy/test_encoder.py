"""Files in MVP's layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mvp_policy import encoder as encoder_module
from mvp_policy.encoder import SHAPES, read_mvp
from seer_bench import CheckpointError
from seer_bench_nn.vit import MaeEncoder


@pytest.fixture(autouse=True)
def tiny_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more size of encoder, for a test's patience."""
    monkeypatch.setattr(encoder_module, "SHAPES", {**SHAPES, 32: ("ViT-Tiny/16", 1, 2)})


def write(path: Path, weights: dict[str, Tensor]) -> Path:
    """As MVP publishes them; a classifier and a decoder are in some files of that layout."""
    torch.save({"model": weights | {"head.weight": torch.zeros(3, 32), "mask_token": torch.zeros(1, 1, 32)}}, path)
    return path


@pytest.mark.parametrize("size", [224, 256])
def test_a_file_tells_the_size_of_encoder_and_images(tmp_path, size):
    network = MaeEncoder(32, 1, 2, size)
    path = write(tmp_path / "tiny.pth", network.state_dict())
    read = read_mvp(path)
    assert (read.method, read.width) == ("MVP", 32)
    assert read.name == f"ViT-Tiny/16 at {size} pixels, of no published hash"
    image = read.image(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    assert image.shape == (3, size, size)
    assert torch.equal(read.network(image[None]), network(image[None]))
    assert not any(parameter.requires_grad for parameter in read.network.parameters())


def test_a_published_file_is_known_by_its_hash(tmp_path, monkeypatch):
    path = write(tmp_path / "tiny.pth", MaeEncoder(32, 1, 2).state_dict())
    start = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()[:6]
    monkeypatch.setattr(encoder_module, "MD5_STARTS", {"vits-mae-hoi": start})
    assert read_mvp(path).name == "vits-mae-hoi"


def test_a_frame_is_normalised_by_imagenet(tmp_path):
    image = read_mvp(write(tmp_path / "tiny.pth", MaeEncoder(32, 1, 2).state_dict())).image
    grey = (0.4 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(
        image(np.full((84, 84, 3), 102, np.uint8)), grey.view(3, 1, 1).expand(3, 224, 224), atol=1e-6, rtol=0
    )


def test_the_small_size_has_twelve_heads(tmp_path):
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in MaeEncoder(384, 12, 12).state_dict().items()}
    path = tmp_path / "small.pth"
    torch.save({"model": {name: torch.full((), 0.01).expand(shape) for name, shape in shapes.items()}}, path)
    network = read_mvp(path).network
    assert [block.attn.heads for block in network.blocks] == [12] * 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("cls_token"), r"holds no MVP encoder.*Wanted is one of the files linked at https"),
        (lambda w: w.pop("pos_embed"), r"positions of the shape \(\); MVP's"),
        (lambda w: w.pop("norm.weight"), "1 missing: norm.weight"),
        (lambda w: w.update({"fc_norm.weight": torch.ones(32)}), "1 unexpected: fc_norm.weight"),
        (lambda w: w.update({"pos_embed": torch.zeros(1, 196, 32)}), r"of the shape \(1, 196, 32\)"),
        (lambda w: w.update({"cls_token": torch.zeros(1, 1, 48)}), "of wrong shape: cls_token is 1x1x48"),
        (lambda w: w.update({"pos_embed": torch.zeros(1, 197, 48)}), r"384 or 768 or 1024 or 32\)"),
        (lambda w: w.update({"norm.bias": torch.full((32,), torch.inf)}), "norm.bias holds NaN or infinite"),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    weights = dict(MaeEncoder(32, 1, 2).state_dict())
    change(weights)
    path = write(tmp_path / "bad.pth", weights)
    with pytest.raises(CheckpointError, match=message):
        read_mvp(path)
