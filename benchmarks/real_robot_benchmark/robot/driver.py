"""One attempt after another: what the keys of a session say, the robot does.

The driver presses keys as little as it can. A person (or a judge, for a simulated robot) starts, judges, pauses, voids
and goes on; the driver alone ends an attempt whose time is up, fails one whose policy failed or asked for an unsafe
command, and pauses one in which the robot failed or was stopped. Everything it does can be undone by the same keys.
Nothing moves the robot but `start` and `resume`: after an `undo` that takes an end back it goes on standing still, so
that the trial can be judged again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from real_robot_benchmark.plan import PlannedTrial
from real_robot_benchmark.robot.attempt import End, Figures, Rig, drive
from real_robot_benchmark.robot.io import SimulatedIO, calling
from real_robot_benchmark.robot.policy import LOAD_S, PolicyFaultError, PolicyRunner
from real_robot_benchmark.robot.rate import WallClock
from real_robot_benchmark.robot.recorder import Recorder
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState, PressError
from seer_bench.contracts import Unit
from seer_bench.errors import SeerBenchError, StoreError
from seer_bench.real_robot import Trial

_log = logging.getLogger(__name__)

BY = "robot"
_WAIT_S = 0.05


class Judge(Protocol):
    """Presses keys instead of a person."""

    def waiting(self, session: Session) -> None:
        """Called while the robot stands still."""

    def stepped(self, session: Session, step: int) -> None:
        """Called after every command, of which the attempt has had `step`."""


@dataclass
class _Attempt:
    """The attempt at hand."""

    trial: PlannedTrial
    number: int
    figures: Figures
    recorder: Recorder | None = None
    attached: bool = False
    """What the recorder has is on record."""
    fault: str = ""
    """Why the policy cannot even begin; it fails the attempt as soon as it is started."""

    def is_at_hand(self, state: CampaignState) -> bool:
        """The session speaks of this attempt."""
        return state.trial == self.trial and state.attempt == self.number


class Driver:
    """Drives the robot through a campaign.

    Args:
        session: whose keys are followed, and pressed as said above.
        rig: the robot, connected.
        policies: letter -> policy.
        judge: presses instead of a person; None: there is a person.
        films: film all cameras.
    """

    def __init__(
        self,
        session: Session,
        rig: Rig,
        policies: Mapping[str, PolicyRunner],
        *,
        judge: Judge | None = None,
        films: bool = True,
    ) -> None:
        self.session = session
        self._rig, self._policies = rig, policies
        self._judge, self._films = judge, films
        self._blind = session.campaign.blind
        self._leave = threading.Event()
        self._pressed = threading.Event()
        self._attempt: _Attempt | None = None
        self._followed = self._last_press(session.state)
        """Number of the last start or resume that moved the robot, or that came before this driver."""
        self._said = (0, 0)
        """Number of the newest press that moves the robot, and how often the switch had been pulled until then."""
        self._standing = False
        """It was said that the robot stands still although a trial runs."""
        self._told_of_stop = False
        """It was said that the robot's stop failed."""
        rig.watchdog.on_pull = self._pause_aside
        self._unsubscribe = session.subscribe(self._on_press)

    def stop(self, by: str) -> None:
        """Emergency stop, from any thread: the robot first, then the pause on record, for which nobody waits."""
        reason = f"emergency stop ({by})"
        self._rig.switch.pull(reason)
        self._pause_aside(reason)

    def alive(self, console: str) -> None:
        """A sign of life from a console; from the first one on, its silence stops the robot."""
        self._rig.watchdog.beat(f"the {console} console")

    def leave(self) -> None:
        """Have `run` return; the robot is stopped at once."""
        self._leave.set()
        self._rig.switch.pull("the driver was told to leave")

    def leave_soon(self) -> None:
        """The same without stopping; for signal handlers, which have asked for the stop."""
        self._leave.set()

    def run(self) -> None:
        """Drive until every trial is done, or `leave` is called.

        Raises:
            UsageError: a policy cannot be built.
            StoreError: a press cannot be recorded.
        """
        try:
            for policy in self._policies.values():
                policy.load()
            while not self._leave.is_set() and self.session.state.phase != "finished":
                self._turn()
        finally:
            self._rig.switch.pull("the driver ended")
            self._unsubscribe()
            self._rig.watchdog.on_pull = None
            self._finish_attempt()

    def _on_press(self, state: CampaignState) -> None:
        """In the presser's thread: whatever is no execution stops the robot before anything else happens."""
        if not state.ticking:
            self._rig.switch.pull("the trial was paused or ended")
        elif self._told_to_move(state) and self._last_press(state) != self._said[0]:
            self._said = (self._last_press(state), self._rig.switch.pulls)
        self._pressed.set()

    def _turn(self) -> None:
        """Do the next thing."""
        self._pressed.clear()
        state = self.session.state
        self._tell_of_stop()
        self._standing &= state.ticking and not self._told_to_move(state)
        if self._attempt is not None and not self._attempt.is_at_hand(state):
            self._finish_attempt()
        if self._attempt is not None and state.phase == "ended" and not self._attempt.attached:
            self._attach(self._attempt)
        if state.ticking and not self._standing:
            self._execute(state)
        elif state.phase == "setup" and not state.paused and self._attempt is None:
            self._prepare(state)
        elif self._judge is not None:
            self._judge.waiting(self.session)
        else:
            self._pressed.wait(_WAIT_S)

    def _prepare(self, state: CampaignState) -> None:
        """Set a simulated scene up and reset the policy; what fails here, but for the policy, pauses."""
        trial = state.trial
        assert trial is not None  # noqa: S101 - a phase of an attempt has a trial
        fault = ""
        try:
            robot, policy = self._rig.robot, self._policies[trial.arm]
            if isinstance(robot, SimulatedIO):
                robot.begin(trial)
            fresh = policy.load()
            self._begin(policy, trial)
            if fresh:  # the first answer takes longest; nobody waits for it while the robot moves
                told = robot.state() if policy.spec.privileged and isinstance(robot, SimulatedIO) else None
                policy.act(calling(robot.read), told, deadline=LOAD_S, going_on=lambda: True)
                self._begin(policy, trial)
        except PolicyFaultError as error:
            fault = str(error)
        except SeerBenchError as error:
            reason = str(error)
            self._press(lambda: self.session.pause(reason, by=BY))
            return
        self._attempt = _Attempt(trial, state.attempt, Figures(self._rig.hertz), fault=fault)

    def _begin(self, policy: PolicyRunner, trial: PlannedTrial) -> None:
        """The policy forgets everything."""
        campaign = self.session.campaign
        name = Trial(trial.task, trial.case - 1, trial.trial - 1).unit_id(campaign.protocol.name)
        instruction = campaign.plan.task(trial.task).instruction
        policy.begin(Unit(name, trial.number - 1), instruction, campaign.unit_seed(trial))

    def _execute(self, state: CampaignState) -> None:
        """A trial runs: drive, if a person has just said so."""
        if not self._told_to_move(state):
            self._stand("An end was taken back: judge the trial, void it, or pause and resume to let the policy go on.")
            return
        self._followed = self._last_press(state)
        if self._attempt is None and state.undoable is not None and state.undoable.kind == "start":
            self._prepare(state)  # started before the policy was ready
        if self._attempt is None:
            self._stand("Judge the trial or void it: the policy knows nothing of what was before.")
        elif self.session.state.ticking:
            self._drive(self._attempt)

    def _told_to_move(self, state: CampaignState) -> bool:
        """A person pressed start or resume, and it was not followed yet."""
        last = state.undoable
        return last is not None and last.kind in ("start", "resume") and last.number > self._followed

    def _tell_of_stop(self) -> None:
        """Put on screen and record that the robot did not obey its stop, once until it has."""
        failure = self._rig.switch.failure
        if failure and not self._told_of_stop:
            self._press(lambda: self.session.note(f"The robot's stop failed, press its own button: {failure}", by=BY))
        self._told_of_stop = bool(failure)

    def _stand(self, why: str) -> None:
        """Say that the robot stands still in a trial that runs."""
        self._standing = True
        if self.session.state.ticking:
            self._press(lambda: self.session.note(f"The robot stands still. {why}", by=BY))

    def _drive(self, attempt: _Attempt) -> None:
        """Drive one stretch, and put on record how it ended."""
        if attempt.fault:
            self._conclude(End("policy", attempt.fault))
            return
        session, task = self.session, self.session.campaign.plan.task(attempt.trial.task)
        if attempt.recorder is None:
            simulated = not isinstance(self._rig.clock, WallClock)
            attempt.recorder = Recorder(
                session.campaign.path, attempt.trial.number, attempt.number, films=self._films, patient=simulated
            )
            session.attach(actions=attempt.recorder.actions)
        attempt.attached = False
        if not self._rig.switch.release(self._said[1]):  # somebody has stopped it since
            self._pause(self._rig.switch.reason)
            return
        end = drive(
            self._rig,
            self._policies[attempt.trial.arm],
            attempt.recorder,
            attempt.figures,
            going_on=lambda: session.state.ticking and attempt.is_at_hand(session.state),
            time_is_up=lambda: task.time_limit_s is not None and session.clock() > task.time_limit_s,
            stepped=self._stepped,
        )
        self._conclude(end)

    def _stepped(self, step: int) -> None:
        """Let the judge look."""
        if self._judge is not None:
            self._judge.stepped(self.session, step)

    def _conclude(self, end: End) -> None:
        """Press what follows from the end of a stretch; whoever pressed first in the meantime was right."""
        if end.kind == "policy":
            self._press(lambda: self.session.fail(end.reason, policy_error=True, by=BY))
        elif end.kind == "time":
            self._press(lambda: self.session.timeout(by=BY))
        elif end.kind in ("robot", "stopped"):
            self._pause(end.reason)

    def _pause(self, reason: str) -> None:
        """Pause what runs."""
        self._rig.switch.pull(reason)
        if self.session.state.ticking:
            self._press(lambda: self.session.pause(reason, by=BY))

    def _pause_aside(self, reason: str) -> None:
        """Pause without waiting for the disk or for whoever presses a key."""

        def pause() -> None:
            try:
                self._pause(reason)
            except StoreError:
                _log.exception("the stop could not be put on record")

        threading.Thread(target=pause, name="pause", daemon=True).start()

    def _attach(self, attempt: _Attempt) -> None:
        """Put on record what was recorded, as soon as the trial has ended; again when it ends again."""
        attempt.attached = True
        recorder = attempt.recorder
        if recorder is None:
            return
        recorder.save()
        facts = {"videos": recorder.videos(), "steps": recorder.steps, "pictures_left_out": recorder.left_out}
        if recorder.fault:
            facts["recording_fault"] = recorder.fault
        self._press(lambda: self.session.attach(**facts, latency=attempt.figures.to_json(blind=self._blind)))

    def _finish_attempt(self) -> None:
        """Close the files of the attempt at hand."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.recorder is not None:
            attempt.recorder.close()

    def _press(self, press: Callable[[], CampaignState]) -> None:
        """Press, unless somebody has pressed meanwhile what rules it out."""
        with suppress(PressError):
            press()

    @staticmethod
    def _last_press(state: CampaignState) -> int:
        """Number of the last press that stands; 0 for none."""
        return state.undoable.number if state.undoable else 0
