"""What another processor explains of a difference between what was recorded and what was computed.

Its arithmetic rounds differently in the last bit, and the verdict `round-off` is granted for that alone. How much it is
depends on the simulation, so that every verifier measures its own `Bounds`:

* within an episode, numbers first differ by at most `onset` (the difference may grow from there: contacts amplify it
  without bound), and neither contact counts nor images differ before numbers do;
* numbers that went through single precision differ by at most `SINGLE`, or follow others that differ before;
* numbers that stand alone (a reset state) differ by at most `onset`;
* a final state, recorded without the way to it, differs by at most `grown`;
* an image without recorded state differs in at most `pixel_share` of its pixels (silhouettes);
* every discrete outcome (success, a predicate's truth, number of steps) is equal.

A fault that begins as small as rounding cannot be told from it, which is why `round-off` is a status of its own: on the
processor of the recording nothing but `identical` will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SINGLE = 1e-6
"""A few times the last bit of a number near one in single precision, 1.2e-7."""

Role = Literal["number", "single", "alone", "final", "follower", "picture", "fatal"]
"""How a difference is judged: `number` by its onset, `follower` and `picture` by whether numbers differed before."""


@dataclass(frozen=True)
class Bounds:
    """What another processor explains, in metres, radians or units per second."""

    onset: float
    """Where a difference begins, and of numbers that stand alone."""
    grown: float
    """After hundreds of steps."""
    pixel_share: float
    """Share of an image's values, where no recorded number differs before."""


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

    def is_round_off(self, bounds: Bounds) -> bool:
        """Whether another processor explains every difference."""
        numbers = [d for d in self.differences if d.role == "number"]
        onset = min((d.step for d in numbers), default=None)
        if any(d.size > bounds.onset for d in numbers if d.step == onset):
            return False
        return all(self._is_explained(d, onset, bounds) for d in self.differences)

    @staticmethod
    def _is_explained(difference: Difference, onset: int | None, bounds: Bounds) -> bool:
        followed = onset is not None and difference.step >= onset
        return {
            "number": True,
            "single": followed or difference.size <= SINGLE,
            "alone": difference.size <= bounds.onset,
            "final": difference.size <= bounds.grown,
            "follower": followed,
            "picture": followed or difference.size <= bounds.pixel_share,
            "fatal": False,
        }[difference.role]
