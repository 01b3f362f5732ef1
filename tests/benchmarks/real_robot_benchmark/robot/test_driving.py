"""The command, as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.robot.cell import ControlThread, check_cameras, check_checkpoint, connected, joint_limits
from real_robot_benchmark.robot.io import RobotError, RobotInfo
from real_robot_benchmark.robot.rate import WallClock
from real_robot_benchmark.robot.safety import Limits
from seer_bench.cli import app
from seer_bench.errors import CheckpointError, UsageError
from tests.fakes.robot_plugins import LIMITS, FakeRobot

pytest.importorskip("pybullet")

TASKS = """\
schema: seer-bench/real-tasks/1
name: table
tasks:
  - {name: chain, instruction: play, stages: [first subtask], cases: 1}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Campaign]:
    def make(*labels: str, options: dict[str, str] | None = None, **how: Any) -> Campaign:
        tasks = tmp_path / "tasks.yaml"
        tasks.write_text(TASKS)
        arms = [make_arm(label, options=options) for label in labels]
        return Campaign.create(tmp_path / "campaign", tasks, arms, Choices(1, "mean"), **how)

    return make


def drive(campaign: Campaign, *options: str) -> str:
    arguments = ["real", "drive", str(campaign.path), "--robot", "simulated", "--robot-arg", "pictures=0", *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.output


def test_a_simulated_campaign_from_the_command_line(plan: Callable[..., Campaign]) -> None:
    campaign = plan("expert")
    output = drive(campaign, "--judge-by-simulator", "--no-films", "--operator", "Ada")
    assert "1 of 1 trials are done. Go on with: seer-bench real finish" in output
    assert campaign.state().valid[0].outcome == "success"


def test_a_person_judges_in_real_time(plan: Callable[..., Campaign]) -> None:
    assert "a person judges in real time: add --robot-arg" in drive(plan("expert"))


def test_a_blind_campaign_names_no_policy(
    plan: Callable[..., Campaign], naughty: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two policies of which one fails: neither files, nor their names, nor what is printed say who is who."""
    campaign = plan("naughty/one", "naughty/two", options={"does": "raise", "at": "3"}, blind=True)
    output = drive(campaign, "--judge-by-simulator")
    said = capfd.readouterr()
    held = [str(path) for path in campaign.path.rglob("*") if path.name != "KEY.sealed"]
    texts = [output, said.out, said.err, *(path for path in held)]
    texts += [Path(path).read_bytes().decode("latin-1") for path in held if Path(path).is_file()]
    assert not [text for text in texts if "naughty" in text.lower()]
    state = campaign.state()
    assert [attempt.reason for attempt in state.valid] == ["the policy raised an error"] * 2
    assert state.opened_key is None
    assert state.key_uses == 1
    assert all("inference" not in attempt.facts["latency"] for attempt in state.valid)


def test_ctrl_c_stops_the_robot_and_leaves_the_trial_paused(plan: Callable[..., Campaign]) -> None:
    campaign = plan("expert")
    command = [sys.executable, "-m", "seer_bench", "real", "drive", str(campaign.path), "--robot", "simulated"]
    command += ["--robot-arg", "pictures=0", "--robot-arg", "time=real", "--judge-by-simulator", "--no-films"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ)
    until = time.monotonic() + 60
    while '"start"' not in (campaign.log.read_text() if campaign.log.exists() else "") and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    events = [json.loads(line) for line in campaign.log.read_text().splitlines()]
    assert process.returncode == 130
    assert b"Traceback" not in output
    assert [event["data"]["reason"] for event in events if event["kind"] == "pause"] == ["emergency stop (SIGINT)"]
    state = campaign.state()
    assert (state.phase, state.paused) == ("running", True)
    process.stdout.close() if process.stdout else None


def test_a_driver_that_never_comes_back_keeps_no_command_from_ending() -> None:
    code = (
        "import time; from real_robot_benchmark.robot.cell import ControlThread\n"
        "with ControlThread() as thread: thread.submit(time.sleep, 60)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_driver_that_connects_to_nothing_is_refused() -> None:
    robot = FakeRobot(WallClock())
    robot.connect = lambda: None  # type: ignore[method-assign, assignment, return-value]
    with (
        ControlThread() as thread,
        pytest.raises(RobotError, match="connect returned NoneType"),
        connected(robot, None, thread, deadline=1),
    ):
        pass
    assert robot.closed


def test_a_robot_without_limits_is_not_driven() -> None:
    info = RobotInfo("cell 2", {}, None)
    with pytest.raises(UsageError, match=r"cell 2 names no limits.*--limits FILE"):
        joint_limits(info, None)
    assert joint_limits(info, LIMITS) == LIMITS
    assert joint_limits(RobotInfo("cell 2", {}, LIMITS), None) == LIMITS
    narrow = Limits((0.3, -0.1, 0.1), (0.5, 0.1, 0.3))
    assert joint_limits(RobotInfo("cell 2", {}, LIMITS), narrow).high == (0.5, 0.1, 0.3)


def test_a_robot_without_the_cameras_is_not_driven() -> None:
    with pytest.raises(UsageError, match="'rgb_wrist' at 640x480; it has: rgb_primary 640x480"):
        check_cameras(RobotInfo("cell 2", {"rgb_primary": (480, 640)}))


@pytest.mark.parametrize("blind", [False, True])
def test_another_checkpoint_than_planned_is_refused(tmp_path: Path, blind: bool) -> None:
    file = tmp_path / "seer_20.pth"
    file.write_bytes(b"weights")
    arm = make_arm("seer", str(file))
    check_checkpoint("A", arm, blind=blind)
    file.write_bytes(b"others")
    with pytest.raises(CheckpointError, match="not the one that the campaign was planned with") as caught:
        check_checkpoint("A", arm, blind=blind)
    assert ("seer_20" in str(caught.value)) is not blind
    file.unlink()
    with pytest.raises(CheckpointError) as caught:
        check_checkpoint("A", arm, blind=blind)
    assert ("seer_20" in str(caught.value)) is not blind
