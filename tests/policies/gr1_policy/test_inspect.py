"""What is shown of a snapshot, at its full size: the tensors share one number each and take no room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gr1_policy.inspect import inspect
from seer_bench.registry import load_inspector
from tests.fakes.seer_files import hollow


@pytest.fixture
def weights(shared: Path) -> dict[str, Tensor]:
    """A published state dict, as far as it is trained."""
    keys = json.loads((shared / "specs" / "gr1_state_dict.json").read_text())["keys"]
    tensors = hollow({name: shape for name, shape in keys.items() if not name.endswith((".attn.bias", ".masked_bias"))})
    triangle = torch.ones(1024, 1024, dtype=torch.uint8).tril()[None, None]
    return tensors | {f"transformer.h.{i}.attn.bias": triangle for i in range(12)}


def test_a_published_snapshot_is_described(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    torch.save({"state_dict": weights}, tmp_path / "snapshot_ABC.pt")
    found = load_inspector("gr1")(tmp_path / "snapshot_ABC.pt")
    assert found is not None
    assert found.kind == "GR-1 snapshot"
    assert found.faults == ()
    assert found.facts["parameters trained"] == 45_987_655
    assert found.facts["image prediction"] == "in the file"
    assert str(found.facts["MAE encoder"]).startswith("not in the file")
    assert int(str(found.facts["parameters for inference"])) < 45_987_655 + 85_798_656 + 63_428_096


def test_faults_are_all_told(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    del weights["embed_ln.bias"]
    weights["pred_arm_act.bias"] = torch.full((6,), float("inf"))
    weights["model_mae.cls_token"] = torch.zeros(1, 1, 768)
    torch.save({"state_dict": weights}, tmp_path / "s.pt")
    found = inspect(tmp_path / "s.pt")
    assert found is not None
    words = " ".join(found.faults)
    for fault in ("1 missing: embed_ln.bias", "pred_arm_act.bias holds NaN or infinite", "MAE: 149 missing"):
        assert fault in words


def test_other_files_are_somebody_elses(tmp_path: Path) -> None:
    torch.save({"model_state_dict": {"module.action_pred_token": torch.zeros(1)}}, tmp_path / "seer.pth")
    assert inspect(tmp_path / "seer.pth") is None
