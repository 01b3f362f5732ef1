"""Comparison of what was recorded with what was computed, bit for bit or within a tolerance, and the verdict.

Numbers are equal when their bits are; where they are not, `round_off` says what is granted to a simulation. Networks
cannot be held to bits at all, because libraries sum in an order of their own: what they put out agrees when it is
`within` the tolerance that belongs to the recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seer_bench.errors import InvalidActionError, UsageError
from seer_bench.verification import Status, Verdict

from .recording import RecordError
from .round_off import Bounds, Difference, Role, Unit

RECORD_FAULTS = (RecordError, UsageError, InvalidActionError)
"""What a recording that cannot be replayed raises; everything else is this machine's fault and ends all."""

_AMOUNTS = ("numbers", "pixels", "egl_images", "tensors", "outcomes")
"""Counts of single comparisons; what a record is made of is counted beside them."""

_NAMED = 6
"""So many arrays are named one by one."""

OnUnit = Callable[[int, int], None]
"""Called when a unit begins with how many are done and how many were announced, 0 where none were."""


class Comparison:
    """Collects differences, unit by unit, and what was compared.

    Args:
        bounds: of what counts as round-off; None where both sides ran here, and no difference does.
        on_unit: told about every unit that begins.
    """

    def __init__(self, bounds: Bounds | None, *, on_unit: OnUnit | None = None) -> None:
        self._bounds = bounds
        self._on_unit = on_unit
        self._expected = 0
        self._units: list[Unit] = []
        self._counts: Counter[str] = Counter()
        self._largest: float | None = None
        self._agreed: dict[float, tuple[float, str]] = {}
        self._notes: list[str] = []
        self._skipped = False

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        """Judge what follows on its own; a record's fault inside ends this unit alone."""
        if self._on_unit is not None:
            self._on_unit(len(self._units), self._expected)
        self._units.append(Unit(name))
        try:
            yield
        except RECORD_FAULTS as error:
            self._add("fatal", str(error))

    def expect(self, units: int) -> None:
        """Announce how many units more will be judged, for who shows progress."""
        self._expected += units

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

    def numbers(
        self,
        name: str,
        recorded: ArrayLike,
        got: ArrayLike,
        *,
        role: Role = "number",
        steps: Sequence[int] | None = None,
    ) -> None:
        """Compare arrays bit for bit.

        Args:
            name: of the array, for messages.
            recorded: what must be.
            got: what is.
            role: how a difference is judged.
            steps: to which step each row belongs, where the role is not `alone` or `final`; None for 0, 1, 2 ...
        """
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
        row = int(np.argmax(differs.reshape(len(differs), -1).any(axis=1)))
        step, size = row if steps is None else steps[row], float(sizes[row].max())
        self._add(role, f"{name} differs from step {step} on, by {size:.3g} there", step, size)

    def close_numbers(self, name: str, recorded: NDArray[Any], got: NDArray[Any], tolerance: float) -> None:
        """Compare numbers that cannot be demanded bit for bit; a difference within the tolerance is none."""
        if self._distance(name, recorded, got, tolerance) > 0:
            self.note(f"{name} needs to agree within {tolerance:g} only")

    def within(self, name: str, recorded: ArrayLike, got: ArrayLike, tolerance: float) -> None:
        """Compare what a network put out; a record of such numbers agrees at best, unless every bit is equal.

        Args:
            name: of the array, for messages.
            recorded: what must be, within the tolerance.
            got: what is.
            tolerance: greatest absolute difference; a number that is not finite, on either side, is beyond any.
        """
        largest = self._distance(name, np.asarray(recorded), np.asarray(got), tolerance)
        if largest > self._agreed.get(tolerance, (0.0, ""))[0]:
            self._agreed[tolerance] = (largest, name)

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
        granted = [
            f"{name} within {largest:.1e} of {tolerance:g} granted"
            for tolerance, (largest, name) in sorted(self._agreed.items())
        ]
        return Verdict(record, kind, status, self._amount(), self._largest, "; ".join(details + granted + self._notes))

    def _comparable(self, name: str, recorded: NDArray[Any], got: NDArray[Any]) -> bool:
        """Whether shape and dtype agree; if not, that is the difference."""
        integers = recorded.dtype.kind in "iu" and got.dtype.kind in "iu"
        if recorded.shape == got.shape and (integers or recorded.dtype == got.dtype):
            return True
        self._add("fatal", f"{name} is recorded as {describe(recorded)}, expected {describe(got)}")
        return False

    def _distance(self, name: str, recorded: NDArray[Any], got: NDArray[Any], tolerance: float) -> float:
        """Largest difference if it is within the tolerance; else 0, and the difference is noted."""
        if not self._comparable(name, recorded, got):
            return 0.0
        self.count(numbers=recorded.size)
        largest = float(_sizes(recorded, got).max(initial=0.0))
        self._see(np.array([largest]))
        if largest <= tolerance:
            return largest
        self._add("fatal", f"{name} differs by {largest:.3g}, more than {tolerance:g}")
        return 0.0

    def _see(self, sizes: NDArray[np.float64]) -> None:
        self._largest = max(self._largest or 0.0, float(sizes.max(initial=0.0)))

    def _add(self, role: Role, text: str, step: int = 0, size: float = 0.0) -> None:
        if not self._units:
            self._units.append(Unit(""))
        self._units[-1].differences.append(Difference(role, text, step, size))

    def _status(self) -> Status:
        differing = [unit for unit in self._units if unit.differences]
        if differing:
            explained = all(self._is_round_off(unit) for unit in differing)
            return "round-off" if explained else "different"
        if self._agreed:
            return "agrees"
        if any(self._counts[what] for what in _AMOUNTS):
            return "identical"
        return "skipped" if self._skipped else "different"

    def _is_round_off(self, unit: Unit) -> bool:
        return self._bounds is not None and unit.is_round_off(self._bounds)

    def _summary(self) -> str:
        """The earliest difference of the first unit that differs most seriously, and how many others differ."""
        differing = [unit for unit in self._units if unit.differences]
        if not differing:
            return "the record holds nothing to compare"
        worst = next((unit for unit in differing if not self._is_round_off(unit)), differing[0])
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
