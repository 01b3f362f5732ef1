"""Files in MPI's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mpi_policy.encoder import MpiEncoder
from mpi_policy.weights import read_mpi
from seer_bench import CheckpointError

OTHERS = {
    "lang_token": (1, 1, 32),
    "lang_latents": (1, 32),
    "decoder_pe": (1, 196, 192),
    "lm.embeddings.word_embeddings.weight": (9, 8),
    "MotionFormer.0.attn_cross.sampling_offsets.weight": (48, 192),
    "logit_scale": (1,),
}
"""Some of what else the published files hold."""


def write(path: Path, weights: dict[str, Tensor], prefix: str = "") -> Path:
    others = {name: torch.zeros(shape) for name, shape in OTHERS.items()}
    torch.save({prefix + name: tensor for name, tensor in (weights | others).items()}, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_sizes_are_read_off_a_file(encoder, images, tmp_path, prefix):
    read = read_mpi(write(tmp_path / "small.pt", encoder.state_dict(), prefix))
    assert read.name == "of 32 channels, 2 blocks and 2 heads"
    assert (read.method, read.width) == ("MPI", 32)
    assert torch.equal(read.network(images[0]), encoder(images[0]))
    assert not any(parameter.requires_grad for parameter in read.network.parameters())


def test_checkpoints_of_its_training_code_are_read(encoder, images, tmp_path):
    weights = {f"module.{name}": tensor for name, tensor in encoder.state_dict().items()}
    torch.save({"model_state_dict": weights, "optimizer_state_dict": {"state": {}}}, tmp_path / "epoch.pt")
    assert torch.equal(read_mpi(tmp_path / "epoch.pt").network(images[0]), encoder(images[0]))


def test_the_published_small_size_has_its_name(tmp_path):
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in MpiEncoder(384, 12, 6).state_dict().items()}
    file = write(tmp_path / "small.pt", {name: torch.full((), 0.01).expand(shape) for name, shape in shapes.items()})
    read = read_mpi(file)
    assert read.name == "Small"
    frame = np.random.default_rng(0).integers(0, 256, (84, 84, 3), dtype=np.uint8)
    assert read.network(read.image(frame)[None]).shape == (1, 197, 384)


def test_the_middle_of_a_frame_is_seen(encoder, tmp_path):
    image = read_mpi(write(tmp_path / "small.pt", encoder.state_dict())).image
    frame = np.zeros((256, 256, 3), np.uint8)
    frame[16:240, 16:240] = 255
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(image(frame), white.view(3, 1, 1).expand(3, 224, 224))


@pytest.mark.parametrize("tree", [{"model": {"cls_token": torch.zeros(1)}}, [torch.zeros(1)]])
def test_files_of_another_layout_are_refused_with_a_way_on(tmp_path, tree):
    torch.save(tree, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"no encoder of MPI's .* Fetch MPI-small-state_dict"):
        read_mpi(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("vis_latents"), "no vis_latents among"),
        (lambda w: w.pop("encoder_norm.g"), "1 missing: encoder_norm.g"),
        (lambda w: w.update({"encoder_pe": torch.zeros(1, 195, 32)}), "has 195 positions"),
        (lambda w: w.update({"temporal_attn.sampling_offsets.weight": torch.zeros(8, 32)}), "of wrong shape"),
        (lambda w: w.update({"temporal_attn.sampling_offsets.weight": torch.zeros(0, 32)}), "0 heads"),
        (lambda w: w.update({"encoder_norm.g": torch.full((32,), torch.nan)}), "encoder_norm.g holds NaN"),
    ],
)
def test_other_files_are_refused(encoder, tmp_path, change, message):
    weights = dict(encoder.state_dict())
    change(weights)
    path = write(tmp_path / "bad.pt", weights)
    with pytest.raises(CheckpointError, match=message):
        read_mpi(path)
