"""Names of models on the Hub; nothing is fetched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from lerobot_policy import make_policy
from lerobot_policy.hub import find_checkpoint, origin
from seer_bench import CheckpointError, MissingExtraError, PolicyContext


@pytest.mark.parametrize("text", ["runs/act/last", "act", "/data/act", "owner/name@"])
def test_what_is_no_name_of_a_model_is_a_missing_folder(text: str) -> None:
    with pytest.raises(CheckpointError, match="there is no such folder, and it is no model"):
        find_checkpoint(text)


def test_the_commit_is_told_from_where_a_checkpoint_lies() -> None:
    cached = Path("/cache/hub/models--lerobot--act_libero-v2/snapshots/0123abc")
    assert origin(cached) == "lerobot/act_libero-v2@0123abc"
    assert origin(Path("/data/runs/act/pretrained_model")) is None


def test_without_lerobot_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lerobot", None)
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()["calvin-embedded/v1"]
    with pytest.raises(MissingExtraError, match=r"pip install 'seer-bench\[lerobot\]'"):
        make_policy(PolicyContext(benchmark.interface(protocol), protocol))
