"""Bit for bit comparison of what was recorded with what was computed, and the verdict that follows.

Numbers are equal when their bits are. Where they are not, `round-off` is granted only to what another processor
explains, because its mathematical functions round differently in the last bit:

* within a rollout, numbers first differ by at most `ONSET` (the difference may grow from there: contacts amplify it
  without bound), and neither contact counts nor images differ before numbers do;
* numbers that stand alone (a reset state) differ by at most `ONSET`;
* a final state, recorded without the way to it, differs by at most `GROWN`;
* an image without recorded state differs in at most `PIXEL_SHARE` of its pixels (silhouettes);
* every discrete outcome (oracle verdict, success, number of steps) is equal.

The bounds are measured: with every result of inverse kinematics changed at random in its last bit, the 40 rollouts of
the upstream recordings first differ by at most 4e-11, and then by anything; with the force that couples the fingers
changed by 2e-6 of its value they first differ by at least 4e-8. Over a whole chain, results themselves change, so that
chains are seldom granted round-off. A fault that begins as small as rounding cannot be told from it, which is why
`round-off` is a status of its own: on the processor of the recording nothing but `identical` will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import InvalidActionError, UsageError
from seer_bench.verification import Status, Verdict

from .recording import RecordError

ONSET = 1e-9
"""Metres, radians or units per second: 10^6 times the last bit of a number near one."""

GROWN = 1e-3
"""Metres or radians, after hundreds of steps."""

PIXEL_SHARE = 1e-3
"""A choice: with the last bits of the joints changed, pictures of 6 initial states stayed identical."""

_AMOUNTS = ("numbers", "pixels", "egl_images", "outcomes")
"""Counts of single comparisons; what a record is made of is counted beside them."""

_NAMED = 6
"""So many arrays are named one by one."""

Role = Literal["number", "alone", "final", "follower", "picture", "fatal"]
"""How a difference is judged: `number` by its onset, `follower` and `picture` by whether numbers differed before."""


@dataclass(frozen=True)
class Difference:
    """One array or outcome that is not as recorded."""

    role: Role
    text: str
    step: int
    size: float
    """Largest difference at that step; for a `picture` the share of pixels that differ."""


@dataclass
class Unit:
    """What is judged on its own: one rollout, one chain, one reset."""

    name: str
    differences: list[Difference] = field(default_factory=list)

    def is_round_off(self) -> bool:
        """Whether another processor explains every difference."""
        numbers = [d for d in self.differences if d.role == "number"]
        onset = min((d.step for d in numbers), default=None)
        if any(d.size > ONSET for d in numbers if d.step == onset):
            return False
        return all(self._is_explained(d, onset) for d in self.differences)

    def _is_explained(self, difference: Difference, onset: int | None) -> bool:
        followed = onset is not None and difference.step >= onset
        return {
            "number": True,
            "alone": difference.size <= ONSET,
            "final": difference.size <= GROWN,
            "follower": followed,
            "picture": followed or difference.size <= PIXEL_SHARE,
            "fatal": False,
        }[difference.role]


class Comparison:
    """Collects differences, unit by unit, and what was compared.

    Args:
        same_processor: whether both sides ran here; then no difference is round-off.
    """

    def __init__(self, *, same_processor: bool = False) -> None:
        self._same_processor = same_processor
        self._units: list[Unit] = []
        self._counts: Counter[str] = Counter()
        self._largest: float | None = None
        self._notes: list[str] = []
        self._skipped = False

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        """Judge what follows on its own; a record's fault inside ends this unit alone."""
        self._units.append(Unit(name))
        try:
            yield
        except (RecordError, UsageError, InvalidActionError) as error:
            self._add("fatal", str(error))

    def count(self, **things: int) -> None:
        """Add to what was compared, e.g. `rollouts=1, steps=120`."""
        self._counts.update(things)

    def note(self, text: str) -> None:
        """Say something that is no difference, once."""
        if text not in self._notes:
            self._notes.append(text)

    def note_unused(self, arrays: Sequence[str]) -> None:
        """Name arrays that a record holds and nothing was compared with."""
        if arrays:
            more = f" and {len(arrays) - _NAMED} more" if len(arrays) > _NAMED else ""
            self.note(f"not compared: {', '.join(arrays[:_NAMED])}{more}")

    def skip(self, reason: str) -> None:
        """Note a part that could not be compared here; a record of nothing else counts as skipped."""
        self._skipped = True
        self.note(reason)

    def numbers(self, name: str, recorded: ArrayLike, got: ArrayLike, *, role: Role = "number") -> None:
        """Compare arrays bit for bit; axis 0 runs over steps where the role is `number` or `follower`."""
        want, have = np.asarray(recorded), np.asarray(got)
        if not self._comparable(name, want, have):
            return
        self.count(numbers=want.size)
        sizes = _sizes(want, have)
        self._see(sizes)
        differs = _bits_differ(want, have)
        if not differs.any():
            return
        if role in ("alone", "final"):
            self._add(role, f"{name} differs by {sizes.max():.3g}", size=float(sizes.max()))
            return
        step = int(np.argmax(differs.reshape(len(differs), -1).any(axis=1)))
        size = float(sizes[step].max())
        self._add(role, f"{name} differs from step {step} on, by {size:.3g} there", step, size)

    def picture(self, name: str, recorded: NDArray[Any], got: NDArray[Any], step: int = 0) -> None:
        """Compare one image, colour or depth, bit for bit."""
        if not self._comparable(name, recorded, got):
            return
        self.count(pixels=recorded.size)
        sizes = _sizes(recorded, got)
        self._see(sizes)
        differs = _bits_differ(recorded, got)
        if differs.any():
            text = f"{name} at step {step} differs in {differs.mean():.3%} of its values, by up to {sizes.max():.3g}"
            self._add("picture", text, step, float(differs.mean()))

    def outcome(self, name: str, recorded: Any, got: Any, *, step: int | None = None) -> None:
        """Compare something discrete, which no processor may change."""
        self.count(outcomes=1)
        if recorded != got:
            when = "" if step is None else f" at step {step}"
            self._add("fatal", f"{name}{when}: recorded {recorded!r}, got {got!r}", step or 0)

    @property
    def differs(self) -> bool:
        """Whether anything differs so far."""
        return any(unit.differences for unit in self._units)

    def fault(self, text: str) -> None:
        """Add a difference that is not one between two values."""
        self._add("fatal", text)

    def verdict(self, record: str, kind: str) -> Verdict:
        """The verdict over everything that was collected."""
        status = self._status()
        details = [self._summary()] if status in ("round-off", "different") else []
        return Verdict(record, kind, status, self._amount(), self._largest, "; ".join(details + self._notes))

    def _comparable(self, name: str, recorded: NDArray[Any], got: NDArray[Any]) -> bool:
        """Whether shape and dtype agree; if not, that is the difference."""
        integers = recorded.dtype.kind in "iu" and got.dtype.kind in "iu"
        if recorded.shape == got.shape and (integers or recorded.dtype == got.dtype):
            return True
        self._add("fatal", f"{name} is recorded as {describe(recorded)}, expected {describe(got)}")
        return False

    def _see(self, sizes: NDArray[np.float64]) -> None:
        self._largest = max(self._largest or 0.0, float(sizes.max(initial=0.0)))

    def _add(self, role: Role, text: str, step: int = 0, size: float = 0.0) -> None:
        if not self._units:
            self._units.append(Unit(""))
        self._units[-1].differences.append(Difference(role, text, step, size))

    def _status(self) -> Status:
        differing = [unit for unit in self._units if unit.differences]
        if differing:
            explained = not self._same_processor and all(unit.is_round_off() for unit in differing)
            return "round-off" if explained else "different"
        if any(self._counts[what] for what in _AMOUNTS):
            return "identical"
        return "skipped" if self._skipped else "different"

    def _summary(self) -> str:
        """The earliest difference of the first unit that differs most seriously, and how many others differ."""
        differing = [unit for unit in self._units if unit.differences]
        if not differing:
            return "the record holds nothing to compare"
        worst = next((unit for unit in differing if self._same_processor or not unit.is_round_off()), differing[0])
        first = min(worst.differences, key=lambda d: (d.step, d.role != "fatal"))
        where = f"{worst.name}: " if worst.name else ""
        others = f"; {len(differing) - 1} more differ" if len(differing) > 1 else ""
        return f"{where}{first.text}{others}"

    def _amount(self) -> str:
        """E.g. `24 rollouts, 2,880 steps, 1,234,567 numbers`."""
        things = sorted(self._counts.items(), key=lambda thing: thing[0] in _AMOUNTS)
        return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in things) or "nothing"


def describe(array: NDArray[Any]) -> str:
    """Dtype and shape, for messages."""
    return f"{array.dtype} {array.shape}"


def _bits_differ(want: NDArray[Any], have: NDArray[Any]) -> NDArray[np.bool_]:
    """Elementwise; tells 0.0 from -0.0, and takes not-a-number for different from everything."""
    if want.dtype.kind != "f":
        return np.asarray(want != have)
    bits = np.dtype(f"u{want.dtype.itemsize}")
    same = np.ascontiguousarray(want).view(bits) == np.ascontiguousarray(have).view(bits)
    return np.asarray(~same | np.isnan(want))


def _sizes(want: NDArray[Any], have: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute differences; infinite where one side is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        sizes = np.abs(want.astype(np.float64) - have.astype(np.float64))
    return np.nan_to_num(sizes, nan=np.inf, posinf=np.inf)
