"""One unit from its start state to its end: the policy acts, the environment answers, every action is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from seer_bench.contracts import (
    Array,
    Environment,
    Outcome,
    Policy,
    StepResult,
    Subtask,
    SubtaskResult,
    Unit,
    UnitError,
    UnitResult,
)
from seer_bench.engine.faults import ask, shorten, trace_of
from seer_bench.engine.seeding import derive_seed
from seer_bench.errors import InvalidActionError, PolicyError
from seer_bench.store import actions_sha256


@dataclass(frozen=True)
class Played:
    """An outcome and the actions that led to it."""

    result: UnitResult
    actions: Array
    """Executed actions (steps, dim), in the dtype that the policy emitted."""


@dataclass
class Timing:
    """Seconds that a unit spent in each part; what is missing to the whole is the harness'."""

    physics: float = 0.0
    render: float = 0.0
    """Sensing, images above all."""
    policy: float = 0.0
    """Waiting for the policy, a queue before it included."""

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add what the block takes to `part`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + time.perf_counter() - started)


@dataclass
class _Trace:
    """What has happened in a unit so far; survives a policy that fails half-way."""

    subtasks: list[SubtaskResult] = field(default_factory=list)
    actions: list[Array] = field(default_factory=list)
    current: Subtask | None = None
    steps: int = 0
    timing: Timing = field(default_factory=Timing)

    def begin(self, subtask: Subtask | None) -> None:
        """Go on with the next subtask."""
        self.current, self.steps = subtask, 0

    def end(self, success: bool) -> None:
        """Write down how the current subtask ended."""
        if self.current is not None:
            done = SubtaskResult(self.current.task, self.current.instruction, success, self.steps)
            self.subtasks.append(done)


def play(
    env: Environment,
    policy: Policy,
    unit: Unit,
    *,
    run_seed: int,
    attempt: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> Played:
    """Play one unit to its end.

    A fault of the policy (an exception in its methods, an action that is misshapen or not finite) ends the unit as
    a failure. Any other exception is the infrastructure's and is left to the caller.

    Args:
        env: the simulator; its state before the call does not matter.
        policy: called with the single slot 0.
        unit: what to play.
        run_seed: together with the unit's id and the subtask's index it gives the policy's seeds.
        attempt: number under which the result is recorded.
        tick: called after every control step.
    """
    started = time.perf_counter()
    trace = _Trace()
    error: UnitError | None = None
    blame: dict[str, str] = {}
    with trace.timing.of("physics"):
        first = env.begin(unit)
    trace.begin(first)
    try:
        ask(lambda: policy.begin([0], [unit]))
        while trace.current is not None:
            seed = derive_seed(run_seed, unit.id, trace.current.index)
            step = _play_subtask(env, policy, trace, seed, tick)
            trace.end(step.solved)
            trace.begin(step.next_subtask)
    except PolicyError as fault:
        trace.end(success=False)
        error = UnitError("policy_error", shorten(str(fault)))
        blame = {"traceback": trace_of(fault)}
    actions = _stack(trace.actions, policy.spec.action.dim)
    outcome: Outcome = "success" if error is None and all(s.success for s in trace.subtasks) else "failure"
    result = UnitResult(
        unit_id=unit.id,
        attempt=attempt,
        outcome=outcome,
        subtasks=tuple(trace.subtasks),
        seed=derive_seed(run_seed, unit.id),
        actions_out_of_range=int((np.abs(actions) > 1).any(axis=1).sum()),
        actions_sha256=actions_sha256(actions),
        error=error,
        initial=dict(getattr(env, "initial", {})),
        run_info={
            "seconds": round(time.perf_counter() - started, 4),
            **{part: round(seconds, 4) for part, seconds in vars(trace.timing).items()},
            **blame,
        },
    )
    return Played(result, actions)


def _play_subtask(env: Environment, policy: Policy, trace: _Trace, seed: int, tick: Callable[[], None]) -> StepResult:
    """Let the policy act until the current subtask is over."""
    assert trace.current is not None  # noqa: S101 - the caller's loop condition, for the type checker
    instruction = trace.current.instruction
    with trace.timing.of("policy"):
        ask(lambda: policy.reset([0], [instruction], [seed]))
    while True:
        for action in _next_chunk(env, policy, trace):
            with trace.timing.of("physics"):
                step = env.advance(action)
            trace.actions.append(action)
            trace.steps += 1
            tick()
            if step.subtask_over:
                return step


def _next_chunk(env: Environment, policy: Policy, trace: _Trace) -> Array:
    """Observe, ask the policy, and check what it answers; the actions (chunk, dim) to execute."""
    spec = policy.spec
    with trace.timing.of("render"):
        state = env.state() if spec.privileged else None
        observations = {name: value[None] for name, value in env.observe(spec.observations).items()}
    with trace.timing.of("policy"):
        if state is not None:
            seen = [state]
            ask(lambda: policy.see([0], seen))
        answer = ask(lambda: policy.act([0], observations))
    previous = trace.actions[-1].dtype if trace.actions else None
    # A copy, because many policies hand out the same buffer again and again, and these actions are kept.
    chunk: Array = _checked(answer, (1, spec.chunk, spec.action.dim), previous)[0].copy()
    return chunk


def _checked(answer: object, shape: tuple[int, ...], previous: np.dtype | None) -> Array:
    """Refuse what is no finite floating array of the declared shape, or changes its dtype within a unit."""
    if not isinstance(answer, np.ndarray):
        raise InvalidActionError(f"act returned {type(answer).__name__}; a NumPy array of shape {shape} was declared.")
    answer = np.asarray(answer)  # subclasses need not survive pickling
    if answer.shape != shape:
        raise InvalidActionError(f"act returned an action of shape {answer.shape}; {shape} was declared.")
    if answer.dtype.kind != "f" or answer.dtype.itemsize > 8:
        raise InvalidActionError(f"act returned dtype {answer.dtype}; actions must be float16, float32 or float64.")
    if previous is not None and answer.dtype != previous:
        raise InvalidActionError(f"act returned dtype {answer.dtype} after {previous}; one unit keeps one dtype.")
    if not np.isfinite(answer).all():
        raise InvalidActionError(f"act returned an action that is not finite: {answer.tolist()}")
    return answer


def _stack(actions: Sequence[Array], dim: int) -> Array:
    """Actions (steps, dim) in their own dtype; float64 where no step was taken."""
    return np.stack(actions) if actions else np.empty((0, dim))


def replay(env: Environment, unit: Unit, actions: Array) -> Iterator[tuple[Subtask, int, StepResult | None]]:
    """Play recorded actions again; the environment may be looked at between the steps.

    Yields:
        The subtask, the number of steps taken in it, and the step's result: first None for the start state, then
        one item an action.
    """
    subtask, steps = env.begin(unit), 0
    yield subtask, steps, None
    for action in actions:
        step = env.advance(action)
        steps += 1
        yield subtask, steps, step
        if step.subtask_over:
            if step.next_subtask is None:
                return
            subtask, steps = step.next_subtask, 0
