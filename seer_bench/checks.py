"""Public checkers for plugin authors, and the one that the engine asks before it batches."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seer_bench.contracts import Array, Policy, PolicyContext, Unit
from seer_bench.conventions import FieldSpec, ImageSpec, check_conventions
from seer_bench.errors import CheckFailedError
from seer_bench.registry import load_policy

_STEPS = 3
"""Control steps that a comparison runs, so that a policy's history takes part."""

PolicyFactory = Callable[[PolicyContext], Policy]


def check_policy(policy: str | PolicyFactory, context: PolicyContext, *, strict: bool = True) -> None:
    """Check that a policy keeps the contract that exact and repeatable results rest on; run it in the plugin's tests.

    It is played on made-up observations (noise in the declared shapes), so neither a simulator nor a task is needed.
    A privileged policy cannot act without a simulator's state: only its spec and its conventions are checked.

    Args:
        policy: name of a plugin, or what builds the policy. Two instances are built.
        context: what it is built from.
        strict: also demand that a policy with `spec.batch` > 1 gives a row the same bits among other neighbours and
            at other positions. Without that it is run with batch 1.

    Raises:
        CheckFailedError: it breaks a rule; the message names the rule and what to do.
        ConventionError: what it declares does not fit the benchmark.
        UnknownNameError: no plugin is registered under the name.
    """
    built: list[Policy] = []
    try:
        _leaves_random_state(lambda: built.extend(_build(policy, context) for _ in range(2)), "building it")
        _check_spec(built[0], context)
        if not built[0].spec.privileged:
            _leaves_random_state(lambda: _check_answers(*built), "begin, reset or act")
            if strict and built[0].spec.batch > 1 and (why := rows_are_independent(built[0])):
                raise CheckFailedError(
                    f"batch={built[0].spec.batch}: {why}. Make rows independent, or declare batch=1."
                )
    finally:
        for instance in built:
            instance.close()


def rows_are_independent(policy: Policy) -> str:
    """Whether rows of a batch keep their bits under other neighbours and at other positions.

    Made-up observations are played through batches of `policy.spec.batch` rows: each one among copies of itself, among
    others, and among others in the opposite order.

    Returns:
        Why a batch may not be used, or an empty string.
    """
    size = policy.spec.batch
    if policy.spec.privileged:
        return "it reads the simulator's state, so its rows cannot be compared beforehand"
    everyone = list(range(size))
    try:
        together = _play(policy, everyone)
        turned = _play(policy, everyone[::-1])[::-1]
        alone = [_play(policy, [row] * size)[0] for row in everyone]
    except Exception as error:
        return f"it failed on made-up observations ({type(error).__name__}: {error})"
    for row in everyone:
        if not _same(alone[row], together[row]):
            return "a row's actions change with its neighbours in the batch"
        if not _same(alone[row], turned[row]):
            return "a row's actions change with its position in the batch"
    return ""


def _leaves_random_state(action: Callable[[], object], what: str) -> None:
    """Do something; refused if it moves a global random state, which would join results to the order of units."""
    before = _random_states()
    action()
    after = _random_states()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        raise CheckFailedError(
            f"global random state: {what} changed that of {', '.join(moved)}. Draw from a generator of the policy's "
            "own, started in reset from the slot's seed."
        )


def _random_states() -> dict[str, Any]:
    """The global random states that a policy could reach."""
    states: dict[str, Any] = {"random": random.getstate(), "numpy.random": pickle.dumps(np.random.get_state())}  # noqa: NPY002 - the one to be left alone
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return states


def _build(policy: str | PolicyFactory, context: PolicyContext) -> Policy:
    """An instance of the policy."""
    built = load_policy(policy, context) if isinstance(policy, str) else policy(context)
    if not isinstance(built, Policy):
        raise CheckFailedError(f"the factory built {type(built).__name__}, which is no seer_bench.Policy.")
    return built


def _check_spec(policy: Policy, context: PolicyContext) -> None:
    """The declaration fits the benchmark and travels to another process."""
    check_conventions(policy.spec, context.interface)
    try:
        same = pickle.loads(pickle.dumps(policy.spec)) == policy.spec  # noqa: S301 - our own bytes
    except Exception as error:
        raise CheckFailedError(f"spec: it cannot be pickled ({error}). Build it from plain values.") from error
    if not same:
        raise CheckFailedError("spec: it is another one after pickling. Build it from plain values.")


def _check_answers(first: Policy, second: Policy) -> None:
    """What the policy answers: its form, and on what it depends."""
    try:
        reference = _play(first, [0])
        _demand(_play(first, [0]), reference, "reset", "let reset forget everything about a slot")
        _demand(_play(second, [0]), reference, "determinism", "draw every random number from the slot's seed")
        both = _interleaved(first)
        _demand([both[0]], reference, "slots", "keep what a slot remembers under its number")
        _demand([both[1]], _play(first, [1]), "slots", "keep what a slot remembers under its number")
        _demand(_play(first, [0], overwrite=True), reference, "observations", "copy what a history keeps")
    except CheckFailedError:
        raise
    except Exception as error:
        raise CheckFailedError(f"act: it failed on made-up observations: {type(error).__name__}: {error}") from error


def _demand(found: Sequence[Array], wanted: Sequence[Array], rule: str, hint: str) -> None:
    """Refuse answers that differ."""
    what = {
        "reset": "after a reset with the same seed and observations the actions differ",
        "determinism": "two instances with the same seed and observations give different actions",
        "slots": "the actions in a slot change when another slot is played in between",
        "observations": "the actions change when the arrays given to act are overwritten after the call",
    }
    if not all(_same(a, b) for a, b in zip(found, wanted, strict=True)):
        raise CheckFailedError(f"{rule}: {what[rule]}; {hint}.")


def _same(a: Array, b: Array) -> bool:
    """Bit for bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _play(policy: Policy, contents: Sequence[int], *, overwrite: bool = False) -> list[Array]:
    """Actions of a few steps (steps, chunk, dim) of every row; `contents` says what each row sees."""
    slots = list(range(len(contents)))
    _start(policy, slots, contents)
    steps = [_act(policy, slots, contents, step, overwrite=overwrite) for step in range(_STEPS)]
    if len({step.dtype for step in steps}) > 1:
        raise CheckFailedError("dtype: act changed it from one call to the next; keep to one.")
    return [np.stack([step[row] for step in steps]) for row in slots]


def _interleaved(policy: Policy) -> list[Array]:
    """What slots 0 and 1 answer when they are played in turns."""
    answers: list[list[Array]] = [[], []]
    for slot in (0, 1):
        _start(policy, [slot], [slot])
    for step in range(_STEPS):
        for slot in (0, 1):
            answers[slot].append(_act(policy, [slot], [slot], step)[0])
    return [np.stack(steps) for steps in answers]


def _start(policy: Policy, slots: Sequence[int], contents: Sequence[int]) -> None:
    """Begin a unit and its first subtask."""
    policy.begin(slots, [Unit(f"check:row={content}", content) for content in contents])
    policy.reset(slots, [f"instruction {content}" for content in contents], list(contents))


def _act(policy: Policy, slots: Sequence[int], contents: Sequence[int], step: int, *, overwrite: bool = False) -> Array:
    """One call of `act`, whose answer and manners are checked; optionally the observations are spoilt afterwards."""
    given = _observations(policy.spec.observations, contents, step)
    before = {name: value.copy() for name, value in given.items()}
    answer = policy.act(slots, given)
    for name, value in given.items():
        if not _same(value, before[name]):
            raise CheckFailedError(f"observations: act changed '{name}' in place; work on a copy.")
    _check_form(answer, (len(slots), policy.spec.chunk, policy.spec.action.dim))
    kept = answer.copy()
    if overwrite:
        for value in given.values():
            value[...] = 0
    return kept


def _check_form(answer: object, shape: tuple[int, ...]) -> None:
    """Refuse what the engine would refuse."""
    if not isinstance(answer, np.ndarray):
        raise CheckFailedError(f"shape: act returned {type(answer).__name__}; return a NumPy array of shape {shape}.")
    if answer.shape != shape:
        raise CheckFailedError(f"shape: act returned {answer.shape}; (slots, chunk, action.dim) is {shape}.")
    if answer.dtype.kind != "f":
        raise CheckFailedError(f"dtype: act returned {answer.dtype}; return a floating dtype.")
    if not np.isfinite(answer).all():
        raise CheckFailedError("finite: act returned NaN or infinity.")


def _observations(fields: Mapping[str, FieldSpec], contents: Sequence[int], step: int) -> dict[str, Array]:
    """Made-up observations; a row depends on its content and the step alone."""
    rows = [_one(fields, np.random.default_rng((content, step))) for content in contents]
    return {name: np.stack([row[name] for row in rows]) for name in fields}


def _one(fields: Mapping[str, FieldSpec], rng: np.random.Generator) -> dict[str, Array]:
    """One made-up observation."""
    return {name: _field(spec, rng) for name, spec in fields.items()}


def _field(spec: FieldSpec, rng: np.random.Generator) -> Array:
    """One made-up value of a field."""
    if not isinstance(spec, ImageSpec):
        return rng.normal(size=spec.size)
    if spec.kind == "depth":
        return rng.uniform(0.1, 5.0, (spec.height, spec.width)).astype(np.float32)
    return rng.integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
