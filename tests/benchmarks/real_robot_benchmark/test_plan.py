"""The order of a campaign."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from real_robot_benchmark.plan import GroupBy, check_order, letters, make_plan
from real_robot_benchmark.tasks import Case, RealTask, load_tasks, paper_tasks
from seer_bench.errors import UsageError


def task(name: str, cases: int) -> RealTask:
    return RealTask(name, name, "do", ("one", "two"), "", tuple(Case(i + 1, "") for i in range(cases)), None)


@given(
    cases=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    arms=st.integers(1, 5),
    trials=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    group_by=st.sampled_from(["task", "nothing"]),
)
def test_every_trial_once_in_blocks_of_one_case(
    cases: list[int], arms: int, trials: int, seed: int, group_by: GroupBy
) -> None:
    tasks = [task(f"t{i}", count) for i, count in enumerate(cases)]
    plan = make_plan(tasks, letters(arms), trials=trials, seed=seed, group_by=group_by)
    assert check_order(plan, trials) == ""
    assert [entry.number for entry in plan.trials] == list(range(1, len(plan.trials) + 1))
    for start in range(0, len(plan.trials), arms):
        block = plan.trials[start : start + arms]
        assert len({(entry.task, entry.case, entry.trial) for entry in block}) == 1
        assert {entry.arm for entry in block} == set(plan.arms)
    first = Counter(entry.arm for entry in plan.trials[::arms])
    assert max(first.values()) - min(first[arm] for arm in plan.arms) <= 1, "no policy is first more often"
    if group_by == "task":
        assert len([name for name, _ in groupby(entry.task for entry in plan.trials)]) == len(tasks)


def test_the_paper_campaign() -> None:
    tasks = load_tasks(paper_tasks()).tasks
    plan = make_plan(tasks, letters(2), trials=3, seed=0)
    assert len(plan.trials) == 4 * 15 * 3 * 2
    assert plan == make_plan(tasks, letters(2), trials=3, seed=0)
    assert plan != make_plan(tasks, letters(2), trials=3, seed=1)
    for arm in plan.arms:
        positions = Counter(entry.number % 2 for entry in plan.trials if entry.arm == arm)
        assert positions == {0: 90, 1: 90}


def test_repetitions_of_a_case_are_apart() -> None:
    plan = make_plan([task("t", 6)], letters(1), trials=3, seed=4)
    assert [entry.trial for entry in plan.trials] == [1] * 6 + [2] * 6 + [3] * 6


def test_letters() -> None:
    assert letters(3) == ("A", "B", "C")
    with pytest.raises(UsageError, match="27 policies"):
        letters(27)


def test_an_altered_order_is_found() -> None:
    plan = make_plan([task("t", 2)], letters(2), trials=1, seed=0)
    doubled = type(plan)(plan.tasks, (*plan.trials[:-1], plan.trials[0]), plan.arms)
    assert "of which 3 are different" in check_order(doubled, 1)
    assert "no trial of these tasks" in check_order(type(plan)((task("u", 2),), plan.trials, plan.arms), 1)
