"""Weights & Biases: config, curves over the number of units, a summary with intervals.

Where it goes is wandb's own matter: `wandb login`, `WANDB_MODE=offline`, `WANDB_ENTITY`, `WANDB_DIR`, `WANDB_PROJECT`
(here "seer-bench" if unset).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from seer_bench.contracts import UnitResult
from seer_bench.trackers.contract import TrackedRun, Tracker, require
from seer_bench.trackers.scores import Progress, Summary
from seer_bench.trackers.unit import unit_numbers

if TYPE_CHECKING:
    from wandb import Run


class WandbTracker(Tracker):
    """Sends a run to Weights & Biases, or keeps it on the disk in offline mode."""

    _run: Run

    def __init__(self) -> None:
        require("wandb")

    def start(self, run: TrackedRun) -> str:
        """Begin the run, or continue it under the same id."""
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "seer-bench"),
            id=run.id,
            name=run.name,
            group=run.group,
            config=run.config,
            allow_val_change=True,  # e.g. the host of a run that is continued elsewhere
            resume="allow",
            settings=wandb.Settings(console="off", x_disable_stats=True),  # this process computes nothing
        )
        return self._run.url or f"offline; send it with: wandb sync {self._run.settings.sync_dir}"

    def result(self, result: UnitResult, progress: Progress) -> None:
        """Log the unit and the running score; the step is given, since offline sessions know nothing of one another."""
        self._run.log({**progress.numbers, **unit_numbers(result)}, step=progress.units)

    def finish(self, summary: Summary) -> None:
        """Write the summary and wait until everything has been sent; an incomplete run is marked as failed."""
        self._run.summary.update(summary.numbers)
        self._run.finish(exit_code=0 if summary.complete else 1)
