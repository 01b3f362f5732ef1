"""Which tasks moved."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from seer_bench.compare.tasks import correct_tasks, paired_tasks, unpaired_tasks
from seer_bench.compare.units import case_of, common_units


def compared(a, b):
    (tasks,) = correct_tasks([paired_tasks(a, b, common_units(a, b), cluster=case_of)])
    return {task.task: task for task in tasks}


def test_chains_part_where_one_arm_alone_solves_a_subtask(make: ModuleType):
    # A solves 5, 2, 0, 1 subtasks and B 2, 2, 0, 3: the first chain parts at its third subtask, the last at its second.
    found = compared(make.chains("A", [5, 2, 0, 1]), make.chains("B", [2, 2, 0, 3]))
    third, second, first = found["turn_on_led"], found["lift_red_block_table"], found["open_drawer"]
    assert (third.both, third.only_a, third.only_b) == (2, 1, 0)
    assert (second.both, second.only_a, second.only_b) == (3, 0, 1)
    assert (first.both, first.only_a, first.only_b) == (4, 0, 0)
    assert (second.a.successes, second.a.attempts, second.b.successes, second.b.attempts) == (2, 3, 3, 3)
    # What only one arm reached is counted, and not compared.
    assert found["close_drawer"].both is None
    assert found["close_drawer"].p_value is None
    assert found["close_drawer"].a.rate == 1


def test_a_pair_of_chains_parts_at_most_once(make: ModuleType):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 300), rng.integers(0, 6, 300)
    found = compared(make.chains("A", a), make.chains("B", b))
    assert sum(task.only_a or 0 for task in found.values()) == np.sum(a > b)
    assert sum(task.only_b or 0 for task in found.values()) == np.sum(b > a)


def test_p_values_are_mcnemars_with_holms_correction(make: ModuleType):
    rng = np.random.default_rng(2)
    found = compared(make.chains("A", rng.integers(1, 6, 80)), make.chains("B", rng.integers(0, 4, 80)))
    tested = [task for task in found.values() if task.p_value is not None]
    for task in tested:
        differ = task.only_a + task.only_b
        assert task.p_value == pytest.approx(stats.binomtest(task.only_a, differ).pvalue if differ else 1.0)
    expected = multipletests([task.p_value for task in tested], method="holm")[1]
    assert [task.p_holm for task in tested] == pytest.approx(list(expected))


def test_arms_that_are_alike_move_some_task_in_at_most_one_of_twenty_comparisons(make: ModuleType):
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(100):
        lengths = [[int(np.cumprod(rng.random(5) < 0.7).sum()) for _ in range(60)] for _ in "ab"]
        found = compared(make.chains("A", lengths[0]), make.chains("B", lengths[1]))
        false += any(task.p_holm is not None and task.p_holm <= 0.05 for task in found.values())
    assert false <= 5 + 3 * np.sqrt(4.75)


def test_a_task_that_moved_is_found_and_moves_no_other_one(make: ModuleType):
    # B fails its second subtask more often, so it reaches fewer later ones; these are no worse where it does.
    rng = np.random.default_rng(6)
    moved = others = 0
    for _ in range(100):
        rates = np.full((2, 5), 0.8)
        rates[1, 1] = 0.4
        lengths = [[int(np.cumprod(rng.random(5) < rate).sum()) for _ in range(100)] for rate in rates]
        found = compared(make.chains("A", lengths[0]), make.chains("B", lengths[1]))
        sure = {name for name, task in found.items() if task.p_holm is not None and task.p_holm <= 0.05}
        moved += make.TASKS[1] in sure
        others += bool(sure - {make.TASKS[1]})
    assert moved > 80
    assert others <= 5 + 3 * np.sqrt(4.75)


def test_chains_of_several_checkpoints_are_counted_and_not_tested(make: ModuleType):
    found = compared(make.chains("A", [5, 5], [0, 5]), make.chains("B", [1, 1]))
    assert all(task.p_value is None for task in found.values())
    assert (found["open_drawer"].a.successes, found["open_drawer"].a.attempts) == (3, 4)


def test_rollouts_are_tested_within_their_task(make: ModuleType):
    a = [make.rollout(t, i, t == 0) for t in range(2) for i in range(8)]
    b = [make.rollout(t, i, False) for t in range(2) for i in range(8)]
    arms = (make.arm("A", a, protocol=make.ROLLOUTS), make.arm("B", b, protocol=make.ROLLOUTS))
    found = compared(*arms)
    assert (found["T0"].only_a, found["T0"].p_value) == (8, pytest.approx(2 / 2**8))
    assert found["T0"].p_holm == pytest.approx(4 / 2**8)
    assert found["T1"].p_value == 1
    several = compared(make.arm("A", a, a, protocol=make.ROLLOUTS), arms[1])
    assert several["T0"].p_value == pytest.approx(2 / 2**8)
    assert several["T0"].a.attempts == 16


def test_without_pairs_all_attempts_are_compared(make: ModuleType):
    a, b = make.chains("A", [1, 1, 1, 5]), make.chains("B", [0, 0, 0, 2, 1])
    found = {task.task: task for task in unpaired_tasks(a, b, a.units, b.units)}
    assert found["open_drawer"].p_value == pytest.approx(stats.fisher_exact([[4, 0], [2, 3]]).pvalue)
    assert found["open_drawer"].both is None
