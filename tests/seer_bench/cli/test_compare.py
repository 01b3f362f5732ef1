"""`seer-bench compare` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.contracts import SubtaskResult, UnitResult
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import Manifest, PolicyId, RunWriter, actions_sha256

ACTIONS = np.zeros((1, 7))


def write(path: Path, solved: list[int], *, policy: str = "seer", count: int = 1000) -> str:
    """A run of chains of two subtasks."""
    settings = {"chain": {"length": 2, "count": count}}
    protocol = EvaluationProtocol("calvin-abc-d/v1", "calvin", "Chains.", "table2", "yes", settings)
    manifest = Manifest.create(
        protocol=protocol, simulation={}, backend="own", policy=PolicyId(policy, "seer-bench", "0.1.0")
    )
    with RunWriter.open(path, manifest) as writer:
        writer.start_session({})
        for i, k in enumerate(solved):
            actions = ACTIONS + i + k
            subtasks = tuple(SubtaskResult(f"t{j}", "do it", j < k, 9) for j in range(min(k + 1, 2)))
            outcome = "success" if k == 2 else "failure"
            sha = actions_sha256(actions)
            writer.append(UnitResult(f"calvin-abc-d/v1:chain={i:04d}", 1, outcome, subtasks, 0, 0, sha), actions)
    return str(path)


def call(*arguments: str):
    """Run the command; errors of ours are raised."""
    return CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "80"}, catch_exceptions=False)


def test_a_page_says_who_did_better_by_which_test(tmp_path: Path):
    a, b = write(tmp_path / "a", [2] * 8), write(tmp_path / "b", [0] * 8, policy="random")
    outcome = call(a, b)
    assert outcome.exit_code == 0
    text = " ".join(outcome.output.split())
    assert "A did better than B: Avg. Len. 2.00 against 0.00, 2.00 more (paired sign-flip test, p = 0.008)." in text
    assert "t0 100.0 8 0.0 8 8 8 0 +100.0 0.008" in text
    assert max(map(len, outcome.output.splitlines())) <= 80


def test_json_is_for_scripts(tmp_path: Path):
    a, b = write(tmp_path / "a", [2, 1, 0]), write(tmp_path / "b", [1, 1, 0], policy="random")
    tree = json.loads(call(a, b, "--format", "json").output)
    assert tree["comparisons"][0]["verdict"] == "no difference shown"
    assert tree["comparisons"][0]["measures"][0]["p"] == 1


def test_different_protocols_and_single_arms_are_refused(tmp_path: Path):
    a, b = write(tmp_path / "a", [2]), write(tmp_path / "b", [2], count=10)
    with pytest.raises(UsageError, match=r"chain\.count: 1000 here, 10 there"):
        call(a, b)
    with pytest.raises(UsageError, match="name 2 to 26"):
        call(a)
