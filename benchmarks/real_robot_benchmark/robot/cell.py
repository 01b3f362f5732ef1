"""Bringing robot, policies and session together, and taking them apart again whatever happens."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, TypeVar

from real_robot_benchmark.robot.attempt import Rig, quietly_close
from real_robot_benchmark.robot.conventions import HEIGHT, INTERFACE, WIDTH
from real_robot_benchmark.robot.driver import Driver
from real_robot_benchmark.robot.io import RobotError, RobotInfo, RobotIO, SimulatedIO, calling
from real_robot_benchmark.robot.policy import Order, PolicyProcess
from real_robot_benchmark.robot.rate import WallClock
from real_robot_benchmark.robot.safety import Limits
from real_robot_benchmark.robot.stopping import StopSwitch, Watchdog
from real_robot_benchmark.seal import Arm
from real_robot_benchmark.session import Session
from seer_bench.contracts import PolicyContext
from seer_bench.conventions import ImageSpec
from seer_bench.errors import CheckpointError, UsageError
from seer_bench.store import checkpoint_sha256

_LEAVE_S = 5.0
"""Seconds that the control loop has to come back once it is told to leave."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")
Consoles = Callable[[Driver, threading.Event], int]
"""Serves the operator until they leave or the event is set; returns an exit code."""
INTERRUPTED = 130
"""Exit code of a command that a signal has ended."""


class ControlThread:
    """The one thread that calls the robot, since drivers and simulators may be bound to theirs; a context manager.

    A daemon, unlike those of `concurrent.futures`: where a driver does not come back, the command ends all the same.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, call: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have the thread make a call after those before it."""
        future: Future[T] = Future()

        def make() -> None:
            try:
                future.set_result(call(*arguments))
            except BaseException as error:  # whoever waits for the result gets it
                future.set_exception(error)

        self._calls.put(make)
        return future

    def __enter__(self) -> ControlThread:
        threading.Thread(target=self._run, name="control loop", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.put(None)

    def _run(self) -> None:
        """Make one call after another."""
        while (call := self._calls.get()) is not None:
            call()


@contextmanager
def connected(robot: RobotIO, operators: Limits | None, thread: ControlThread, *, deadline: float) -> Iterator[Rig]:
    """The robot, connected, with its watchdog; stopped and closed at the end.

    Args:
        robot: not connected yet.
        operators: limits that the operator gave.
        thread: calls it.
        deadline: seconds that a policy has for an answer.

    Raises:
        RobotError: it cannot be connected.
        UsageError: nobody gave limits, or the cameras are not those that policies see.
    """
    try:
        info = thread.submit(calling, robot.connect).result()
        if not isinstance(info, RobotInfo):
            raise RobotError(f"the robot's driver failed: connect returned {type(info).__name__}, not RobotInfo.")
        limits = joint_limits(info, operators)
        check_cameras(info)
        clock = robot.clock if isinstance(robot, SimulatedIO) else WallClock()
        switch = StopSwitch(robot)
        with Watchdog(switch) as watchdog:
            yield Rig(robot, limits, clock, switch, watchdog, deadline)
    finally:
        closing = thread.submit(quietly_close, robot)
        try:
            closing.result(_LEAVE_S)
        except TimeoutError:  # the loop's thread is in a driver that does not come back
            quietly_close(robot)


def joint_limits(info: RobotInfo, operators: Limits | None) -> Limits:
    """The robot's limits and the operator's, whichever is tighter; raises UsageError where there are none."""
    if info.limits is not None and operators is not None:
        return info.limits.tightened(operators)
    limits = info.limits or operators
    if limits is None:
        raise UsageError(
            f"{info.name} names no limits. Write the corners of its workspace into a YAML file, e.g. "
            "'low: [0.25, -0.4, 0.0]' and 'high: [0.75, 0.4, 0.6]' in metres from its base, and give it: --limits FILE"
        )
    return limits


def check_cameras(info: RobotInfo) -> None:
    """Refuse a robot whose cameras are not those that policies see; raises UsageError."""
    for name, spec in INTERFACE.observations.items():
        if isinstance(spec, ImageSpec) and info.cameras.get(name) != (HEIGHT, WIDTH):
            found = ", ".join(f"{camera} {size[1]}x{size[0]}" for camera, size in info.cameras.items()) or "none"
            raise UsageError(f"{info.name}: policies see the camera '{name}' at {WIDTH}x{HEIGHT}; it has: {found}.")


def make_policies(
    session: Session, key: Mapping[str, Arm], robot: RobotIO, *, device: str, threads: int
) -> dict[str, PolicyProcess]:
    """Letter -> policy, not loaded yet.

    Raises:
        CheckpointError: a checkpoint is not the one that the campaign was planned with.
    """
    campaign = session.campaign
    simulated = (robot.interface, robot.protocol) if isinstance(robot, SimulatedIO) else None
    policies = {}
    for letter, arm in key.items():
        check_checkpoint(letter, arm, blind=campaign.blind)
        checkpoint = Path(arm.path) if arm.path else None
        context = PolicyContext(INTERFACE, campaign.protocol, checkpoint, device, threads, dict(arm.options))
        log = None if campaign.blind else campaign.path / f"policy_{letter}.log"
        policies[letter] = PolicyProcess(
            Order(arm.policy, context, simulated), letter=letter, blind=campaign.blind, log=log
        )
    return policies


def check_checkpoint(letter: str, arm: Arm, *, blind: bool) -> None:
    """Refuse weights that the campaign was not planned with; raises CheckpointError."""
    if arm.checkpoint is None:
        return
    what = f"policy {letter}: its checkpoint" if blind else f"policy {letter}: the checkpoint {arm.path}"
    try:
        found = checkpoint_sha256(Path(arm.path))
    except CheckpointError as error:
        raise CheckpointError(f"{what} cannot be read." if blind else str(error)) from None
    if found != arm.checkpoint.sha256:
        raise CheckpointError(f"{what} is not the one that the campaign was planned with. Restore the file.")


def run(driver: Driver, thread: ControlThread, rig: Rig, consoles: Consoles) -> int:
    """Drive until every trial is done or the operator leaves; called from the main thread.

    Returns:
        The exit code: the consoles', or 130 when a signal came.

    Raises:
        SeerBenchError: what ended the control loop.
        RobotError: the control loop does not come back; the robot was stopped.
    """
    ended = threading.Event()
    future: Future[None] = thread.submit(driver.run)
    future.add_done_callback(lambda _: ended.set())
    with interrupts(rig.switch.ask, driver.leave_soon) as came:
        try:
            code = consoles(driver, ended)
        finally:
            driver.leave()
            try:
                future.result(_LEAVE_S)
            except TimeoutError:
                raise RobotError(
                    "the robot's driver does not come back. The robot was told to stop; look whether it stands still."
                ) from None
        return INTERRUPTED if came else code


@contextmanager
def interrupts(stop: Callable[[str], None], leave: Callable[[], None]) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and a lost terminal stop the robot first and then end the command; yields those that came."""
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        came.append(number)
        stop(f"emergency stop ({signal.Signals(number).name})")
        leave()

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(_: Driver, ended: threading.Event) -> int:
    """The console of nobody."""
    while not ended.wait(0.1):
        pass
    return 0
