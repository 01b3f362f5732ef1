"""Progress for machines: one JSON object a line.

    {"schema": "seer-bench/progress/1", "event": "started", "protocol": NAME, "units": N, "done": n}
    {"event": "noted", "text": TEXT}
    {"event": "finished", "unit": ID, "attempt": k, "outcome": "success"|"failure"|"error", "tasks": [tried ones],
     "solved": n, "steps": n, "error": TEXT or null}
    {"event": "progress", "units": N, "done": n, "errors": n, "elapsed": s, "steps": n, "steps_per_second": x or null,
     "remaining_seconds": s or null, "split": {part: fraction}, "workers": {number: unit}}
    {"event": "closed", ...}    as "progress", without the workers

Where a command plays several checkpoints, each begins with

    {"event": "checkpoint", "number": k, "of": N, "name": NAME, "out": RUN DIRECTORY}

and one that cannot be evaluated ends at once with {"event": "refused", "name": NAME, "reason": TEXT}.

Lines may gain keys; the version changes when one loses its meaning.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from seer_bench.contracts import Unit, UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.tally import Tally

SCHEMA = "seer-bench/progress/1"
_PAUSE_S = 1.0
"""Seconds between two lines of "progress"."""


class JsonMonitor:
    """Writes every event to `stream` at once; a reader that goes away does not end the run."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream: TextIO | None = stream
        self._clock = clock
        self._tally = Tally(1, 0, (), clock)
        self._busy: Mapping[int, Unit] = {}
        self._told_at = clock()

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """Write the first line, with the schema."""
        self._tally = Tally(protocol.chain_length, total, recorded, self._clock)
        self._told_at = self._clock()
        self._write({"schema": SCHEMA, "event": "started", "protocol": protocol.name, **self._counts()})

    def checkpoint(self, number: int, of: int, name: str, out: Path) -> None:
        """Write which of several checkpoints comes next."""
        self._write({"event": "checkpoint", "number": number, "of": of, "name": name, "out": str(out)})

    def refused(self, name: str, reason: str) -> None:
        """Write that a checkpoint cannot be evaluated."""
        self._write({"event": "refused", "name": name, "reason": reason})

    def stepped(self, steps: int) -> None:
        """Count control steps."""
        self._tally.steps += steps
        if self._clock() - self._told_at >= _PAUSE_S:
            self._told_at = self._clock()
            workers = {str(number): unit.id for number, unit in sorted(self._busy.items())}
            self._write({"event": "progress", **self._state(), "workers": workers})

    def noted(self, text: str) -> None:
        """Write a note."""
        self._write({"event": "noted", "text": text})

    def busy(self, units: Mapping[int, Unit]) -> None:
        """Keep what the workers play."""
        self._busy = units

    def finished(self, result: UnitResult) -> None:
        """Write an attempt."""
        self._tally.add(result)
        self._write(
            {
                "event": "finished",
                "unit": result.unit_id,
                "attempt": result.attempt,
                "outcome": result.outcome,
                "tasks": [subtask.task for subtask in result.subtasks],
                "solved": result.solved,
                "steps": sum(subtask.steps for subtask in result.subtasks),
                "error": None if result.error is None else result.error.message,
            }
        )

    def closed(self) -> None:
        """Write the last line."""
        self._write({"event": "closed", **self._state()})

    def _counts(self) -> dict[str, Any]:
        """Units asked for and done."""
        return {"units": self._tally.total, "done": self._tally.done}

    def _state(self) -> dict[str, Any]:
        """How far the session is."""
        tally = self._tally
        return {
            **self._counts(),
            "errors": tally.errors,
            "elapsed": round(tally.elapsed, 3),
            "steps": tally.steps,
            "steps_per_second": tally.steps_per_second,
            "remaining_seconds": tally.remaining_seconds,
            "split": tally.split,
        }

    def _write(self, event: Mapping[str, Any]) -> None:
        """Write one line."""
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()
        except OSError:
            self._stream = None
