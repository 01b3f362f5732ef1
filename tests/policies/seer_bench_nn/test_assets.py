"""Installing the frozen encoders from what a user has."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seer_bench.errors import AssetError
from seer_bench_nn import assets
from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.frozen import load_clip_text, load_mae
from seer_bench_nn.vit import MaeEncoder


def small_mae() -> MaeEncoder:
    return MaeEncoder(32, 1, 2)


def small_clip() -> ClipTextEncoder:
    return ClipTextEncoder(width=16, layers=1, heads=2, vocabulary=20, context=6)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and encoders small enough to write in no time."""
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(tmp_path / "cache"))
    mae, clip = assets.ENCODERS
    monkeypatch.setattr(assets, "ENCODERS", (replace(mae, build=small_mae), replace(clip, build=small_clip)))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user may have, with other files among it."""
    folder = tmp_path / "checkpoints"
    (folder / "vit_mae").mkdir(parents=True)
    torch.save({"model": small_mae().state_dict()}, folder / "vit_mae" / "mae_pretrain_vit_base.pth")
    torch.save({k: v.half() for k, v in small_clip().state_dict().items()}, folder / "ViT-B-32.pt")
    torch.save({"fc": torch.ones(1)}, folder / "other.pth")
    (folder / "notes.txt").write_text("x")
    return folder


def test_what_is_needed_is_said_before_anything_is_installed(root: Path) -> None:
    with pytest.raises(AssetError) as caught:
        assets.install()
    words = str(caught.value)
    assert "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth" in words
    assert "https://openaipublic.azureedge.net/clip/models/40d36571" in words
    assert "seer-bench assets seer --from" in words
    assert "--ckpt" in words
    assert not root.exists()


def test_a_folder_is_searched_converted_and_recorded(
    root: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert assets.install(folder) == root
    assert "is not the MAE ViT-B/16 that its authors publish" in caplog.text
    source = torch.load(folder / "vit_mae" / "mae_pretrain_vit_base.pth")["model"]
    mae, clip = small_mae(), small_clip()
    load_mae(mae, assets.locate("mae"))
    load_clip_text(clip, assets.locate("clip"))
    assert all(torch.equal(mae.state_dict()[name], tensor) for name, tensor in source.items())
    halves = torch.load(folder / "ViT-B-32.pt")
    assert all(torch.equal(clip.state_dict()[name], tensor.float()) for name, tensor in halves.items())
    record = json.loads((root / "manifest.json").read_text())["files"]["clip"]
    assert record["source"] == "ViT-B-32.pt"
    assert record["source_sha256"] == hashlib.sha256((folder / "ViT-B-32.pt").read_bytes()).hexdigest()
    assert record["sha256"] == hashlib.sha256((root / "clip_text.safetensors").read_bytes()).hexdigest()
    assert record["published"] is False
    assert sorted(path.name for path in root.iterdir()) == [
        "clip_text.safetensors",
        "mae_vit_base.safetensors",
        "manifest.json",
    ]


def test_files_can_come_one_by_one_under_any_name(root: Path, folder: Path) -> None:
    renamed = (folder / "vit_mae" / "mae_pretrain_vit_base.pth").rename(folder / "download (1)")
    with pytest.raises(AssetError, match=r"CLIP ViT-B/32 is not installed") as caught:
        assets.install(renamed)
    assert "MAE" not in str(caught.value)
    assert assets.install(folder / "ViT-B-32.pt") == root
    assert assets.install() == root


def test_clip_alone_can_be_asked_for(root: Path, folder: Path) -> None:
    with pytest.raises(
        AssetError, match=r"CLIP ViT-B/32 is not installed(.|\n)*seer-bench assets clip --from"
    ) as caught:
        assets.install_clip()
    assert "MAE" not in str(caught.value)
    assert assets.install_clip(folder) == root
    assert list(assets.read_manifest(root)) == ["clip"]


def test_the_published_hashes_are_recognised(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mae, clip = folder / "vit_mae" / "mae_pretrain_vit_base.pth", folder / "ViT-B-32.pt"
    monkeypatch.setattr(assets, "MAE_MD5_START", hashlib.md5(mae.read_bytes(), usedforsecurity=False).hexdigest()[:6])
    monkeypatch.setattr(assets, "CLIP_SHA256", hashlib.sha256(clip.read_bytes()).hexdigest())
    installed = assets.install(folder)
    assert all(record.published for record in assets.read_manifest(installed).values())
    assert not caplog.records


def test_an_altered_file_is_found_and_mended(root: Path, folder: Path) -> None:
    assets.install(folder)
    path = root / "mae_vit_base.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"mae_vit_base\.safetensors is altered.*"):
        assets.locate("mae")
    with pytest.raises(AssetError, match="MAE ViT-B/16 is altered"):
        assets.install()
    assets.install(folder)
    assert assets.locate("mae") == path


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"<html>", "web page"), (b"version https://git-lfs", "git lfs pull"), (b"PK\x03\x04 cut", "cut short")],
)
def test_broken_files_are_refused_and_named(folder: Path, content: bytes, words: str) -> None:
    (folder / "ViT-B-32.pt").write_bytes(content)
    with pytest.raises(AssetError, match=words) as caught:
        assets.install(folder)
    assert "ViT-B-32.pt" in str(caught.value)
    assert assets.locate("mae").is_file(), "what was whole is installed nevertheless"


def test_an_encoder_of_another_size_is_refused(folder: Path) -> None:
    torch.save({"model": MaeEncoder(48, 1, 2).state_dict()}, folder / "vit_mae" / "mae_pretrain_vit_base.pth")
    with pytest.raises(AssetError, match=r"is no whole MAE ViT-B/16: 1?\d of wrong shape"):
        assets.install(folder)


def test_what_is_not_there_or_not_understood_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(AssetError, match="no such file or folder"):
        assets.install(tmp_path / "nowhere")
    root.mkdir()
    (root / "manifest.json").write_text("{}")
    with pytest.raises(AssetError, match=r"manifest\.json: cannot be used"):
        assets.install()
