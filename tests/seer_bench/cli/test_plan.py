"""`seer-bench plan` as it is called."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UsageError
from seer_bench.stats import units_for_rates


def call(*arguments: str):
    """Run the command; errors of ours are raised."""
    return CliRunner().invoke(app, ["plan", *arguments], env={"COLUMNS": "80"}, catch_exceptions=False)


def test_three_points_need_more_chains_than_there_are():
    outcome = call("--delta", "3")
    needed = units_for_rates(rate_a=0.9, rate_b=0.87)
    assert needed > 1000
    assert f"{needed:,}" in outcome.output
    assert "to see a difference of 3 points on calvin-abc-d/v1" in outcome.output
    assert max(map(len, outcome.output.splitlines())) <= 80


def test_a_protocol_names_its_benchmark():
    tree = json.loads(call("--delta", "10", "--protocol", "libero-long/seer-v1", "--format", "json").output)
    assert (tree["planned"], tree["rates"]) == (200, pytest.approx([0.9, 0.8]))
    assert tree["designs"][0]["needed"] == units_for_rates(rate_a=0.9, rate_b=0.8)


def test_a_small_number_may_mean_points_or_subtasks():
    with pytest.raises(UsageError, match="Add --metric length"):
        call("--delta", "0.1")
    assert "difference of 0.1 subtasks" in call("--delta", "0.1", "--metric", "length").output
    assert call("--delta", "0.5", "--benchmark", "libero").exit_code == 0
