"""A robot that is a simulator: any registered benchmark whose actions are added to the target pose, as CALVIN's.

`--robot simulated` with `--robot-arg`:

    benchmark=calvin              the simulator
    protocol=calvin-embedded/v1   its scene and tasks; case 1 of a task is the first unit, and so on
    time=simulated                or "real": as fast as it can, or 15 commands a second
    pictures=96                   height of the rendered pictures, scaled up to 640 x 480; 0 draws none, all are grey
    camera_delay_s=0.1 ...        faults, see `faults.Faults`

Every command is one control step of the simulator. The stages of a trial are the subtasks of the unit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

import numpy as np
from PIL import Image

from real_robot_benchmark.plan import PlannedTrial
from real_robot_benchmark.robot.conventions import HEIGHT, WIDTH, euler, pose
from real_robot_benchmark.robot.faults import Faults
from real_robot_benchmark.robot.io import Frame, Reading, RobotError, RobotInfo, Target
from real_robot_benchmark.robot.rate import Clock, SimulatedClock, WallClock
from real_robot_benchmark.robot.safety import Limits
from real_robot_benchmark.robot.translated import check_accumulated
from seer_bench.contracts import Array, Benchmark, Cameras, Environment, SimulatorState
from seer_bench.errors import InvalidActionError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import find_protocol, load_benchmark

CAMERAS = ("rgb_primary", "rgb_wrist")
_REACH = 0.6
"""Metres around the first pose of the first unit: half the workspace along each axis."""
_USUAL = {"benchmark": "calvin", "protocol": "calvin-embedded/v1", "time": "simulated", "pictures": "96"}


def make_robot(options: Mapping[str, str]) -> SimulatedRobot:
    """Build a simulated robot; raises UsageError."""
    chosen = {**_USUAL, **{key: value for key, value in options.items() if key in _USUAL}}
    faults = Faults.parse({key: value for key, value in options.items() if key not in _USUAL})
    if chosen["time"] not in ("simulated", "real"):
        raise UsageError(f"--robot-arg time={chosen['time']}: it is simulated or real.")
    if not chosen["pictures"].isdecimal() or int(chosen["pictures"]) > HEIGHT:
        raise UsageError(f"--robot-arg pictures={chosen['pictures']}: it is a height of 0 to {HEIGHT} pixels.")
    benchmark = load_benchmark(chosen["benchmark"])
    clock: Clock = SimulatedClock() if chosen["time"] == "simulated" else WallClock()
    protocol = find_protocol(benchmark, chosen["protocol"])
    return SimulatedRobot(benchmark, protocol, clock, pictures=int(chosen["pictures"]), faults=faults)


class SimulatedRobot:
    """A `SimulatedIO`.

    Args:
        benchmark: the simulator.
        protocol: its scene.
        clock: of the readings.
        pictures: height of rendered pictures; 0 for grey ones.
        faults: what goes wrong.

    Raises:
        ConventionError: the simulator's actions cannot be made from target poses.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        protocol: EvaluationProtocol,
        clock: Clock,
        *,
        pictures: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self.clock, self.protocol = clock, protocol
        self.interface = benchmark.interface(protocol)
        self.stops = 0
        """Calls of `stop` so far."""
        self._metres, self._radians = check_accumulated(self.interface.action)
        self._benchmark, self._pictures, self._faults = benchmark, pictures, faults or Faults()
        self._units = benchmark.units(protocol)
        self._env: Environment | None = None
        self._state: SimulatorState | None = None
        self._over = True
        self._solved = self._commands = self._reads = 0
        self._frames: dict[str, Frame] = {}
        self._lost = False
        self._awake = threading.Event()

    def connect(self) -> RobotInfo:
        """Build the simulator, in the first unit's start state; the workspace is around it."""
        if self._env is None:
            cameras: Cameras = "any" if self._pictures else "off"
            self._env = self._benchmark.make_env(self.protocol, cameras=cameras, backend=self._benchmark.backends()[0])
        self._env.begin(self._units[0])
        x, y, z = (float(value) for value in self._env.state().tcp_position)
        limits = Limits(
            (x - _REACH, y - _REACH, z - _REACH), (x + _REACH, y + _REACH, z + _REACH), max_tilt_rad=math.pi
        )
        return RobotInfo(f"simulated, {self.protocol.name}", dict.fromkeys(CAMERAS, (HEIGHT, WIDTH)), limits)

    def begin(self, trial: PlannedTrial) -> None:
        """Case n is unit n - 1 of the protocol."""
        if trial.case > len(self._units):
            raise RobotError(f"case {trial.case}: {self.protocol.name} has {len(self._units)} units.")
        self._simulator().begin(self._units[trial.case - 1])
        self._over, self._solved = False, 0
        self._state = self._simulator().state()

    def state(self) -> SimulatorState | None:
        """What a privileged policy may see; None when the unit is over."""
        return None if self._over else self._state

    def solved(self) -> int:
        """Subtasks solved since `begin`."""
        return self._solved

    def read(self) -> Reading:
        """The state now, and the last pictures."""
        self._refuse_lost()
        if self._state is None:
            raise RobotError("no trial has begun, so there is nothing to sense.")
        state, now = self._state, self.clock.now()
        self._reads += 1
        dropped = self._faults.drop_every and self._reads % self._faults.drop_every == 0
        if not self._frames or not dropped:
            at = now - self._faults.camera_delay_s
            self._frames = {name: Frame(image, at) for name, image in self._look().items()}
        return Reading(pose(state.tcp_position, state.tcp_euler), state.gripper_command > 0, now, dict(self._frames))

    def command(self, target: Target) -> None:
        """One control step towards the target."""
        self._refuse_lost()
        self._commands += 1
        if self._commands == self._faults.refuse_at:
            raise RobotError(f"the robot refused command {self._commands}.")
        if self._commands == self._faults.lose_at:
            self._lost = True
            self._refuse_lost()
        if self._commands == self._faults.hang_at:
            self._awake.wait(self._faults.hang_s)
        if self._over or self._state is None:
            return  # the unit has ended, and the arm stands still
        try:
            step = self._simulator().advance(self._action(self._state, target))
        except InvalidActionError as error:
            raise RobotError(f"the simulator refused the target: {error}") from error
        self._solved += step.solved
        self._over = step.subtask_over and step.next_subtask is None
        if not self._over:
            self._state = self._simulator().state()

    def stop(self) -> None:
        """Nothing moves but by commands, so there is only the counting."""
        self.stops += 1

    def close(self) -> None:
        """Free the simulator."""
        self._awake.set()
        if self._env is not None:
            self._env.close()
            self._env = None

    def _simulator(self) -> Environment:
        """The environment; raises RobotError before `connect`."""
        if self._env is None:
            raise RobotError("the simulated robot is not connected.")
        return self._env

    def _refuse_lost(self) -> None:
        """Raise RobotError where the connection is lost."""
        if self._lost:
            raise RobotError("the connection to the robot is lost.")

    def _action(self, state: SimulatorState, target: Target) -> Array:
        """The simulator's action that moves its target pose to `target`."""
        move = (target.pose.position - state.target_position) / self._metres
        turn = (euler(target.pose.rotation) - state.target_euler + np.pi) % (2 * np.pi) - np.pi
        return np.concatenate([move, turn / self._radians, [target.gripper]])

    def _look(self) -> dict[str, Array]:
        """Both cameras, (480, 640, 3): the simulator's square pictures with grey beside them."""
        grey = np.full((HEIGHT, WIDTH, 3), 127, np.uint8)
        if not self._pictures:
            return dict.fromkeys(CAMERAS, grey)
        pictures = self._simulator().film(self._pictures).values()
        return {name: _widen(picture, grey) for name, picture in zip(CAMERAS, pictures, strict=False)}


def _widen(picture: Array, grey: Array) -> Array:
    """A square picture in the middle of a grey frame."""
    wide = grey.copy()
    left = (WIDTH - HEIGHT) // 2
    scaled = Image.fromarray(picture).resize((HEIGHT, HEIGHT), Image.Resampling.NEAREST)
    wide[:, left : left + HEIGHT] = np.asarray(scaled)
    return wide
