"""A worker process: one environment, one unit at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seer_bench.contracts import Array, Cameras, Environment, Policy, PolicyContext, SimulatorState, StepResult, Unit
from seer_bench.conventions import PolicySpec
from seer_bench.engine.channel import Channel
from seer_bench.engine.faults import Leave, describe, trace_of
from seer_bench.engine.messages import (
    Act,
    Actions,
    Assignment,
    Begin,
    Broken,
    Fault,
    Finished,
    Outage,
    Question,
    Requeue,
    Requeued,
    Reset,
)
from seer_bench.engine.process import die_with, leave_interrupts
from seer_bench.engine.rollout import play
from seer_bench.engine.shared import SharedArray, Vitals
from seer_bench.errors import PolicyError
from seer_bench.registry import load_benchmark, load_policy


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
class Lines:
    """What a worker shares with the main process."""

    work: Channel
    """Assignments and their results."""
    policy: Channel
    """Questions and replies; unused where the policy lives in the worker."""
    observations: Mapping[str, SharedArray]
    """A row for every worker, of each field that a policy in the main process looks at."""
    vitals: Vitals


class _Abandoned(Leave):
    """The unit is given up."""

    def __init__(self, message: Broken | Requeued) -> None:
        self.message = message


def work(spec: WorkerSpec, lines: Lines) -> None:
    """Body of the process: play what is assigned until the main process is gone."""
    die_with(spec.parent)
    leave_interrupts()
    if spec.egl_device is not None:
        os.environ["EGL_VISIBLE_DEVICES"] = str(spec.egl_device)
    env: Environment | None = None
    policy: Policy | None = None
    try:
        while True:
            assignment: Assignment = lines.work.receive()
            message: Finished | Broken | Requeued
            try:
                if env is None:
                    env = _Watched(_make_env(spec), lines.vitals)
                    policy = load_policy(spec.policy, spec.context) if spec.spec.placement == "worker" else None
                player = policy or _PolicyInMain(spec, lines, assignment.alone)
                unit, attempt = assignment.unit, assignment.attempt
                message = Finished(play(env, player, unit, run_seed=spec.run_seed, attempt=attempt))
            except _Abandoned as given_up:
                message = given_up.message
            except Exception as error:
                message = Broken(describe(error), trace_of(error))
            lines.work.send(message)
    except (EOFError, OSError):
        return
    finally:
        if env is not None:
            env.close()


def _make_env(spec: WorkerSpec) -> Environment:
    """The environment of this worker."""
    benchmark = load_benchmark(spec.benchmark)
    return benchmark.make_env(spec.context.protocol, cameras=spec.cameras, backend=spec.backend)


class _PolicyInMain(Policy):
    """Asks the policy in the main process, for one unit."""

    def __init__(self, spec: WorkerSpec, lines: Lines, alone: bool) -> None:
        self.spec = spec.spec
        self._line, self._vitals, self._alone = lines.policy, lines.vitals, alone
        self._rows = {name: shared.array[spec.index] for name, shared in lines.observations.items()}
        self._state: SimulatorState | None = None

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """Tell which unit begins."""
        self._ask(Begin(units[0]))

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Tell which subtask begins."""
        self._ask(Reset(instructions[0], seeds[0]))

    def see(self, slots: Sequence[int], states: Sequence[SimulatorState]) -> None:
        """Keep the state for the next `act`."""
        self._state = states[0]

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Leave the observation in shared memory and wait for the actions."""
        for name, value in observations.items():
            row = self._rows[name]
            if value.dtype != row.dtype or value.shape[1:] != row.shape:
                given, declared = f"{value.dtype} {value.shape[1:]}", f"{row.dtype} {row.shape}"
                raise _Abandoned(Broken(f"the environment gave '{name}' as {given}, declared is {declared}", ""))
            row[...] = value[0]
        answer = self._ask(Act(self._alone, self._state))
        if answer is None:
            raise PolicyError("act returned nothing.")
        return answer

    def _ask(self, question: Question) -> Array | None:
        """Send a question and wait for its reply; the actions, if it brings some."""
        try:
            self._line.send(question)
            self._vitals.asked()
            reply = self._line.receive()
        except (EOFError, OSError) as error:
            gone = Broken("the line to the policy in the main process was cut", trace_of(error))
            raise _Abandoned(gone) from error
        if isinstance(reply, Requeue):
            raise _Abandoned(Requeued())
        if isinstance(reply, Outage):
            raise _Abandoned(Broken(reply.message, reply.traceback))
        if isinstance(reply, Fault):
            raise PolicyError(reply.message) from RuntimeError(f"in the main process:\n{reply.traceback}")
        return reply.actions if isinstance(reply, Actions) else None


class _Watched:
    """An environment that shows signs of life."""

    def __init__(self, env: Environment, vitals: Vitals) -> None:
        self._env, self._vitals = env, vitals
        self.state = env.state
        self.film = env.film
        self.close = env.close

    @property
    def renderer(self) -> str:
        """As the environment says."""
        return self._env.renderer

    @property
    def initial(self) -> Mapping[str, Any]:
        """As the environment says; nothing where it does not."""
        chosen: Mapping[str, Any] = getattr(self._env, "initial", {})
        return chosen

    def begin(self, unit: Unit) -> Any:
        """Begin, and count it."""
        first = self._env.begin(unit)
        self._vitals.worked()
        return first

    def observe(self, fields: Collection[str]) -> dict[str, Array]:
        """Observe, and count it."""
        seen = self._env.observe(fields)
        self._vitals.worked()
        return seen

    def advance(self, action: Array) -> StepResult:
        """Advance, and count it."""
        result = self._env.advance(action)
        self._vitals.stepped()
        return result
