"""Judging a simulated robot's trials by what the simulator knows."""

from __future__ import annotations

from real_robot_benchmark.robot.io import RobotError, SimulatedIO
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState
from real_robot_benchmark.view import describe

BY = "simulator"


class SimulatorJudge:
    """Starts, judges and goes on by what the simulator knows; leaves a campaign that was paused to a person.

    Args:
        robot: what it looks at.
    """

    def __init__(self, robot: SimulatedIO) -> None:
        self._robot = robot

    def waiting(self, session: Session) -> None:
        """Start a trial that is ready, and go on behind one that is over.

        Raises:
            RobotError: the campaign is paused, and somebody has to say what now.
        """
        state = session.state
        if state.phase == "ended":
            session.next(by=BY)
        elif state.phase == "setup" and not state.paused:
            session.start(by=BY)
        elif state.phase != "finished":
            why = _why(state).rstrip(".")
            raise RobotError(
                f"the campaign is paused: {why}. A person has to go on: leave --judge-by-simulator out, or judge with "
                f"seer-bench real run {session.campaign.path}"
            )

    def stepped(self, session: Session, step: int) -> None:
        """Press the stages that the simulator has seen; fail a trial whose unit is over."""
        state = session.state
        if not state.ticking:
            return
        solved = min(self._robot.solved(), state.stages_total)
        if solved > state.stages_done:
            state = session.stage(solved, step=step, by=BY)
        if state.ticking and self._robot.state() is None:
            session.fail("the simulated unit is over", by=BY)


def _why(state: CampaignState) -> str:
    """What was pressed last, and why."""
    last = state.undoable
    return "" if last is None else str(last.data.get("reason") or describe(last))
