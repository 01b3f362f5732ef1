"""Trackio: config, curves over the number of units, final values as the last point.

Where it goes is trackio's own matter: the local disk (`TRACKIO_DIR`), or `TRACKIO_SPACE_ID` or `TRACKIO_SERVER_URL`.
The project is "seer-bench", or what our own variable `TRACKIO_PROJECT` says.
"""

from __future__ import annotations

import os
from typing import Any

from seer_bench.contracts import UnitResult
from seer_bench.trackers.contract import TrackedRun, Tracker, require
from seer_bench.trackers.scores import Progress, Summary
from seer_bench.trackers.unit import unit_numbers


class TrackioTracker(Tracker):
    """Sends a run to trackio."""

    _run: Any  # trackio.run.Run, whose methods are only partly typed

    def __init__(self) -> None:
        require("trackio")

    def start(self, run: TrackedRun) -> str:
        """Begin the run, or continue it; trackio knows runs by their names."""
        import trackio

        project = os.environ.get("TRACKIO_PROJECT", "seer-bench")
        self._run = trackio.init(
            project=project,
            name=f"{run.name} {run.id}",
            group=run.group,
            config=run.config,
            resume="allow",
            embed=False,
            auto_log_gpu=False,  # this process computes nothing
            auto_log_cpu=False,
        )
        return f"look at it with: trackio show --project {project}"

    def result(self, result: UnitResult, progress: Progress) -> None:
        """Log the unit and the running score."""
        self._run.log({**progress.numbers, **unit_numbers(result)}, step=progress.units)

    def finish(self, summary: Summary) -> None:
        """Log the final values and wait until everything is stored."""
        self._run.log(summary.numbers, step=summary.units)
        self._run.finish()
