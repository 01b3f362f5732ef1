"""What the engine tells whoever watches a run; it formats nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from seer_bench.contracts import Unit, UnitResult
from seer_bench.protocol import EvaluationProtocol


class Monitor(Protocol):
    """Receives the events of one session, in order, from the engine's process."""

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """The session begins: `total` units are asked for, of which `recorded` have an outcome already."""

    def stepped(self, steps: int) -> None:
        """So many control steps were taken since the last call."""

    def noted(self, text: str) -> None:
        """Something that the user should know and that changes no outcome."""

    def busy(self, units: Mapping[int, Unit]) -> None:
        """What each worker plays now, by its number; idle workers are left out."""

    def finished(self, result: UnitResult) -> None:
        """An attempt at a unit was recorded."""

    def closed(self) -> None:
        """No further event follows, whatever the reason."""
