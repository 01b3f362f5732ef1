"""The whole loop over CALVIN's embedded scene, with the expert, faults and bad commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.robot import cell
from real_robot_benchmark.robot.conventions import INTERFACE
from real_robot_benchmark.robot.driver import Driver
from real_robot_benchmark.robot.drivers import load_robot
from real_robot_benchmark.robot.io import Reading, RobotError, SimulatedIO, Target
from real_robot_benchmark.robot.judge import SimulatorJudge
from real_robot_benchmark.robot.simulated import SimulatedRobot
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState
from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.store import actions_sha256, read_run

pytest.importorskip("pybullet")

TASKS = """\
schema: seer-bench/real-tasks/1
name: table
tasks:
  - name: chain
    instruction: play
    stages: [first subtask, second subtask]
    cases: 2
    time_limit_s: 120
"""
Play = Callable[..., CampaignState]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Plan a campaign of one policy and let the simulator judge it; its state at the end."""

    def run(
        policy: str = "expert",
        options: Mapping[str, str] | None = None,
        *,
        films: bool = False,
        deadline: float = 5.0,
        **robot: Any,
    ) -> CampaignState:
        tasks = tmp_path / "tasks.yaml"
        tasks.write_text(TASKS)
        arm = make_arm(policy, options=options)
        campaign = Campaign.create(tmp_path / "campaign", tasks, [arm], Choices(1, "mean"))
        machine = load_robot("simulated", {"pictures": "0", **{key: str(value) for key, value in robot.items()}})
        assert isinstance(machine, SimulatedIO)
        with Session.open(campaign.path, console="robot", clock=machine.clock.now) as session:
            policies = cell.make_policies(session, session.policy_key(), machine, device="cpu", threads=1)
            try:
                with cell.ControlThread() as thread, cell.connected(machine, None, thread, deadline=deadline) as rig:
                    driver = Driver(session, rig, policies, judge=SimulatorJudge(machine), films=films)
                    cell.run(driver, thread, rig, cell.wait)
            finally:
                for each in policies.values():
                    each.close()
            return session.state

    return run


def paused(play: Play, tmp_path: Path, words: str, **robot: Any) -> CampaignState:
    """The state of a campaign that was paused with such a reason."""
    with pytest.raises(RobotError, match=f"the campaign is paused: {words}"):
        play(**robot)
    return Campaign.load(tmp_path / "campaign").state()


def test_the_expert_completes_every_stage_through_the_real_conventions(play: Play, tmp_path: Path) -> None:
    state = play(films=True)
    assert [(attempt.outcome, attempt.stages_done) for attempt in state.valid] == [("success", 2)] * 2
    for attempt in state.valid:
        actions = np.load(tmp_path / "campaign" / attempt.facts["actions"])
        assert actions.shape == (attempt.facts["steps"], 7)
        assert np.abs(actions).max() <= 1
        assert [mark.step for mark in attempt.marks][-1] == len(actions)
        assert attempt.seconds == pytest.approx(len(actions) / 15, abs=0.1)
        for video in attempt.facts["videos"].values():
            assert (tmp_path / "campaign" / video).stat().st_size > 0


def test_the_run_holds_the_executed_actions(play: Play, tmp_path: Path) -> None:
    from real_robot_benchmark.finishing import finish

    state = play()
    finish(tmp_path / "campaign")
    run = read_run(tmp_path / "campaign" / "runs" / "expert")
    assert not run.problems
    for attempt, (unit, result) in zip(state.valid, sorted(run.results.items()), strict=True):
        assert unit.endswith(f"case={attempt.trial.case - 1:02d},trial=0")
        actions = np.load(tmp_path / "campaign" / attempt.facts["actions"])
        assert result.actions_sha256 == actions_sha256(actions)
        assert result.actions_out_of_range == 0
        assert sum(stage.steps for stage in result.subtasks) == len(actions)


@pytest.mark.parametrize(
    ("robot", "words"),
    [
        ({"refuse_at": 20}, "the robot refused command 20"),
        ({"lose_at": 20}, "the connection to the robot is lost"),
        ({"camera_delay_s": 0.5}, "the picture of 'rgb_primary' is 0.50 s old"),
    ],
)
def test_what_the_robot_fails_at_pauses_the_trial(
    play: Play, tmp_path: Path, robot: dict[str, Any], words: str
) -> None:
    state = paused(play, tmp_path, words, **robot)
    assert (state.phase, state.paused, state.done) == ("running", True, 0)


def test_a_driver_that_does_not_come_back_is_noticed(play: Play, tmp_path: Path) -> None:
    paused(play, tmp_path, "no sign of life from the control loop", hang_at=5, hang_s=0.8)


def test_dropped_frames_are_survived_and_show_in_the_figures(play: Play) -> None:
    state = play(drop_every=3)
    assert all(attempt.outcome == "success" for attempt in state.valid)
    age = state.valid[0].facts["latency"]["camera_age"]
    assert age["p50_ms"] == 0.0
    assert age["max_ms"] == pytest.approx(1000 / 15, abs=0.1)


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("nan", "the action is not finite"),
        ("far", "the action has a value beyond"),
        ("no reset", "the policy raised an error: RuntimeError: NaughtyPolicy cannot be reset"),
    ],
)
def test_a_bad_policy_fails_its_trials_and_the_campaign_goes_on(
    play: Play, naughty: None, does: str, words: str
) -> None:
    state = play("naughty", {"does": does, "at": "5"})
    assert [(a.outcome, a.stages_done) for a in state.valid] == [("failure", 0)] * 2
    assert all(words in a.reason for a in state.valid)


def test_a_policy_that_hangs_fails_its_trial_and_plays_the_next_one_afresh(play: Play, naughty: None) -> None:
    state = play("naughty", {"does": "hang", "at": "5"}, deadline=0.3)
    assert [a.reason for a in state.valid] == ["the policy did not answer in time: 0.3 s are allowed"] * 2
    assert [a.facts["steps"] for a in state.valid] == [5, 5], "what was asked before the start is forgotten"


# --- the robot alone ---------------------------------------------------------------------------------------------


@pytest.fixture
def robot() -> Iterator[SimulatedRobot]:
    machine = load_robot("simulated", {"pictures": "48"})
    assert isinstance(machine, SimulatedRobot)
    machine.connect()
    yield machine
    machine.close()


def sensed(robot: SimulatedRobot, campaign: Campaign) -> Reading:
    robot.begin(campaign.plan.trials[0])
    return robot.read()


def test_it_goes_to_the_target_that_it_is_given(robot: SimulatedRobot, planned: Callable[..., Campaign]) -> None:
    reading = sensed(robot, planned())
    assert set(reading.cameras) == {"rgb_primary", "rgb_wrist"}
    assert all(frame.image.shape == (480, 640, 3) for frame in reading.cameras.values())
    goal = np.add(reading.pose.position, [0.0, 0.03, 0.05])
    steps = 12
    for step in range(1, steps + 1):
        position = reading.pose.position + (goal - reading.pose.position) * min(1.0, step / 4)
        robot.command(Target(type(reading.pose)(position, reading.pose.rotation), 1.0))
    after = robot.read().pose
    np.testing.assert_allclose(after.position, goal, atol=3e-3)
    state = robot.state()
    assert state is not None
    np.testing.assert_allclose(state.target_position, goal, atol=1e-9)
    assert abs(float(np.dot(after.rotation, reading.pose.rotation))) > 0.999


def test_only_actions_on_an_accumulated_target_can_be_made() -> None:
    with pytest.raises(UsageError, match=r"rotation_vector|cannot be translated"):
        load_robot("simulated", {"benchmark": "libero", "protocol": "libero-long/v1"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "slow"}, "simulated or real"),
        ({"pictures": "-1"}, "0 to 480"),
        ({"refuse_at": "x"}, "is no number"),
        ({"lose_at": "-2"}, "is below 0"),
        ({"camera_dely_s": "1"}, "Did you mean 'camera_delay_s'"),
    ],
)
def test_options_are_checked(options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_robot("simulated", options)


def test_an_unknown_robot() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'simulated'"):
        load_robot("simulatd", {})


def test_a_policy_of_a_real_robot_can_be_checked_against_its_interface() -> None:
    assert INTERFACE.benchmark == "real_robot"
    assert (INTERFACE.action.translation_scale, INTERFACE.action.rotation_scale) == (0.02, 0.05)
