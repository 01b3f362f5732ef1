"""Snapshots in the published layout, with and without what may be in them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from gr1_policy.checkpoint import build_gr1, read_snapshot
from gr1_policy.model import Gr1
from seer_bench.errors import CheckpointError
from tests.fakes.gr1_plugins import TINY, tiny_network, write_snapshot


@pytest.fixture
def encoders(tmp_path: Path) -> dict[str, Path]:
    """Files of frozen encoders whose numbers are not those of the tiny network."""
    torch.manual_seed(5)
    other = Gr1(TINY)
    torch.save({"model": other.model_mae.state_dict()}, tmp_path / "mae.pth")
    torch.save(other.model_clip.state_dict(), tmp_path / "clip.pt")
    return {"mae": tmp_path / "mae.pth", "clip": tmp_path / "clip.pt"}


@pytest.mark.parametrize("buffers", [True, False])
def test_a_snapshot_of_trained_weights_takes_the_encoders_from_their_files(tmp_path, encoders, buffers):
    network = tiny_network()
    snapshot = read_snapshot(write_snapshot(tmp_path / "s.pt", network, buffers=buffers), TINY)
    assert not snapshot.mae
    assert not snapshot.clip
    built = build_gr1(snapshot, TINY, **encoders).state_dict()
    mae, clip = torch.load(encoders["mae"])["model"], torch.load(encoders["clip"])
    for name, tensor in network.state_dict().items():
        part, _, rest = name.partition(".")
        wanted = {"model_mae": mae, "model_clip": clip}.get(part, {}).get(rest, tensor)
        assert torch.equal(built[name], wanted), name


def test_encoders_in_a_snapshot_come_first(tmp_path, encoders):
    network = tiny_network()
    snapshot = read_snapshot(write_snapshot(tmp_path / "s.pt", network, frozen=True), TINY)
    for files in (encoders, {"mae": None, "clip": None}):
        built = build_gr1(snapshot, TINY, **files).state_dict()
        assert all(torch.equal(built[name], tensor) for name, tensor in network.state_dict().items())


def test_missing_encoders_are_named(tmp_path, encoders):
    snapshot = read_snapshot(write_snapshot(tmp_path / "s.pt", tiny_network()), TINY)
    with pytest.raises(CheckpointError, match="does not hold the MAE encoder"):
        build_gr1(snapshot, TINY, mae=None, clip=encoders["clip"])
    with pytest.raises(CheckpointError, match="does not hold CLIP's text tower"):
        build_gr1(snapshot, TINY, mae=encoders["mae"], clip=None)


def altered(path: Path, change) -> Path:
    """Rewrite a snapshot's state dict."""
    tree = torch.load(path)
    change(tree["state_dict"])
    torch.save(tree, path)
    return path


def test_without_image_prediction_actions_are_the_same(tmp_path):
    network = tiny_network()
    path = write_snapshot(tmp_path / "s.pt", network, frozen=True)
    prefixes = ("obs_queries.", "obs_hand_queries.", "mask_token", "decoder_")
    altered(path, lambda weights: [weights.pop(name) for name in list(weights) if name.startswith(prefixes)])
    snapshot = read_snapshot(path, TINY)
    assert not snapshot.foresight
    built = build_gr1(snapshot, TINY, mae=None, clip=None)
    given = (torch.ones(1, 3, 3, 224, 224), torch.zeros(1, 3, 3, 224, 224), torch.ones(1, 3, 7), torch.ones(1, 512))
    with torch.no_grad():
        assert torch.equal(built(*given, foresight=False).arm, network(*given, foresight=False).arm)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("embed_ln.weight"), r"1 missing: embed_ln\.weight"),
        (lambda w: w.update({"embed_lang.weight": torch.zeros(3, 3)}), r"embed_lang\.weight is 3x3, needed is 32x512"),
        (lambda w: w["embed_ln.weight"].fill_(float("nan")), r"embed_ln\.weight holds NaN"),
        (lambda w: w.pop("model_mae.cls_token"), "1 missing: cls_token"),
        (lambda w: w.pop("decoder_norm.weight"), r"1 missing: decoder_norm\.weight"),
        (lambda w: w["transformer.h.1.attn.bias"].fill_(1), r"h\.1\.attn\.bias is no causal triangle"),
        (lambda w: w.update({"transformer.h.1.attn.bias": torch.ones(2, 3, 4)}), r"attn\.bias is no causal triangle"),
        (lambda w: w.update({"pred_arm_act.weight": w["pred_arm_act.weight"].T}), r"is 16x6, needed is 6x16"),
        (lambda w: w.update({"embed_ln.weight": torch.ones(32, dtype=torch.int64)}), "holds int64 instead of"),
        (lambda w: w.update({"embed_ln.weight": {"inner": 1}}), "holds a dict of 'inner' under 'embed_ln.weight'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, words):
    path = altered(write_snapshot(tmp_path / "s.pt", tiny_network(), frozen=True), change)
    with pytest.raises(CheckpointError, match=words):
        build_gr1(read_snapshot(path, TINY), TINY, mae=None, clip=None)


def test_what_the_published_network_does_not_have_is_left_out_but_named(tmp_path):
    network = tiny_network()
    path = write_snapshot(tmp_path / "s.pt", network, frozen=True)
    altered(path, lambda weights: weights.update(strange=torch.zeros(1)))
    snapshot = read_snapshot(path, TINY)
    assert snapshot.unread == ("strange",)
    built = build_gr1(snapshot, TINY, mae=None, clip=None).state_dict()
    assert all(torch.equal(built[name], tensor) for name, tensor in network.state_dict().items())


def test_the_prefix_of_data_parallel_training_is_taken_off(tmp_path):
    network = tiny_network()
    path = write_snapshot(tmp_path / "s.pt", network, frozen=True)
    tree = torch.load(path)
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in tree["state_dict"].items()}}, path)
    built = build_gr1(read_snapshot(path, TINY), TINY, mae=None, clip=None).state_dict()
    assert all(torch.equal(built[name], tensor) for name, tensor in network.state_dict().items())


def test_a_network_of_another_size_is_refused(tmp_path):
    snapshot = read_snapshot(write_snapshot(tmp_path / "s.pt", tiny_network(), frozen=True), TINY)
    with pytest.raises(CheckpointError, match=r"of wrong shape: embed_timestep\.weight is 3x32, needed is 4x32"):
        build_gr1(snapshot, dataclasses.replace(TINY, history=4), mae=None, clip=None)


class Code:
    """Would run code, were it unpickled."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"state_dict": {"fc.weight": torch.ones(1)}}, r"is no snapshot of GR-1; it holds fc\.weight, \.\.\."),
        ({"model_state_dict": {"module.action_pred_token": torch.ones(1)}}, "it holds model_state_dict"),
        ({"state_dict": [1, 2]}, "is no snapshot of GR-1; it holds a dict"),
        ([torch.ones(1)], "is no snapshot of GR-1; it holds a list"),
        ({"state_dict": Code()}, "holds more than weights: opening it would run or build"),
        (b"PK\x03\x04 and no more", "is cut short at 16 bytes"),
        (b"", "is empty"),
        (b"<!DOCTYPE html>", "is a web page"),
    ],
)
def test_other_files_are_refused(tmp_path, capsys, content, words):
    path = tmp_path / "other.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=words):
        read_snapshot(path, TINY)
    assert not capsys.readouterr().out
