"""Checkpoints in the published layout: read, measured, checked, and loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from seer_bench.errors import CheckpointError
from seer_bench_nn.frozen import load_mae
from seer_bench_nn.loading import fill, uninitialised
from seer_policy.checkpoint import Sizes, build_seer, fitting, read_checkpoint
from seer_policy.config import SeerConfig, TextConfig, VisionConfig
from seer_policy.model import FROZEN, Seer
from seer_policy.variants import variant, variants
from tests.fakes.seer_files import hollow, published_shapes, write_official

TINY = SeerConfig(
    2,
    hidden_dim=32,
    layers=2,
    heads=4,
    resampler_queries=2,
    foresight_tokens=4,
    action_tokens=2,
    vision=VisionConfig(32, 1, 4),
    text=TextConfig(layers=1, vocabulary=9),
)


def trained(config: SeerConfig) -> dict[str, Tensor]:
    """Weights of a new network, without the frozen encoders."""
    state = Seer(config).state_dict()
    return {name: tensor for name, tensor in state.items() if not name.startswith(FROZEN)}


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("calvin", {"calvin": ("finetune", "scratch", "evaluate")}),
        ("large", {"calvin-large": ("finetune", "scratch", "evaluate")}),
        ("libero", {"libero": ("finetune", "scratch", "evaluate"), "real": ("finetune", "scratch", "evaluate")}),
    ],
)
def test_the_published_sizes_are_read_off_the_shapes(shared: Path, tmp_path: Path, name: str, fits: dict) -> None:
    path = write_official(tmp_path / "33.pth", hollow(published_shapes(shared, name)))
    checkpoint = read_checkpoint(path)
    declared = json.loads((shared / "specs" / f"seer_state_dict_{name}.json").read_text())["config"]
    assert checkpoint.sizes == Sizes(
        history=declared["sequence_length"],
        hidden_dim=declared["hidden_dim"],
        layers=declared["transformer_layers"],
        resampler_queries=declared["num_resampler_query"],
        foresight_tokens=declared["num_obs_token_per_image"],
        action_tokens=declared["action_pred_steps"],
        vision_width=768,
    )
    assert len(checkpoint.weights) == 400
    assert (checkpoint.epoch, checkpoint.peak_learning_rate) == (33, 1e-3)
    assert fitting(checkpoint.sizes) == fits
    config = variant(next(iter(fits))).phase("evaluate").config
    assert config.heads == declared["transformer_heads"]
    assert config.finger_widths == declared["gripper_width"]


@pytest.mark.parametrize("name", list(variants()))
def test_sizes_change_nothing_in_a_configuration_that_has_them(name: str) -> None:
    config = variant(name).phase("evaluate").config
    assert Sizes.of(config).applied_to(config) == config
    assert Sizes.of(config).against(Sizes.of(config)) == []


@pytest.mark.parametrize("form", ["official", "plain", "safetensors"])
def test_every_layout_gives_the_same_network(tmp_path: Path, form: str) -> None:
    weights, path = trained(TINY), tmp_path / "33.pth"
    if form == "official":
        write_official(path, weights)
    elif form == "plain":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    torch.save({"model": Seer(TINY).vision_encoder.state_dict()}, tmp_path / "mae.pth")
    torch.save(Seer(TINY).clip_model.state_dict(), tmp_path / "clip.pt")
    checkpoint = read_checkpoint(path)
    assert checkpoint.epoch == (33 if form == "official" else None)
    model = build_seer(checkpoint, TINY, mae=tmp_path / "mae.pth", clip=tmp_path / "clip.pt")
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in weights.items())
    assert torch.equal(state["vision_encoder.cls_token"], torch.load(tmp_path / "mae.pth")["model"]["cls_token"])
    assert torch.equal(state["clip_model.text_projection"], torch.load(tmp_path / "clip.pt")["text_projection"])
    assert not model.training
    assert all(tensor.dtype == torch.float32 for tensor in state.values())


def test_a_loaded_network_computes_as_the_one_that_was_saved(tmp_path: Path) -> None:
    model = Seer(TINY).eval()
    files = {"ckpt": trained(TINY), "mae": {"model": model.vision_encoder.state_dict()}}
    files["ckpt"] = {k: v for k, v in model.state_dict().items() if not k.startswith(FROZEN)}
    write_official(tmp_path / "ckpt", files["ckpt"])
    torch.save(files["mae"], tmp_path / "mae")
    torch.save(model.clip_model.state_dict(), tmp_path / "clip")
    again = build_seer(read_checkpoint(tmp_path / "ckpt"), TINY, mae=tmp_path / "mae", clip=tmp_path / "clip")
    views = torch.rand(2, 1, 2, 3, 224, 224)
    given = (views[0], views[1], torch.rand(1, 2, 7), torch.rand(1, 512))
    with torch.no_grad():
        one, other = model(*given), again(*given)
    assert torch.equal(one.arm, other.arm)
    assert torch.equal(one.gripper, other.gripper)
    assert one.images is not None
    assert other.images is not None
    assert torch.equal(one.images, other.images)


def test_the_recorded_official_files_load_into_the_recorded_network(golden) -> None:
    record = golden.record("tiny_ft")
    checkpoint = read_checkpoint(golden.folder / "tiny_ft_official_format.pth")
    assert checkpoint.epoch == 7
    assert checkpoint.sizes == Sizes.of(record.config)
    with uninitialised():
        model = Seer(record.config).eval()
    fill(model, checkpoint.weights, checkpoint.path, leave=FROZEN)
    load_mae(model.vision_encoder, golden.folder / "tiny_ft_mae_format.pth")
    output = record.run(model, record.batch())
    assert abs(output.arm.numpy() - record.arrays["arm"]).max() < 2e-5
    assert abs(output.gripper.numpy() - record.arrays["gripper"]).max() < 2e-5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action_decoder.2.bias": None}, "1 missing: action_decoder.2.bias"),
        ({"transformer_backbone.h.1.ln_2.bias": None}, r"1 missing: transformer_backbone\.h\.1\.ln_2\.bias"),
        ({"action_decoder.4.bias": (3,)}, "1 unexpected: action_decoder.4.bias"),
        ({"state_projector.weight": (32, 32)}, "state_projector.weight is 32x32, needed is 32x64"),
        ({"mask_token": None, "extra": (1,)}, "1 missing: mask_token; 1 unexpected: extra"),
    ],
)
def test_what_does_not_fit_is_told_precisely(tmp_path: Path, change: dict, words: str) -> None:
    weights = trained(TINY)
    for name, shape in change.items():
        weights.pop(name, None)
        if shape is not None:
            weights[name] = torch.ones(shape)
    checkpoint = read_checkpoint(write_official(tmp_path / "33.pth", weights))
    with pytest.raises(CheckpointError, match=words):
        build_seer(checkpoint, TINY, mae=tmp_path / "none", clip=tmp_path / "none")


def test_a_network_trained_without_foresight_saves_an_image_decoder_that_is_left_out(tmp_path: Path) -> None:
    weights = trained(TINY)
    del weights["obs_tokens"]
    checkpoint = read_checkpoint(write_official(tmp_path / "33.pth", weights))
    assert checkpoint.sizes.foresight_tokens == 0
    blind = SeerConfig(**{**vars(TINY), "foresight_tokens": 0})
    with uninitialised():
        fill(Seer(blind), checkpoint.weights, checkpoint.path, leave=FROZEN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text_projector.weight": None}, "text_projector.weight is missing"),
        ({"action_pred_token": (1, 2, 32)}, r"action_pred_token has the shape \(1, 2, 32\)"),
        ({"transformer_backbone_position_embedding": (2, 2, 1, 32)}, "has the shape"),
        ({"obs_tokens": (1, 1, 7, 32)}, "obs_tokens holds 7 tokens"),
        ({"text_projector.weight": (33, 512)}, "hidden_dim is 33"),
    ],
)
def test_sizes_that_no_network_has_are_refused(tmp_path: Path, change: dict, words: str) -> None:
    weights = trained(TINY)
    for name, shape in change.items():
        del weights[name]
        if shape is not None:
            weights[name] = torch.ones(shape)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(write_official(tmp_path / "33.pth", weights))


def test_other_peoples_checkpoints_are_refused(golden, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint of Seer"):
        read_checkpoint(write_official(tmp_path / "33.pth", {"fc.weight": torch.ones(2, 2)}))
    with pytest.raises(CheckpointError, match="is no checkpoint of Seer; it holds model"):
        read_checkpoint(golden.folder / "tiny_ft_mae_format.pth")


def test_a_tensor_under_both_names_is_refused(tmp_path: Path) -> None:
    weights = trained(TINY)
    torch.save(weights | {"module.mask_token": weights["mask_token"]}, tmp_path / "33.pth")
    with pytest.raises(CheckpointError, match=r"both mask_token and module\.mask_token"):
        read_checkpoint(tmp_path / "33.pth")


_MEASURE = """
import sys, time
from pathlib import Path
from seer_policy.checkpoint import build_seer, read_checkpoint
from seer_policy.variants import variant
def anonymous():
    return int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1]) * 1024
folder, before = Path(sys.argv[1]), anonymous()
for name in ("33.pth", "mae.pth", "clip.pt"):
    (folder / name).read_bytes()
start = time.process_time()  # what other programs take does not count
checkpoint = read_checkpoint(folder / "33.pth")
config = variant("calvin").phase("evaluate").config
model = build_seer(checkpoint, config, mae=folder / "mae.pth", clip=folder / "clip.pt")
print(time.process_time() - start, anonymous() - before)
"""


@pytest.mark.slow
def test_full_size_files_load_in_seconds_and_leave_the_optimiser_alone(shared: Path, tmp_path: Path) -> None:
    shapes, frozen = published_shapes(shared, "calvin"), published_shapes(shared, "calvin", "frozen_not_saved")
    parts = {"mae.pth": "vision_encoder.", "clip.pt": "clip_model."}
    for file, prefix in parts.items():
        tensors = {name.removeprefix(prefix): torch.rand(size) for name, size in frozen.items() if prefix in name}
        torch.save({"model": tensors} if file == "mae.pth" else tensors, tmp_path / file)
    weights = {name: torch.rand(size) for name, size in shapes.items()}
    write_official(tmp_path / "33.pth", weights, moments={name: torch.rand(2, *size) for name, size in shapes.items()})
    assert (tmp_path / "33.pth").stat().st_size > 800e6
    done = subprocess.run([sys.executable, "-c", _MEASURE, str(tmp_path)], check=True, capture_output=True, text=True)
    seconds, memory = map(float, done.stdout.split())
    assert seconds < 5
    assert memory < 4 * 216.9e6 + 60e6, "the network alone, without anything of the files"
