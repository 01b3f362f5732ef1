"""Playing a policy on made-up observations: what `check_policy` compares, and what a run asks before it batches."""

from __future__ import annotations

import inspect
import pickle
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from seer_bench._blame import described
from seer_bench.contracts import Array, Foresight, Policy, Unit
from seer_bench.conventions import FieldSpec, ImageSpec
from seer_bench.errors import CheckFailedError

STEPS = 3
"""Control steps that a comparison runs, so that a policy's history takes part."""

_SEED = 2**32 - 1
"""Seeds are 32-bit numbers without a sign; the largest one finds out who takes them for less."""
_GARBAGE = 7.0


class Rehearsal:
    """Calls one policy as the engine does and checks the form of every answer.

    A row's *content* is a number that chooses its observations, sentence, seed and unit.

    Args:
        policy: what is called.
        guarded: also refuse calls that move a global random state.
        overwrite: overwrite the observations after every call, as the engine does.
        scribble: overwrite the actions after every call.
        peek: ask for the foresight after every call.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        guarded: bool = False,
        overwrite: bool = False,
        scribble: bool = False,
        peek: bool = False,
    ) -> None:
        self.policy = policy
        self._guarded, self._overwrite, self._scribble, self._peek = guarded, overwrite, scribble, peek
        self._last: tuple[Array, Array] | None = None
        """What `act` returned last, and a copy of it."""

    def play(self, contents: Sequence[int], *, slots: Sequence[int] | None = None, steps: int = STEPS) -> list[Array]:
        """Actions (steps, chunk, dim) of every row of a batch."""
        slots = list(range(len(contents))) if slots is None else slots
        self.start(slots, contents)
        acted = [self.act(slots, contents, step) for step in range(steps)]
        return [np.stack([actions[row] for actions in acted]) for row in range(len(slots))]

    def start(self, slots: Sequence[int], contents: Sequence[int], *, begin: bool = True) -> None:
        """Begin a unit, unless it goes on, and a subtask of it."""
        if begin:
            units = [Unit(f"check:row={content}", content) for content in contents]
            self._call("begin", slots, self.policy.begin, list(slots), units)
        sentences = [f"instruction {content}" for content in contents]
        self._call("reset", slots, self.policy.reset, list(slots), sentences, [_SEED - content for content in contents])

    def act(self, slots: Sequence[int], contents: Sequence[int], step: int) -> Array:
        """One call of `act`: its actions (slots, chunk, dim)."""
        given = made_up(self.policy.spec.observations, contents, step)
        before = {name: value.copy() for name, value in given.items()}
        told = list(slots)
        answer = self._call("act", slots, self.policy.act, told, given)
        for name, value in given.items():
            if not same(value, before[name]):
                raise CheckFailedError(f"observations: act changed '{name}' in place; work on a copy.")
        if told != list(slots):
            raise CheckFailedError(
                f"slots: act changed the list of slots from {list(slots)} to {told}; leave it alone."
            )
        kept = self._checked(answer, (len(slots), self.policy.spec.chunk, self.policy.spec.action.dim), step)
        if self._overwrite:
            for value in given.values():
                value[...] = 0
            if not same(answer, kept):
                raise CheckFailedError(
                    "observations: what act returned changes when the arrays given to it are overwritten; copy it."
                )
        if self._scribble and answer.flags.writeable:
            answer[...] = _GARBAGE
            self._last = None
        if self._peek:
            for slot in slots:
                _check_foresight(self._call("foresee", [slot], self.policy.foresee, slot), self.policy.spec.foresight)
        return kept

    def _checked(self, answer: Any, shape: tuple[int, ...], step: int) -> Array:
        """A copy of an answer in good form; the one before it must still be what it was."""
        _check_form(answer, shape, step)
        kept: Array = answer.copy()
        if self._last is not None:
            before, copy = self._last
            if not same(before, copy):
                raise CheckFailedError(
                    f"actions: the array that act returned at step {step - 1} was changed by a later call; return a "
                    "new one every time."
                )
            if before.dtype != kept.dtype:
                raise CheckFailedError(
                    f"dtype: act changed it from one call to the next, {before.dtype} to {kept.dtype}; keep to one."
                )
        self._last = (answer, kept)
        return kept

    def _call(self, name: str, slots: Sequence[int], method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the policy; what it raises is a finding."""
        before = random_states() if self._guarded else {}
        try:
            answer = method(*arguments)
        except (Exception, SystemExit) as error:
            why = f"{name}: it failed for slots {list(slots)}: {described(error)}"
            raise CheckFailedError(f"{why}{_next_step(name, slots, error)}") from error
        if self._guarded:
            refuse_moved(before, name)
        return answer


def _next_step(name: str, slots: Sequence[int], error: BaseException) -> str:
    """What the commonest exceptions of a policy mean; they do not say it themselves."""
    if isinstance(error, TypeError) and error.__traceback__ and error.__traceback__.tb_next is None:
        arguments = list(inspect.signature(getattr(Policy, name)).parameters)[1:]
        return f"; it is called as {name}({', '.join(arguments)})"
    if isinstance(error, IndexError) and any(slot >= len(slots) for slot in slots):
        return "; a slot is any number, so keep what it remembers in a dictionary"
    return ""


def _check_form(answer: object, shape: tuple[int, ...], step: int) -> None:
    """Refuse what the engine would refuse."""
    if not isinstance(answer, np.ndarray):
        how = ", e.g. with .detach().cpu().numpy()" if hasattr(answer, "detach") else ""
        raise CheckFailedError(
            f"shape: act returned {type(answer).__name__}; return a NumPy array of shape {shape}{how}."
        )
    if answer.shape != shape:
        how = "; the axis of the chunk is missing: actions[:, None] if it is 1" if answer.shape == shape[::2] else ""
        raise CheckFailedError(f"shape: act returned {answer.shape}; (slots, chunk, action.dim) is {shape}{how}.")
    if answer.dtype.kind != "f":
        raise CheckFailedError(
            f"dtype: act returned {answer.dtype}; return a floating dtype, e.g. actions.astype(np.float32)."
        )
    if not (finite := np.isfinite(answer)).all():
        row, action, entry = (int(i) for i in np.argwhere(~finite)[0])
        where = f"step {step}, row {row}, action {action}, entry {entry}"
        raise CheckFailedError(f"finite: act returned {answer[row, action, entry]} at {where}.")


def _check_foresight(found: object, fields: Sequence[str]) -> None:
    """Refuse what films could not show."""
    if found is None:
        return
    if not isinstance(found, Foresight) or found.steps < 1 or set(found.images) != set(fields):
        raise CheckFailedError(f"foresight: foresee returned {found!r}; return a Foresight of {', '.join(fields)}.")
    for name, image in found.images.items():
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise CheckFailedError(
                f"foresight: the image '{name}' is {image.dtype} {image.shape}; return uint8 (height, width, 3)."
            )


def same(a: Array, b: Array) -> bool:
    """Bit for bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# --- global random states --------------------------------------------------------------------------------


def random_states() -> dict[str, Any]:
    """The global random states that a policy could reach."""
    states: dict[str, Any] = {"random": random.getstate(), "numpy.random": pickle.dumps(np.random.get_state())}  # noqa: NPY002 - the one to be left alone
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state().numpy().tobytes()
        if torch.cuda.is_initialized():
            states["torch.cuda"] = [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    return states


def refuse_moved(before: Mapping[str, Any], what: str) -> None:
    """Refuse if a global random state is not what it was, which would join results to the order of units."""
    now = random_states()
    if moved := [name for name in before if before[name] != now[name]]:
        hint = "Draw from a generator of the policy's own, started in reset from the slot's seed"
        if what == "building it" and "torch" in moved:
            hint += "; build networks, which draw their first weights, within `with torch.random.fork_rng():`"
        raise CheckFailedError(f"global random state: {what} changed that of {', '.join(moved)}. {hint}.")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Other global random states, for as long as it lasts."""
    python, numpy, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")  # noqa: NPY002 - see above
    kept = torch and torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - see above
    if torch:
        torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - see above
        if torch:
            torch.set_rng_state(kept)


# --- made-up observations --------------------------------------------------------------------------------


def made_up(fields: Mapping[str, FieldSpec], contents: Sequence[int], step: int) -> dict[str, Array]:
    """Noise in the declared shapes; a row depends on its content and the step alone."""
    rows = []
    for content in contents:
        rng = np.random.default_rng((content, step))
        rows.append({name: _field(spec, rng) for name, spec in fields.items()})
    return {name: np.stack([row[name] for row in rows]) for name in fields}


def _field(spec: FieldSpec, rng: np.random.Generator) -> Array:
    """One made-up value of a field."""
    if not isinstance(spec, ImageSpec):
        value = rng.normal(size=spec.size)
        return value / np.linalg.norm(value) if "quaternion" in spec.layout and spec.size == 4 else value
    if spec.kind == "depth":
        return rng.uniform(0.1, 5.0, (spec.height, spec.width)).astype(np.float32)
    return rng.integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
