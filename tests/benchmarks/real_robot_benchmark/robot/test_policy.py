from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from real_robot_benchmark.robot.conventions import INTERFACE
from real_robot_benchmark.robot.io import Reading, RobotError
from real_robot_benchmark.robot.policy import Order, PolicyFaultError, PolicyProcess
from real_robot_benchmark.robot.rate import SimulatedClock
from seer_bench import PolicyContext
from seer_bench.contracts import Unit
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from tests.fakes.robot_plugins import FakeRobot

UNIT = Unit("real-robot/kitchen:task=pour_tea,case=00,trial=0", 0)
Make = Callable[..., PolicyProcess]


@pytest.fixture
def reading() -> Reading:
    return FakeRobot(SimulatedClock()).read()


@pytest.fixture
def make(naughty: None) -> Iterator[Make]:
    built: list[PolicyProcess] = []

    def build(
        does: str = "", at: int = 0, *, name: str = "naughty", blind: bool = False, log: Path | None = None
    ) -> PolicyProcess:
        protocol = EvaluationProtocol("real-robot/kitchen", "real_robot", "", "", "", {})
        options = {"does": does, "at": str(at)} if name == "naughty" else {}
        context = PolicyContext(INTERFACE, protocol, options=options)
        policy = PolicyProcess(Order(name, context), letter="A", blind=blind, log=log)
        built.append(policy)
        return policy

    yield build
    for policy in built:
        policy.close()


def act(policy: PolicyProcess, reading: Reading, deadline: float = 20.0, going_on: Any = lambda: True) -> Any:
    return policy.act(reading, None, deadline=deadline, going_on=going_on)


def begun(policy: PolicyProcess) -> PolicyProcess:
    policy.load()
    policy.begin(UNIT, "pour the tea", 7)
    return policy


def test_a_policy_answers_and_is_loaded_once(make: Make, reading: Reading) -> None:
    policy = make()
    assert policy.load()
    assert not policy.load()
    policy.begin(UNIT, "pour the tea", 7)
    answer = act(policy, reading)
    assert answer.shape == (1, 7)
    assert answer.dtype == np.float64


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("raise", "the policy raised an error: RuntimeError: NaughtyPolicy cannot act"),
        ("die", "the policy's process died"),
        ("shape", r"another shape or type than declared: act returned float64 \(1, 1, 6\)"),
        ("list", "another shape or type than declared: act returned list"),
    ],
)
def test_a_fault_is_told_and_the_next_attempt_begins_afresh(
    make: Make, reading: Reading, does: str, words: str
) -> None:
    policy = begun(make(does, at=1))
    act(policy, reading)
    with pytest.raises(PolicyFaultError, match=words):
        act(policy, reading)
    begun(policy)
    assert act(policy, reading).shape == (1, 7)


def test_a_policy_that_hangs_is_killed_at_its_deadline(make: Make, reading: Reading) -> None:
    policy = begun(make("hang", at=1))
    act(policy, reading)
    started = time.monotonic()
    with pytest.raises(PolicyFaultError, match=r"did not answer in time: 0.2 s are allowed"):
        act(policy, reading, deadline=0.2)
    assert time.monotonic() - started < 2.0
    assert policy.load(), "the process was lost, so it is started again"


def test_a_policy_that_keeps_an_old_answer_back_is_started_anew(
    make: Make, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("real_robot_benchmark.robot.policy.OWED_S", 0.1)
    policy = begun(make("hang"))
    assert act(policy, reading, going_on=lambda: False) is None
    assert policy.load()
    assert act(begun(make("hang", at=1)), reading).shape == (1, 7)


def test_a_lost_process_is_a_fault_and_no_crash(make: Make, reading: Reading) -> None:
    policy = begun(make("die"))
    for _ in range(2):
        with pytest.raises(PolicyFaultError, match="the policy's process died"):
            act(policy, reading)


def test_an_outage_is_not_the_policy_s_fault(make: Make, reading: Reading) -> None:
    with pytest.raises(RobotError, match=r"something it needs failed: .*server does not answer"):
        act(begun(make("outage")), reading)


def test_nobody_waits_for_the_answer_of_an_attempt_that_is_over(make: Make, reading: Reading) -> None:
    policy = begun(make("slow"))
    assert act(policy, reading, going_on=lambda: False) is None
    policy.begin(UNIT, "wash the cup", 8)  # takes what is owed, or the next answer would be the last attempt's
    assert act(policy, reading).shape == (1, 7)


def test_what_a_policy_prints_goes_to_its_log(
    make: Make, reading: Reading, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policy = begun(make("talk", log=tmp_path / "policy_A.log"))
    act(policy, reading)
    act(policy, reading)
    assert (tmp_path / "policy_A.log").read_text() == "NaughtyPolicy speaks\n" * 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("does", ["raise", "shape", "outage"])
def test_a_blind_campaign_hears_nothing_of_the_policy(
    make: Make, reading: Reading, does: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((PolicyFaultError, RobotError)) as caught:
        act(begun(make(does, blind=True)), reading)
    assert "aughty" not in str(caught.value)
    assert "returned" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("blind", [False, True])
def test_a_policy_that_cannot_be_built(make: Make, blind: bool) -> None:
    with pytest.raises(UsageError, match="the policy A could not be built") as caught:
        make("no build", blind=blind).load()
    assert ("NaughtyPolicy" in str(caught.value)) is not blind
    assert ("Why is not told" in str(caught.value)) is blind


def test_a_privileged_policy_needs_a_simulated_robot(make: Make) -> None:
    with pytest.raises(UsageError, match=r"could not be built.*expert"):
        make(name="expert").load()
