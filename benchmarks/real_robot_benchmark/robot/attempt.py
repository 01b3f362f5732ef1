"""One attempt, beat by beat: sense, ask the policy, check, and command on the next beat."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from real_robot_benchmark.robot.conventions import compose, first_target
from real_robot_benchmark.robot.io import Reading, RobotError, RobotIO, SimulatedIO, calling
from real_robot_benchmark.robot.policy import PolicyRunner
from real_robot_benchmark.robot.rate import HERTZ, Clock, Latencies, Metronome
from real_robot_benchmark.robot.recorder import Recorder
from real_robot_benchmark.robot.safety import Guard, Limits, UnsafeCommandError
from real_robot_benchmark.robot.stopping import LOOP_PATIENCE_S, StoppedError, StopSwitch, Watchdog
from seer_bench.contracts import Array
from seer_bench.errors import PolicyError, SimulationError

LOOP = "the control loop"


@dataclass(frozen=True)
class Rig:
    """The robot, and everything that keeps it safe."""

    robot: RobotIO
    limits: Limits
    clock: Clock
    switch: StopSwitch
    watchdog: Watchdog
    deadline: float = 1.0
    """Seconds that the policy has for an answer."""
    hertz: float = HERTZ


@dataclass(frozen=True)
class End:
    """Why the robot stands still again."""

    kind: Literal["over", "stopped", "time", "policy", "robot"]
    """"over": somebody ended or paused the attempt; "stopped": the switch was pulled; "time": the time limit; "policy":
    its fault, a refused command among them; "robot": anything else failed."""
    reason: str = ""


@dataclass
class Figures:
    """How well the beat was kept in an attempt, over all its stretches between pauses."""

    hertz: float = HERTZ
    latencies: Latencies = field(default_factory=Latencies)
    beats: int = 0
    missed: int = 0

    def to_json(self, *, blind: bool) -> dict[str, object]:
        """As JSON; of a blind campaign without the policy's own time, which could tell who it is."""
        figures = {k: v for k, v in self.latencies.figures().items() if not (blind and k == "inference")}
        return {"hertz": self.hertz, "beats": self.beats, "missed": self.missed, **figures}


def drive(
    rig: Rig,
    policy: PolicyRunner,
    recorder: Recorder,
    figures: Figures,
    *,
    going_on: Callable[[], bool],
    time_is_up: Callable[[], bool],
    stepped: Callable[[int], None],
) -> End:
    """Let the policy move the robot until the attempt is over or anything is wrong; the robot then stands still.

    A command leaves on the beat after the observation that it answers, as in Seer's deployment. If the policy takes
    longer, the robot holds the last target, and the command leaves on the first beat after the answer.

    Args:
        rig: its switch must be released.
        policy: `begin` was called.
        recorder: of the attempt.
        figures: of the attempt; they grow.
        going_on: the session still says that this attempt runs.
        time_is_up: the time limit has passed.
        stepped: called after every command with the number of commands of the attempt.
    """
    end = End("robot", "the control loop failed")
    metronome = Metronome(rig.clock, rig.hertz)

    def may_go_on() -> bool:
        rig.watchdog.beat(LOOP, LOOP_PATIENCE_S)
        return going_on() and not rig.switch.pulled

    try:
        end = _beats(rig, policy, recorder, figures.latencies, metronome, may_go_on, time_is_up, stepped)
    except StoppedError as error:
        end = End("stopped", str(error))
    except PolicyError as error:
        end = End("policy", str(error))
    except SimulationError as error:
        end = End("robot", str(error))
    finally:
        rig.watchdog.leave(LOOP)
        rig.switch.pull(end.reason or "the attempt is over")
        figures.beats += metronome.beats
        figures.missed += metronome.missed
    return end


def _beats(
    rig: Rig,
    policy: PolicyRunner,
    recorder: Recorder,
    latencies: Latencies,
    metronome: Metronome,
    may_go_on: Callable[[], bool],
    time_is_up: Callable[[], bool],
    stepped: Callable[[int], None],
) -> End:
    """The loop itself; raises what stops it."""
    robot, clock, guard = rig.robot, rig.clock, Guard(rig.limits)
    reading = _read(rig, guard)
    target = first_target(reading)
    metronome.start()
    try:
        guard.begin(reading, target, metronome.moment)
    except UnsafeCommandError as error:  # where the robot stands is no fault of the policy's
        raise RobotError(str(error)) from error
    actions: list[Array] = []
    while may_go_on():
        if time_is_up():
            return End("time", "the time limit has passed")
        if not actions:
            asked = clock.now()
            latencies.add("camera_age", max((asked - f.at for f in reading.cameras.values()), default=0.0))
            state = robot.state() if policy.spec.privileged and isinstance(robot, SimulatedIO) else None
            chunk = policy.act(reading, state, deadline=rig.deadline, going_on=may_go_on)
            if chunk is None:
                break
            latencies.add("inference", clock.now() - asked)
            actions = list(chunk)
        action = actions.pop(0)
        guard.check_action(action)
        target = compose(target, action)
        before = metronome.missed
        late = metronome.wait()
        if not may_go_on():
            break
        guard.check(target, reading, metronome.moment)
        sent = clock.now()
        rig.switch.command(target)
        latencies.add("beat_late", late)
        latencies.add("observed_to_sent", sent - reading.at)
        latencies.add("command", clock.now() - sent)
        recorder.add(reading, action, 1 + metronome.missed - before)
        stepped(recorder.steps)
        if may_go_on():
            reading = _read(rig, guard)
    return End("stopped", rig.switch.reason) if rig.switch.pulled else End("over")


def _read(rig: Rig, guard: Guard) -> Reading:
    """The newest reading; raises RobotError for one that cannot be acted on."""
    reading = calling(rig.robot.read)
    if why := calling(lambda: guard.distrust(reading, rig.clock.now())):
        raise RobotError(f"{why}.")
    return reading


def quietly_close(robot: RobotIO) -> None:
    """Stop and close a robot that may have failed already."""
    with suppress(Exception):
        robot.stop()
    with suppress(Exception):
        robot.close()
