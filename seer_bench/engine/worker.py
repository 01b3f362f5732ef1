"""A worker process: one environment, one unit at a time.

Messages from the main process: `Assignment`, then `Reply` for every question asked. Messages to it: `Question` where
the policy lives in the main process, and for every assignment one `Finished`, `Broken` or `Requeued`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

from seer_bench.contracts import Array, Cameras, Environment, Policy, PolicyContext, SimulatorState, StepResult, Unit
from seer_bench.conventions import PolicySpec
from seer_bench.engine.rollout import Played, play
from seer_bench.engine.shared import SharedArray
from seer_bench.errors import PolicyError, SimulationError
from seer_bench.registry import load_benchmark, load_policy

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class WorkerSpec:
    """Everything that a worker is made from."""

    index: int
    benchmark: str
    cameras: Cameras
    backend: str
    run_seed: int
    policy: str
    context: PolicyContext
    spec: PolicySpec
    """The policy's; where its placement is "worker", the policy itself is built in the worker."""
    parent: int
    """Process id of the main process."""
    egl_device: int | None
    """Which GPU renders; None leaves the choice to the driver."""


@dataclass(frozen=True)
class Assignment:
    """Play this unit."""

    unit: Unit
    attempt: int


@dataclass(frozen=True)
class Question:
    """A call of the policy; the observations of an `act` lie in shared memory."""

    kind: Literal["begin", "reset", "act"]
    unit: Unit | None = None
    instruction: str = ""
    seed: int = 0
    state: SimulatorState | None = None


@dataclass(frozen=True)
class Reply:
    """What the policy answered: actions (1, chunk, dim), nothing, or its fault."""

    actions: Array | None = None
    fault: str | None = None
    traceback: str = ""
    """Where the fault was raised."""
    outage: str | None = None
    """The policy ran out of memory or lost its server, which is the infrastructure's failure."""
    requeue: bool = False
    """A batch failed in which other units took part: play this unit again, alone, to see whose fault it is."""


@dataclass(frozen=True)
class Finished:
    """The unit was played to its end."""

    played: Played


@dataclass(frozen=True)
class Broken:
    """The infrastructure failed; the worker ends."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Requeued:
    """The unit was given up because a batch failed."""


class _Requeue(BaseException):
    """Leaves `play` without being taken for a fault of the policy."""


def work(spec: WorkerSpec, observations: Mapping[str, SharedArray], beats: SharedArray, pipe: Connection) -> None:
    """Body of the process: play what is assigned until the pipe closes."""
    _die_with(spec.parent)
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the main process decides
        signal.signal(number, signal.SIG_IGN)
    if spec.egl_device is not None:
        os.environ["EGL_VISIBLE_DEVICES"] = str(spec.egl_device)
    env: Environment | None = None
    policy: Policy | None = None
    try:
        while True:
            assignment: Assignment = pipe.recv()
            try:
                if env is None or policy is None:
                    beat = _Beat(beats.array, spec.index)
                    env = _Beating(_make_env(spec), beat)
                    policy = _make_policy(spec, observations, pipe)
                played = play(env, policy, assignment.unit, run_seed=spec.run_seed, attempt=assignment.attempt)
            except _Requeue:
                pipe.send(Requeued())
            except Exception as error:
                pipe.send(Broken(f"{type(error).__name__}: {error}", traceback.format_exc()))
                return
            else:
                pipe.send(Finished(played))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    finally:
        if env is not None:
            env.close()


def _make_env(spec: WorkerSpec) -> Environment:
    """The environment of this worker."""
    benchmark = load_benchmark(spec.benchmark)
    return benchmark.make_env(spec.context.protocol, cameras=spec.cameras, backend=spec.backend)


def _make_policy(spec: WorkerSpec, observations: Mapping[str, SharedArray], pipe: Connection) -> Policy:
    """The policy itself, or what stands for the one in the main process."""
    if spec.spec.placement == "worker":
        return load_policy(spec.policy, spec.context)
    rows = {name: shared.array[spec.index] for name, shared in observations.items()}
    return _PolicyInMain(spec.spec, rows, pipe)


class _PolicyInMain(Policy):
    """Asks the policy in the main process."""

    def __init__(self, spec: PolicySpec, rows: Mapping[str, Array], pipe: Connection) -> None:
        self.spec = spec
        self._rows = rows
        self._pipe = pipe
        self._state: SimulatorState | None = None

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """Tell which unit begins."""
        self._ask(Question("begin", unit=units[0]))

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Tell which subtask begins."""
        self._ask(Question("reset", instruction=instructions[0], seed=seeds[0]))

    def see(self, slots: Sequence[int], states: Sequence[SimulatorState]) -> None:
        """Keep the state for the next `act`."""
        self._state = states[0]

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Leave the observation in shared memory and wait for the actions."""
        for name, value in observations.items():
            self._rows[name][...] = value[0]
        reply = self._ask(Question("act", state=self._state))
        if reply.actions is None:
            raise PolicyError("act returned nothing.")
        return reply.actions

    def _ask(self, question: Question) -> Reply:
        """Send a question and wait for its answer."""
        self._pipe.send(question)
        reply: Reply = self._pipe.recv()
        if reply.requeue:
            raise _Requeue
        if reply.outage is not None:
            raise SimulationError(reply.outage)
        if reply.fault is not None:
            raise PolicyError(reply.fault) from RuntimeError(f"in the main process:\n{reply.traceback}")
        return reply


class _Beat:
    """Counts this worker's signs of life where the main process can see them: steps, and everything else."""

    def __init__(self, beats: Array, index: int) -> None:
        self._row = beats[index]

    def step(self) -> None:
        """A control step was taken."""
        self._row[0] += 1

    def other(self) -> None:
        """Something else was done that takes time: a world was built, an image rendered."""
        self._row[1] += 1


class _Beating:
    """An environment that counts what it does."""

    def __init__(self, env: Environment, beat: _Beat) -> None:
        self._env, self._beat = env, beat
        self.observe = env.observe
        self.state = env.state
        self.film = env.film
        self.close = env.close

    @property
    def renderer(self) -> str:
        """As the environment says."""
        return self._env.renderer

    def begin(self, unit: Unit) -> Any:
        """Begin, and count it."""
        first = self._env.begin(unit)
        self._beat.other()
        return first

    def advance(self, action: Array) -> StepResult:
        """Advance, and count it."""
        result = self._env.advance(action)
        self._beat.step()
        return result


def _die_with(parent: int) -> None:
    """End when the main process ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call above; elsewhere the closed pipe ends the worker
        sys.exit(1)
