"""Whole units on the real simulation, through the engine."""

from __future__ import annotations

import pytest

pytest.importorskip("robosuite", reason="LIBERO's packages are not installed")

from expert_policy import make_policy
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import PolicyContext
from seer_bench.engine.rollout import play

TRIALS = 20
"""Of each task under the protocol."""


@pytest.mark.parametrize(
    ("task", "trial"),
    [
        pytest.param(1, 2, id="basket"),
        pytest.param(2, 1, id="stove"),
        pytest.param(4, 0, id="mugs"),
        pytest.param(9, 11, id="microwave"),
        pytest.param(3, 2, id="drawer", marks=pytest.mark.slow),
        pytest.param(5, 11, id="caddy", marks=pytest.mark.slow),
        pytest.param(8, 5, id="pots", marks=pytest.mark.slow),
    ],
)
def test_the_expert_solves_units(task, trial):
    benchmark = LiberoBenchmark()
    protocol = benchmark.protocols()["libero-long/seer-v1"]
    policy = make_policy(PolicyContext(benchmark.interface(protocol), protocol))
    env = benchmark.make_env(protocol, cameras="off", backend="pinned")
    try:
        result = play(env, policy, benchmark.units(protocol)[task * TRIALS + trial], run_seed=0).result
    finally:
        env.close()
    assert result.outcome == "success"
    assert result.actions_out_of_range == 0
