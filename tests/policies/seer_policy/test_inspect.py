"""What is shown of a checkpoint, against the published counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seer_bench.errors import CheckpointError
from seer_bench.store import checkpoint_sha256
from seer_policy.inspect import inspect
from tests.fakes.seer_files import hollow, published_shapes, write_official


@pytest.mark.parametrize(
    ("name", "trained", "total", "in_mebi"),
    [
        ("calvin", 67_689_614, 331_090_387, "315.75"),
        ("libero", 67_688_462, 331_019_416, "315.68"),
        ("large", 357_767_950, 621_674_291, "592.87"),
    ],
)
def test_parameters_are_counted_our_way_and_the_papers(
    shared: Path, tmp_path: Path, name: str, trained: int, total: int, in_mebi: str
) -> None:
    path = write_official(tmp_path / "33.pth", hollow(published_shapes(shared, name)))
    found = inspect(path)
    assert found is not None
    assert found.faults == ()
    assert found.facts["parameters trained"] == trained
    assert found.facts["parameters in all"] == total
    assert str(found.facts["parameters in all, in 2^20"]).startswith(in_mebi)
    needed = found.facts["parameters for inference"]
    assert isinstance(needed, int)
    assert round(needed / 1e6, 1) == (504.1 if name == "large" else 216.5)
    assert found.facts["tensors"] == 400
    assert found.facts["epoch"] == 33
    assert found.facts["sha256"] == checkpoint_sha256(path)


def test_the_recorded_official_file_is_whole_and_of_no_published_size(shared: Path) -> None:
    found = inspect(shared / "golden" / "seer" / "tiny_ft_official_format.pth")
    assert found is not None
    assert found.faults == ()
    assert found.facts["epoch"] == 7
    assert found.facts["variant"] == "none of the published ones has these sizes"
    assert found.facts["tokens"] == "21 a step, 84 in all"


def test_faults_are_shown_beside_what_is_known(shared: Path, tmp_path: Path) -> None:
    weights = hollow(published_shapes(shared, "calvin"))
    del weights["mask_token"]
    weights["action_decoder.0.bias"] = torch.full((192,), float("nan"))
    found = inspect(write_official(tmp_path / "33.pth", weights))
    assert found is not None
    assert str(found.facts["variant"]).startswith("calvin (")
    assert found.faults == ("1 missing: mask_token", "action_decoder.0.bias holds NaN or infinite numbers")


def test_other_policies_files_are_left_to_others_and_broken_ones_refused(shared: Path, tmp_path: Path) -> None:
    assert inspect(shared / "golden" / "seer" / "tiny_ft_mae_format.pth") is None
    (tmp_path / "33.pth").write_bytes(b"<!doctype html>")
    with pytest.raises(CheckpointError, match="web page"):
        inspect(tmp_path / "33.pth")
