"""The policy of a server: slots for whoever asks, calls one after another, single observations put into batches."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from seer_bench.contracts import Array, Policy, Unit
from seer_bench.conventions import FieldSpec, ImageSpec
from seer_bench.engine.faults import ask, describe
from seer_bench.errors import ConventionError, PolicyError, SimulationError, UsageError
from seer_bench.serving.codec import FrameError

_MOST_SLOTS, _MOST_OF_ONE = 4096, 1024
"""Slots of all clients together, and of each; what a policy remembers of a slot may be large."""


class ForgottenError(SimulationError):
    """The server knows nothing of a slot whose history the client counts on, e.g. since it was started anew."""


@dataclass(frozen=True)
class Row:
    """One slot of a client in a call."""

    client: str
    slot: int
    begin: Unit | None = None
    """The unit that began since the last call."""
    reset: tuple[str, int] | None = None
    """Instruction and seed of the subtask that began since the last call."""


@dataclass(frozen=True)
class Played:
    """The answer to a call."""

    actions: Array
    """(n, chunk, dim)."""
    seconds: float
    """That the policy took."""


@dataclass(frozen=True)
class Single:
    """An observation of one slot."""

    row: Row
    observation: Mapping[str, Array]
    """Fields without a leading axis."""


class PolicyHost:
    """Owns a policy; to be called from one and the same thread.

    Args:
        policy: not privileged, since a simulator's state is not sent.
        threads: of the libraries that it computes with; the last bits of a product depend on them.

    Raises:
        UsageError: the policy is privileged.
    """

    def __init__(self, policy: Policy, *, threads: int = 1) -> None:
        if policy.spec.privileged:
            raise UsageError("this policy reads the simulator's state, which is not sent; it cannot be served.")
        self._policy, self._threads = policy, threads
        self._slots: dict[tuple[str, int], int] = {}
        """The policy's slot of each client's slot."""

    def prepare(self) -> None:
        """Limit the threads of the libraries; to be called first, since each thread has limits of its own."""
        threadpool_limits(self._threads)

    def play(self, rows: Sequence[Row], observations: Mapping[str, Array]) -> Played:
        """One call of the policy with exactly these rows.

        Args:
            rows: the n slots, none twice.
            observations: the declared fields with a leading axis of length n; others are passed over.

        Raises:
            ConventionError: a field is missing, or of another shape or dtype than declared.
            ForgottenError: a row is unknown and does not begin anew.
            PolicyError: the policy failed.
            SimulationError: there are too many slots.
        """
        if not rows or len({(row.client, row.slot) for row in rows}) != len(rows):
            raise FrameError("a call must name at least one slot, and none twice.")
        given = {name: _checked(name, spec, observations, len(rows)) for name, spec in self._fields.items()}
        for row in rows:
            if row.reset is None and (row.client, row.slot) not in self._slots:
                raise ForgottenError(f"this server knows nothing of what went before in slot {row.slot}.")
        slots = self._slots_of(rows)
        started = time.perf_counter()
        self._start(slots, rows)
        actions = ask(lambda: self._policy.act(slots, given))
        shape = (len(rows), self._policy.spec.chunk, self._policy.spec.action.dim)
        if not isinstance(actions, np.ndarray) or actions.shape != shape or actions.dtype.kind != "f":
            found = f"{actions.dtype} {actions.shape}" if isinstance(actions, np.ndarray) else type(actions).__name__
            raise PolicyError(f"act returned {found}; floats of shape {shape} are declared.")
        return Played(actions, time.perf_counter() - started)

    def play_singles(self, singles: Sequence[Single]) -> list[Played | Exception]:
        """Answer observations of different slots in one call, or alone where they do not get on.

        The call is always filled up to `spec.batch` rows, so that nobody's arithmetic depends on who else asks. Where
        the policy fails over several, only those whose subtask begins are shown to it again: the others it may have
        seen already.

        Args:
            singles: from 1 to `spec.batch`.

        Returns:
            For each the answer with one row, or what is wrong with it.
        """
        answers: dict[int, Played | Exception] = {
            row: error for row, single in enumerate(singles) if (error := self._misfit(single)) is not None
        }
        rows = [row for row in range(len(singles)) if row not in answers]
        if rows:
            answers.update(zip(rows, self._play_fitting([singles[row] for row in rows]), strict=True))
        return [answers[row] for row in range(len(singles))]

    def release(self, client: str) -> None:
        """Forget the slots of a client; others may take their numbers."""
        for key in [key for key in self._slots if key[0] == client]:
            del self._slots[key]

    def close(self) -> None:
        """Close the policy."""
        self._policy.close()

    @property
    def batch(self) -> int:
        """Most observations of `play_singles`."""
        return self._policy.spec.batch

    @property
    def _fields(self) -> Mapping[str, FieldSpec]:
        return self._policy.spec.observations

    def _misfit(self, single: Single) -> Exception | None:
        """What is wrong with an observation, before the policy is shown it."""
        seen = {
            key: value[None] if isinstance(value, np.ndarray) else value for key, value in single.observation.items()
        }
        try:
            for name, spec in self._fields.items():
                _checked(name, spec, seen, 1)
        except ConventionError as error:
            return error
        return None

    def _play_fitting(self, singles: Sequence[Single]) -> list[Played | Exception]:
        """As `play_singles`, for observations as declared."""
        try:
            played = self._play_together(singles)
        except Exception as error:
            if len(singles) == 1:
                return [error]
            lost = SimulationError(f"the policy failed over several observations, this among them: {describe(error)}")
            return [self._play_fitting([single])[0] if single.row.reset else lost for single in singles]
        return [Played(played.actions[row : row + 1], played.seconds) for row in range(len(singles))]

    def _play_together(self, singles: Sequence[Single]) -> Played:
        """One padded call; the rows of `singles` come first."""
        first = singles[0]
        missing = self.batch - len(singles)
        pads = [Row("", i, first.row.begin, first.row.reset or ("", 0)) for i in range(missing)]
        seen = [*(single.observation for single in singles), *[first.observation] * missing]
        stacked = {name: np.stack([np.asarray(observation[name]) for observation in seen]) for name in self._fields}
        return self.play([*(single.row for single in singles), *pads], stacked)

    def _slots_of(self, rows: Sequence[Row]) -> list[int]:
        """The policy's slot of each row; the lowest free numbers for new ones."""
        keys = [(row.client, row.slot) for row in rows]
        new = [key for key in keys if key not in self._slots]
        if new:
            of_one = max(Counter(client for client, _ in (*self._slots, *new)).values())
            if len(self._slots) + len(new) > _MOST_SLOTS or of_one > _MOST_OF_ONE:
                raise SimulationError(
                    f"{len(self._slots)} slots are in use on this server, and {len(new)} more are asked for; it has "
                    f"{_MOST_SLOTS}, and {_MOST_OF_ONE} for one client."
                )
            taken = set(self._slots.values())
            free = (number for number in itertools.count() if number not in taken)
            self._slots.update(zip(new, free, strict=False))
        return [self._slots[key] for key in keys]

    def _start(self, slots: Sequence[int], rows: Sequence[Row]) -> None:
        """Tell the policy of units and subtasks that begin."""
        for slot, row in zip(slots, rows, strict=True):
            unit, reset = row.begin, row.reset
            if unit is not None:
                ask(lambda slot=slot, unit=unit: self._policy.begin([slot], [unit]))  # type: ignore[misc] # bound now
            if reset is not None:
                text, seed = reset
                ask(lambda slot=slot, text=text, seed=seed: self._policy.reset([slot], [text], [seed]))  # type: ignore[misc] # bound now


def _checked(name: str, spec: FieldSpec, observations: Mapping[str, Array], rows: int) -> Array:
    """A field as declared; raises ConventionError. Vectors may come in any floating dtype."""
    value = observations.get(name)
    if not isinstance(value, np.ndarray):
        raise ConventionError(
            f"observation '{name}': it is {'missing' if value is None else type(value).__name__}; the policy reads it. "
            f"Given: {', '.join(map(str, observations)) or 'nothing'}."
        )
    if isinstance(spec, ImageSpec):
        rgb = spec.kind == "rgb"
        shape, dtype = (rows, spec.height, spec.width, *((3,) if rgb else ())), np.dtype("uint8" if rgb else "float32")
    else:
        shape, dtype = (rows, spec.size), np.dtype("float64")
        value = value.astype(dtype) if value.dtype.kind == "f" else value
    if value.shape != shape or value.dtype != dtype:
        raise ConventionError(
            f"observation '{name}': {value.dtype} of shape {value.shape[1:]} was sent; "
            f"the policy reads {dtype} of shape {shape[1:]}."
        )
    return value
