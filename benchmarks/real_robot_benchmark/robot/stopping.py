"""The emergency stop: one switch between harness and robot, and a watchdog that pulls it when somebody is silent.

Whoever wants the robot to stand still pulls the switch: a key, the web page, Ctrl-C, an exception, a pause or the end
of a trial, the watchdog. The robot is stopped in the puller's thread, at once and before anything is written down; from
then on no command passes, and one that was on its way is followed by another stop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from real_robot_benchmark.robot.io import RobotIO, Target, calling
from seer_bench.engine.faults import describe
from seer_bench.errors import SeerBenchError

_log = logging.getLogger(__name__)

LOOK_S = 0.01
"""Seconds between two looks of the watchdog."""
LOOP_PATIENCE_S = 0.5
"""Seconds without a sign of life from the control loop, e.g. because the driver hangs."""
CONSOLE_PATIENCE_S = 2.0
"""Seconds without a sign of life from a console that once gave one."""


class StoppedError(SeerBenchError):
    """A command came after the switch was pulled; it was not sent."""


class StopSwitch:
    """Lets commands through while it is released; pulled at first.

    Args:
        robot: its `stop` is called by whoever pulls.
    """

    def __init__(self, robot: RobotIO) -> None:
        self.pulls = 0
        """How often it was pulled."""
        self._robot = robot
        self._lock = threading.Lock()
        self._reason: str | None = "nothing was started yet"
        self._asked: str | None = None
        self.failure = ""
        """Why the robot's `stop` failed, when it was last called; "" where it returned."""

    @property
    def pulled(self) -> bool:
        """No command passes."""
        return self._reason is not None or self._asked is not None

    @property
    def reason(self) -> str:
        """Why it was pulled; "" while it is released."""
        return self._asked or self._reason or ""

    @property
    def asked(self) -> str | None:
        """What `ask` asked for and nobody has done yet."""
        return self._asked

    def pull(self, reason: str) -> None:
        """Stop the robot now, from any thread; the first reason counts. Never raises: `failure` says how it went."""
        with self._lock:
            if self._reason is None:
                self._reason = self._asked or reason
            self._asked = None
            self.pulls += 1
        try:
            self._robot.stop()
            self.failure = ""
        except Exception as error:  # the watchdog tries again, and the robot has a button of its own
            if not self.failure:
                _log.exception("the robot's stop failed; press the button of the robot")
            self.failure = describe(error)

    def ask(self, reason: str) -> None:
        """Have the watchdog pull it at its next look; for signal handlers, which must not wait for any lock."""
        self._asked = reason

    def release(self, pulls: int) -> bool:
        """Let commands through again, since a person said so.

        Args:
            pulls: as many as there were when the person said so; after another one it stays pulled.

        Returns:
            Whether commands pass now.
        """
        with self._lock:
            if self.pulls == pulls:
                self._reason = None
        return not self.pulled

    def command(self, target: Target) -> None:
        """Send a target.

        Raises:
            StoppedError: the switch is pulled.
            RobotError: the robot refuses it, or the line to it is lost.
        """
        if self.pulled:
            raise StoppedError(self.reason)
        try:
            calling(lambda: self._robot.command(target))
        finally:
            if self.pulled:  # while it was under way: the stop must be what the robot heard last
                self.pull(self.reason)


class Watchdog:
    """Pulls the switch when somebody who gave signs of life gives none any more; a context manager.

    Args:
        switch: what to pull.
        now: seconds on a steady clock.
    """

    def __init__(self, switch: StopSwitch, now: Callable[[], float] = time.monotonic) -> None:
        self.on_pull: Callable[[str], None] | None = None
        """Called with the reason after the watchdog has pulled the switch; returns at once."""
        self._switch, self._now = switch, now
        self._signs: dict[str, tuple[float, float]] = {}
        """Name -> when it gave the last sign, and its patience."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def beat(self, name: str, patience: float = CONSOLE_PATIENCE_S) -> None:
        """A sign of life; from the first one on, silence for longer than `patience` seconds stops the robot."""
        self._signs[name] = (self._now(), patience)

    def leave(self, name: str) -> None:
        """No further sign will come, and that is fine."""
        self._signs.pop(name, None)

    def look(self) -> None:
        """Pull the switch if there is a reason to; called a hundred times a second."""
        switch = self._switch
        if switch.asked is not None:
            self._pull(switch.asked)
        elif switch.pulled:
            if switch.failure:
                switch.pull(switch.reason)
        else:
            for name, (last, patience) in tuple(self._signs.items()):
                if (silence := self._now() - last) > patience:
                    self._pull(f"no sign of life from {name} for {silence:.1f} s")
                    return

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _pull(self, reason: str) -> None:
        """Pull, then tell."""
        self._switch.pull(reason)
        if self.on_pull is not None:
            self.on_pull(reason)

    def _run(self) -> None:
        """Look until the end."""
        while not self._end.wait(LOOK_S):
            self.look()
