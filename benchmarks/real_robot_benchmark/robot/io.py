"""What a robot's driver is.

A lab writes one class and registers what builds it, in the `pyproject.toml` of a package of its own:

    [project.entry-points."seer_bench.robots"]
    my_franka = "my_lab.franka:make_robot"      # a callable (options: Mapping[str, str]) -> RobotIO

The harness calls a driver from the thread of its control loop, except `stop`, which any thread may call at any moment.
All poses are those of the tool centre point in the frame of the robot's base, in metres, rotations as unit quaternions
(x, y, z, w). All times are seconds of `time.monotonic()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from real_robot_benchmark.plan import PlannedTrial
from real_robot_benchmark.robot.rate import Clock
from real_robot_benchmark.robot.safety import Limits
from seer_bench.contracts import SimulatorState
from seer_bench.conventions import Interface
from seer_bench.engine.faults import describe
from seer_bench.errors import SeerBenchError, SimulationError
from seer_bench.protocol import EvaluationProtocol

Vector = NDArray[np.float64]
T = TypeVar("T")


class RobotError(SimulationError):
    """The robot, a camera or the line to them failed; never the policy's fault, so the trial is paused."""


def calling(call: Callable[[], T]) -> T:
    """Call a driver; whatever it raises becomes a RobotError, so that the trial is paused and not torn down."""
    try:
        return call()
    except SimulationError:
        raise
    except SeerBenchError as error:
        raise RobotError(str(error)) from error
    except Exception as error:
        raise RobotError(f"the robot's driver failed: {describe(error)}") from error


@dataclass(frozen=True)
class Pose:
    """Where the tool centre point is, or shall be."""

    position: Vector
    """(3,) metres, base frame."""
    rotation: Vector
    """(4,) unit quaternion x, y, z, w, from the tool's frame to the base frame."""


@dataclass(frozen=True)
class Target:
    """One command: where to go and what the fingers do. Absolute, so that a lost or late one does no harm."""

    pose: Pose
    gripper: float
    """1 opens, -1 closes."""


@dataclass(frozen=True)
class Frame:
    """The newest picture of one camera."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB, upright."""
    at: float
    """When the sensor was exposed, seconds; not when the picture arrived."""


@dataclass(frozen=True)
class Reading:
    """What the robot senses, the newest that there is."""

    pose: Pose
    """Measured, not commanded."""
    gripper_open: bool
    """The fingers are open."""
    at: float
    """When pose and gripper were measured, seconds."""
    cameras: Mapping[str, Frame] = field(default_factory=dict)
    """By name: "rgb_primary", "rgb_wrist"; further ones are filmed and not shown to policies."""


@dataclass(frozen=True)
class RobotInfo:
    """What a robot says of itself when it is connected."""

    name: str
    """E.g. "Franka Research 3, cell 2"."""
    cameras: Mapping[str, tuple[int, int]]
    """Name -> (height, width) of the pictures that `read` gives."""
    limits: Limits | None = None
    """What no target may exceed; None: the operator must give limits. The operator's can only be tighter."""


class RobotIO(Protocol):
    """A robot, as the harness drives it. Every method raises RobotError when it cannot do what it says."""

    def connect(self) -> RobotInfo:
        """Connect to arm, gripper and cameras. The robot stands still afterwards."""

    def read(self) -> Reading:
        """The newest reading, at once: never wait for a new picture, give the last one with its time.

        Read the state before the pictures, which take longer (so does the deployment of Seer).
        """

    def command(self, target: Target) -> None:
        """Go to a target, and return without waiting for the arrival; called on the beat, 15 times a second.

        The robot moves towards the last target that it was given and holds there when no other comes. A robot that
        refuses a target of its own accord raises RobotError.
        """

    def stop(self) -> None:
        """Stand still at once and hold; gripper unchanged.

        Any thread may call it, while any other method is still running, and more than once. It must return within
        50 ms. The next `command` moves the robot again; the harness sends none before a person says so.
        """

    def close(self) -> None:
        """Let go of the robot, standing still; also after an error, and more than once."""


@runtime_checkable
class SimulatedIO(RobotIO, Protocol):
    """What only a simulated robot can do beside; privileged policies and automatic judging need it."""

    clock: Clock
    """The clock of readings, which may run faster than the one on the wall."""
    interface: Interface
    """Of the simulated benchmark, for privileged policies that know no real robot."""
    protocol: EvaluationProtocol
    """Of the simulated benchmark."""

    def begin(self, trial: PlannedTrial) -> None:
        """Set the scene of a trial up."""

    def state(self) -> SimulatorState | None:
        """What a privileged policy may see; None when the scene is over."""

    def solved(self) -> int:
        """Subtasks solved since `begin`, in order; they are the stages of the trial."""
