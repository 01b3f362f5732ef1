"""The files of the frozen encoders, in every form in which they are published or kept."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from seer_bench.errors import CheckpointError
from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.frozen import clip_text_weights, load_clip_text, load_mae, mae_weights
from seer_bench_nn.vit import MaeEncoder
from tests.fakes.seer_files import hollow, published_shapes


def text_tower() -> ClipTextEncoder:
    return ClipTextEncoder(width=16, layers=2, heads=2, vocabulary=20, context=6)


def whole_clip(stem: tuple[int, ...] = (768, 3, 32, 32)) -> dict[str, Tensor]:
    """A text tower with what surrounds it in CLIP's file."""
    other = {"visual.conv1.weight": torch.zeros(()).expand(stem), "logit_scale": torch.tensor(4.6)}
    return {**other, **text_tower().state_dict()}


class Scripted(nn.Module):
    """Holds tensors under any dotted names, for TorchScript."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            *path, leaf = name.split(".")
            module: nn.Module = self
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            module.register_buffer(leaf, tensor.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x


def write_archive(path: Path, tensors: dict[str, Tensor]) -> str:
    """A TorchScript archive as OpenAI's; its sha256."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Scripted(tensors)), str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_published_mae_layout_loads_with_all_its_names(shared: Path, tmp_path: Path) -> None:
    frozen = published_shapes(shared, "calvin", "frozen_not_saved")
    names = {n.removeprefix("vision_encoder."): s for n, s in frozen.items() if n.startswith("vision_encoder.")}
    torch.save({"model": hollow(names)}, tmp_path / "mae.pth")
    weights = mae_weights(tmp_path / "mae.pth")
    assert not [name for name in weights if "decoder" in name or name == "mask_token"]
    encoder = MaeEncoder()
    load_mae(encoder, tmp_path / "mae.pth")
    assert all(bool((tensor == 0.01).all()) for tensor in encoder.state_dict().values())


@pytest.mark.parametrize("form", ["published", "plain", "safetensors"])
def test_every_form_of_mae_gives_the_same_encoder(tmp_path: Path, form: str) -> None:
    given, encoder, path = MaeEncoder(32, 1, 2), MaeEncoder(32, 1, 2), tmp_path / "mae"
    if form == "safetensors":
        save_file(given.state_dict(), path)
    else:
        torch.save({"model": given.state_dict()} if form == "published" else given.state_dict(), path)
    load_mae(encoder, path)
    assert all(torch.equal(encoder.state_dict()[name], tensor) for name, tensor in given.state_dict().items())


def test_mae_of_another_size_or_finetuned_is_refused(tmp_path: Path) -> None:
    torch.save({"model": MaeEncoder(48, 1, 2).state_dict()}, tmp_path / "large.pth")
    with pytest.raises(CheckpointError, match=r"does not fit.*cls_token is 1x1x48, needed is 1x1x32"):
        load_mae(MaeEncoder(32, 1, 2), tmp_path / "large.pth")
    finetuned = MaeEncoder(32, 1, 2).state_dict()
    finetuned["fc_norm.weight"] = finetuned.pop("norm.weight")
    torch.save({"model": finetuned}, tmp_path / "finetuned.pth")
    with pytest.raises(CheckpointError, match=r"1 missing: norm\.weight; 1 unexpected: fc_norm\.weight"):
        load_mae(MaeEncoder(32, 1, 2), tmp_path / "finetuned.pth")


def test_what_is_no_mae_is_refused_with_the_address_of_one(tmp_path: Path) -> None:
    torch.save(whole_clip(), tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"holds no MAE encoder.*dl\.fbaipublicfiles"):
        mae_weights(tmp_path / "clip.pt")


@pytest.mark.parametrize("form", ["plain", "nested", "safetensors", "torchscript"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_every_form_of_clip_gives_the_same_text_tower(tmp_path: Path, form: str, dtype: torch.dtype) -> None:
    given = {name: tensor.to(dtype).contiguous() for name, tensor in whole_clip().items()}
    path, pinned = tmp_path / "clip", ""
    if form == "safetensors":
        save_file(given, path)
    elif form == "torchscript":
        pinned = write_archive(path, given)
    else:
        torch.save({"state_dict": given} if form == "nested" else given, path)
    weights = clip_text_weights(path, pinned=pinned)
    assert weights.keys() == text_tower().state_dict().keys()
    assert all(torch.equal(tensor, given[name]) for name, tensor in weights.items())
    if form != "torchscript":  # which the encoder takes from OpenAI alone
        encoder = text_tower()
        load_clip_text(encoder, path)
        assert all(torch.equal(tensor, given[name].float()) for name, tensor in encoder.state_dict().items())


def test_an_archive_of_another_sha256_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = write_archive(tmp_path / "ViT-B-32.pt", whole_clip())
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("the archive was opened"))
    with pytest.raises(CheckpointError, match=r"can run code.*not opened.*openaipublic") as caught:
        clip_text_weights(tmp_path / "ViT-B-32.pt")
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (whole_clip((768, 3, 16, 16)), "another CLIP than ViT-B/32"),
        ({**text_tower().state_dict(), "visual.layer1.0.conv1.weight": torch.ones(1)}, "another CLIP than ViT-B/32"),
        ({"visual.proj": torch.ones(1)}, "holds no text tower"),
        ({"text_model.embeddings.token_embedding.weight": torch.ones(1)}, "transformers"),
    ],
)
def test_another_clip_is_refused(tmp_path: Path, tensors: dict[str, Tensor], words: str) -> None:
    torch.save(tensors, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=words):
        clip_text_weights(tmp_path / "clip.pt")


def test_the_full_names_of_clip_lead_to_the_text_tower(shared: Path, tmp_path: Path) -> None:
    frozen = published_shapes(shared, "calvin", "frozen_not_saved")
    names = {n.removeprefix("clip_model."): s for n, s in frozen.items() if n.startswith("clip_model.")}
    torch.save(hollow(names), tmp_path / "clip.pt")
    weights = clip_text_weights(tmp_path / "clip.pt")
    assert sum(tensor.numel() for tensor in weights.values()) == 63_428_096
    assert json.dumps(sorted(weights)) == json.dumps(sorted(ClipTextEncoder().state_dict()))
