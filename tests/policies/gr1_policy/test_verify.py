"""Recordings of the published network, and that faults do not pass."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gr1_policy import fast, model, verify
from gr1_policy.model import Gr1
from gr1_policy.verify import Gr1Verifier
from seer_bench.errors import UsageError
from seer_bench.registry import load_verifier
from tests.fakes.gr1_plugins import TINY

CONFIG = {"seq_len": 3, "activation_function": "relu", "use_hand_rgb": True}


def write_index(folder: Path) -> None:
    record = {"kind": "gr1_model", "files": ["r.json", "r.npz"]}
    index = {"schema": "seer-bench/golden-index/1", "subject": "seer", "records": {"r": record}}
    (folder / "index.json").write_text(json.dumps(index))


def test_our_network_equals_the_recorded_one(shared: Path, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    for suffix in (".json", ".npz"):
        shutil.copyfile(shared / "golden" / "seer" / f"gr1_full{suffix}", tmp_path / f"r{suffix}")
    write_index(tmp_path)
    (verdict,) = load_verifier("gr1").verify(tmp_path)
    assert verdict.status == "agrees"
    assert verdict.largest is not None
    assert verdict.largest < 2e-5
    assert "not compared" not in verdict.detail


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording that our own tiny network made, before any fault is put in."""
    monkeypatch.setattr(verify, "_read_config", lambda fields: TINY)
    monkeypatch.setattr(Gr1, "encode_text", lambda self, tokens: torch.ones(1, 512) / 512**0.5)
    network = verify._build(TINY, 7)
    arrays = {"tokens": np.zeros((1, 77), np.int64)}
    for count in (2, 3):
        given = verify._Given.draw(8, 3, count)
        with torch.no_grad():
            out = network(given.static, given.hand, given.state, torch.ones(1, 512) / 512**0.5, given.valid)
        arrays |= {f"arm_{count}": out.arm.numpy(), f"gripper_logit_{count}": out.gripper.numpy()}
        for camera, name in enumerate(("obs", "hand")):
            arrays[f"{name}_strided_{count}"] = out.images[:, :count, camera, ::14, ::8].numpy()
    np.savez(tmp_path / "r.npz", **arrays)
    (tmp_path / "r.json").write_text(json.dumps({"config": CONFIG, "weight_seed": 7, "input_seed": 8}))
    write_index(tmp_path)
    return tmp_path


def test_the_small_recording_agrees_with_itself(small: Path) -> None:
    (verdict,) = Gr1Verifier().verify(small)
    assert verdict.status in ("agrees", "identical")


def gelu(patch: pytest.MonkeyPatch) -> None:
    built = verify._build

    def build(config, seed):
        network = built(config, seed)
        for block in network.transformer.blocks:
            block.mlp.activation = "gelu"
        return network

    patch.setattr(verify, "_build", build)


def queries_seen(patch: pytest.MonkeyPatch) -> None:
    given = model.attention_mask

    def mask(observed, queries, valid):
        return given(observed + queries, 0, valid)

    patch.setattr(model, "attention_mask", mask)


def invalid_steps_seen(patch: pytest.MonkeyPatch) -> None:
    given = model.attention_mask
    patch.setattr(model, "attention_mask", lambda o, q, valid: given(o, q, torch.ones_like(valid)))


def fast_steps_at_the_first_position(patch: pytest.MonkeyPatch) -> None:
    given = fast.NewestAction.grow
    patch.setattr(fast.NewestAction, "grow", lambda self, tokens, steps, cache: given(self, tokens, steps * 0, cache))


@pytest.mark.parametrize("fault", [gelu, queries_seen, invalid_steps_seen, fast_steps_at_the_first_position])
def test_faults_are_found(
    small: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    fault(monkeypatch)
    (verdict,) = Gr1Verifier().verify(small)
    assert verdict.status == "different"
    assert "more than 0.0001" in verdict.detail


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"activation_function": "gelu"}, "'activation_function' is 'gelu'; only 'relu' can be replayed"),
        ({"use_hand_rgb": False}, "'use_hand_rgb' is False; only True"),
        ({"strange": 1}, "unknown key 'strange'"),
        ({}, "has no key 'embed_dim'"),
    ],
)
def test_what_cannot_be_replayed_is_said(tmp_path: Path, config: dict[str, object], words: str) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"config": CONFIG | config, "weight_seed": 7, "input_seed": 8}))
    np.savez(tmp_path / "r.npz", arm_3=np.zeros((1, 3, 6), np.float32))
    write_index(tmp_path)
    (verdict,) = Gr1Verifier().verify(tmp_path)
    assert verdict.status == "different"
    assert words in verdict.detail


def test_a_folder_is_needed() -> None:
    with pytest.raises(UsageError, match="seer-bench verify gr1 --golden DIR"):
        list(Gr1Verifier().verify())
    with pytest.raises(UsageError, match="backend to compare GR-1 with"):
        list(Gr1Verifier().verify(against="upstream"))
