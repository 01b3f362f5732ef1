from __future__ import annotations

import numpy as np
import pytest

from seer_bench import PolicyContext, SimulationError, Unit
from seer_bench.engine import play, replay
from seer_bench.engine.seeding import derive_seed
from tests.fakes.tally_plugins import ACTION, FIELDS, AddPolicy, Interface, TallyEnv, protocol


def context(**options: str) -> PolicyContext:
    return PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), options=options)


def unit(index: int) -> Unit:
    return Unit(f"tally/v1:unit={index}", index)


def test_a_solved_unit_records_every_subtask_and_action():
    policy = AddPolicy(context())
    played = play(TallyEnv(protocol()), policy, unit(1), run_seed=0)
    assert played.result.outcome == "success"
    assert [(s.task, s.success, s.steps) for s in played.result.subtasks] == [("sum_0", True, 2), ("sum_1", True, 1)]
    assert played.actions.shape == (3, 2)
    assert played.actions.dtype == np.float32
    assert policy.calls == ["begin unit=1", "reset reach 2", "act", "act", "reset reach 3", "act"]


def test_running_out_of_steps_ends_the_unit_as_a_failure():
    played = play(TallyEnv(protocol()), AddPolicy(context(step="0.1")), unit(3), run_seed=0)
    assert played.result.outcome == "failure"
    assert played.result.error is None
    assert [(s.success, s.steps) for s in played.result.subtasks] == [(False, 5)]


def test_a_chunk_is_executed_without_asking_and_dropped_at_the_end_of_a_subtask():
    policy = AddPolicy(context(chunk="3"))
    played = play(TallyEnv(protocol()), policy, unit(3), run_seed=0)
    assert [s.steps for s in played.result.subtasks] == [4, 1]
    assert policy.calls.count("act") == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "not finite"),
        ("shape", r"shape \(1, 2\); \(1, 1, 2\) was declared"),
        ("raise", "RuntimeError: weights on fire"),
        ("integers", "dtype int64; actions must be float16, float32 or float64"),
        ("longdouble", "dtype float128; actions must be"),
        ("exit", "SystemExit: 3"),
        ("dtype", "dtype float64 after float32"),
    ],
)
def test_a_fault_of_the_policy_is_a_failure_with_its_reason(fault, message):
    played = play(TallyEnv(protocol()), AddPolicy(context(fault=fault)), unit(2), run_seed=0)
    assert played.result.outcome == "failure"
    assert played.result.error is not None
    assert played.result.error.kind == "policy_error"
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(played.result.error.message)
    assert played.result.subtasks[-1].success is False


def test_a_policy_may_hand_out_the_same_buffer_again_and_again():
    class Reusing(AddPolicy):
        buffer = np.zeros((1, 1, 2), dtype=np.float32)

        def act(self, slots, observations):
            self.buffer += 1
            return self.buffer

    played = play(TallyEnv(protocol()), Reusing(context()), unit(4), run_seed=0)
    assert played.actions[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("error", [MemoryError, SimulationError, type("OutOfMemoryError", (RuntimeError,), {})])
def test_running_out_of_memory_or_a_lost_server_is_not_the_policys_fault(error):
    class Starving(AddPolicy):
        def act(self, slots, observations):
            raise error("CUDA out of memory")

    with pytest.raises((MemoryError, SimulationError), match="out of memory"):
        play(TallyEnv(protocol()), Starving(context()), unit(0), run_seed=0)


def test_the_traceback_of_a_faulty_policy_is_kept_beside_the_record():
    played = play(TallyEnv(protocol()), AddPolicy(context(fault="raise")), unit(2), run_seed=0)
    assert "weights on fire" in played.result.run_info["traceback"]


def test_out_of_range_actions_are_executed_and_counted():
    played = play(TallyEnv(protocol()), AddPolicy(context(step="1.5")), unit(2), run_seed=0)
    assert played.result.actions_out_of_range == len(played.actions) == 3
    assert played.result.outcome == "success"


def test_an_exception_of_the_simulator_is_not_the_policys():
    class Broken(TallyEnv):
        def advance(self, action):
            raise OSError("the simulator died")

    with pytest.raises(OSError, match="the simulator died"):
        play(Broken(protocol()), AddPolicy(context()), unit(0), run_seed=0)


def test_replay_repeats_the_recorded_steps():
    played = play(TallyEnv(protocol()), AddPolicy(context()), unit(1), run_seed=0)
    seen = [
        (task.index, steps, step is not None and step.solved)
        for task, steps, step in replay(TallyEnv(protocol()), unit(1), played.actions)
    ]
    assert seen == [(0, 0, False), (0, 1, False), (0, 2, True), (1, 1, True)]


def test_seeds_depend_on_every_part_and_on_nothing_else():
    seeds = {derive_seed(run, unit, task) for run in (0, 1) for unit in ("a", "b") for task in (0, 1)}
    assert len(seeds) == 8
    assert derive_seed(0, "a", 1) == derive_seed(0, "a", 1)
    assert all(0 <= seed < 2**32 for seed in seeds)
