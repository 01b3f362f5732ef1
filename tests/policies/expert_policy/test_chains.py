"""Whole chains on the real simulation, through the engine."""

from __future__ import annotations

import pytest

pytest.importorskip("pybullet")

from calvin_benchmark.benchmark import CalvinBenchmark
from calvin_benchmark.chains import load_chains
from expert_policy import make_policy
from seer_bench import PolicyContext
from seer_bench.engine.rollout import play


def solved(name: str, chains: tuple[int, ...]) -> list[int]:
    """Subtasks solved in each chain."""
    benchmark = CalvinBenchmark()
    protocol = benchmark.protocols()[name]
    policy = make_policy(PolicyContext(benchmark.interface(protocol), protocol))
    env = benchmark.make_env(protocol, cameras=False, backend="own")
    units = benchmark.units(protocol)
    try:
        played = [play(env, policy, units[index], run_seed=0).result for index in chains]
    finally:
        env.close()
    assert all(result.actions_out_of_range == 0 for result in played)
    return [result.solved for result in played]


def test_the_expert_solves_chains_of_scene_d(shared, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    assert sum(solved("calvin-abc-d/v1", (250, 333, 777))) >= 13


def test_an_led_that_needs_two_presses_is_turned_off(shared, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    first = load_chains()[1].subtasks[0]
    assert first == "turn_off_led"
    assert solved("calvin-abc-d/seer-v1", (1,))[0] >= 1


def test_the_expert_solves_chains_of_the_embedded_scene():
    assert sum(solved("calvin-embedded/v1", (3, 333))) >= 9
