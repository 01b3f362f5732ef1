from __future__ import annotations

import re
from typing import Any

import pytest

from seer_bench.contracts import SubtaskResult, UnitResult
from seer_bench.errors import DamagedRecordError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Campaign, Trial, aggregate, stage_id

TASK: dict[str, Any] = {"id": "stack", "stages": ["pick", "place"], "cases": 2, "trials": 3}


def protocol(block: object) -> EvaluationProtocol:
    return EvaluationProtocol("robot/v1", "robot", "Robot.", "table4", "yes", {"real_robot": block})


def unit(unit_id: str, *stages: tuple[str, bool], outcome: Any = "failure") -> UnitResult:
    subtasks = tuple(SubtaskResult(task, task, done, 0) for task, done in stages)
    return UnitResult(unit_id, 1, outcome, subtasks, 0, 0, "00")


def test_a_campaign_plans_every_trial_of_every_case():
    campaign = Campaign.of(protocol({"aggregation": "mean", "tasks": [TASK, {**TASK, "id": "b", "of": "stack"}]}))
    assert len(campaign.trials()) == 12
    assert campaign.trials()[:4] == (*(Trial("stack", 0, i) for i in range(3)), Trial("stack", 1, 0))
    assert [(task.of, task.disturbance) for task in campaign.tasks] == [("stack", ""), ("stack", "")]


def test_units_are_named_and_read_in_one_form():
    trial = Trial("flip_white-bowl", 3, 1)
    assert trial.unit_id("robot/v1") == "robot/v1:task=flip_white-bowl,case=03,trial=1"
    assert Trial.parse(trial.unit_id("robot/v1")) == trial
    assert Trial.parse(Trial("a", 123, 10).unit_id("x:y")) == Trial("a", 123, 10)
    for other in (
        "robot/v1:task=a,case=3,trial=1",
        "robot/v1:task=a,case=03,trial=01",
        "task=a,case=03,trial=1",
        "x:1",
    ):
        with pytest.raises(DamagedRecordError, match="is no trial"):
            Trial.parse(other)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (None, "needs 'aggregation' and 'tasks'"),
        ({"aggregation": "mean", "tasks": [TASK], "seed": 1}, "nothing else"),
        ({"aggregation": "median", "tasks": [TASK]}, "'median'; it is one of mean, best_of, majority"),
        ({"aggregation": "mean", "tasks": []}, "no list of tasks"),
        ({"aggregation": "mean", "tasks": [TASK, TASK]}, "holds 'stack' twice"),
        ({"aggregation": "mean", "tasks": [{**TASK, "id": "a b"}]}, r"tasks[0]: 'id' and 'of'"),
        ({"aggregation": "mean", "tasks": [{**TASK, "cases": 0}]}, "cases is 0"),
        ({"aggregation": "mean", "tasks": [{**TASK, "trials": True}]}, "trials is True"),
        ({"aggregation": "mean", "tasks": [{**TASK, "stages": "pick"}]}, "stages is 'pick'"),
        ({"aggregation": "mean", "tasks": [{**TASK, "stages": ["a", "a"]}]}, "a stage twice"),
        ({"aggregation": "mean", "tasks": [{**TASK, "note": "x"}]}, "may have 'of' and 'disturbance'"),
        ({"aggregation": "mean", "tasks": [{**TASK, "disturbance": 1}]}, "disturbance is 1"),
    ],
)
def test_what_is_no_campaign_is_refused_in_words(block, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        Campaign.of(protocol(block))


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([1, 0, 1], "mean", (1.0, 0.0, 1.0)),
        ([1, 4, 2], "best_of", (4.0,)),
        ([1, 4, 2], "majority", (2.0,)),  # 2 of 3 reached two stages, 1 of 3 four
        ([0, 0, 1], "majority", (0.0,)),
        ([1, 0], "majority", (0.0,)),  # a tie is no majority
        ([3, 3, 1, 0], "majority", (1.0,)),  # 3 of 4 reached one stage, 2 of 4 three
        ([1], "majority", (1.0,)),
    ],
)
def test_trials_become_what_the_rule_says(values, rule, expected):
    assert aggregate(values, rule) == expected


def test_results_must_fit_the_campaign():
    campaign = Campaign.of(protocol({"aggregation": "mean", "tasks": [TASK]}))
    first, second = stage_id("stack", 1), stage_id("stack", 2)
    good = "robot/v1:task=stack,case=01,trial=2"
    assert campaign.trial_of(unit(good, (first, True), (second, True), outcome="success")) == Trial("stack", 1, 2)
    assert campaign.trial_of(unit(good, (first, False))) == Trial("stack", 1, 2)
    for name in ("task=other,case=00,trial=0", "task=stack,case=02,trial=0", "task=stack,case=00,trial=3"):
        with pytest.raises(DamagedRecordError, match="plans no such trial"):
            campaign.trial_of(unit(f"robot/v1:{name}"))
    with pytest.raises(DamagedRecordError, match="tried the stages stack/2; those of the task are stack/1, stack/2"):
        campaign.trial_of(unit(good, (second, False)))
    with pytest.raises(DamagedRecordError, match="a success with 1 of 2 stages"):
        campaign.trial_of(unit(good, (first, True), outcome="success"))
