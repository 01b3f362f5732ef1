"""Playing one run after another, with what is shown of them and what follows each."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from seer_bench.cli.console import stderr, stdout, take_stdout
from seer_bench.errors import CheckpointError, SeerBenchError

if TYPE_CHECKING:
    from seer_bench.engine import RunOutcome, RunRequest
    from seer_bench.monitor import Monitor
    from seer_bench.report import JsonMonitor

INTERRUPTED = 130


class Videos(str, Enum):
    """Which units are filmed after a run."""

    failed = "failed"
    all = "all"
    none = "none"


@dataclass(frozen=True)
class Job:
    """One run of a series."""

    name: str
    """What it is called where the series is told apart, e.g. "33.pth"."""
    request: RunRequest


class Player:
    """Plays runs and shows them.

    Args:
        json_progress: stdout takes one JSON object a line, and words go to stderr.
        videos: what is filmed after each run.
        trackers: names of the trackers that are told as well.

    Raises:
        UsageError: a tracker is unknown or cannot be used.
    """

    def __init__(
        self, *, json_progress: bool = False, videos: Videos = Videos.none, trackers: Sequence[str] = ()
    ) -> None:
        from seer_bench.report import JsonMonitor
        from seer_bench.trackers import load_tracker

        for name in trackers:
            load_tracker(name)  # one that cannot be used is refused before anything is looked at
        self._json: JsonMonitor | None = JsonMonitor(take_stdout()) if json_progress else None
        self.console: Console = stderr() if json_progress else stdout()
        self._videos = videos
        self._trackers = trackers
        self.refused: dict[str, str] = {}
        """Runs of the series that were left out, by name, each with the reason."""

    def play(self, request: RunRequest, *, steps: bool = True) -> int:
        """Play one run, print its summary and film what is asked for.

        Args:
            request: what to play.
            steps: whether the summary says what to do next.

        Returns:
            The exit code: 0, 1 for units without an outcome or a film, 130 where it was interrupted.

        Raises:
            SeerBenchError: as `seer_bench.engine.run`.
        """
        from seer_bench.engine import run
        from seer_bench.report import print_summary
        from seer_bench.trackers import track

        outcome = run(request, track(self._monitor(), self._trackers, request.out))
        with suppress(OSError, SystemExit):  # nobody reads stdout any more (of a broken pipe rich makes a SystemExit)
            print_summary(outcome.request.out, self.console, interrupted=outcome.interrupted, steps=steps)
            if outcome.gave_up is not None:
                self.say(f"stopped: {outcome.gave_up}")
        if outcome.interrupted:
            return INTERRUPTED
        filmed = self._film(outcome)
        return int(not filmed or bool(outcome.errors) or outcome.gave_up is not None)

    def play_all(self, jobs: Sequence[Job], *, what: str = "checkpoint", alike: bool = True) -> int:
        """Play one run after another; one that is refused is reported, and the others are played all the same.

        Args:
            jobs: at least one.
            what: what they are called.
            alike: they differ in their checkpoints alone, so that what refuses the first one before it begins, and is
                not about its checkpoint, refuses all.

        Returns:
            The exit code: 130 as soon as one was interrupted, 2 if all were refused, 1 if one was or ended with 1.

        Raises:
            SeerBenchError: see `alike`.
        """
        codes: list[int] = []
        for number, job in enumerate(jobs, start=1):
            self._announce(number, len(jobs), what, job)
            try:
                code = self.play(job.request, steps=False)
            except SeerBenchError as error:
                if alike and not isinstance(error, CheckpointError) and set(codes) <= {2}:
                    raise
                self._refuse(what, job, str(error))
                code = 2
            if code == INTERRUPTED:
                return code
            codes.append(code)
        if all(code == 2 for code in codes):
            return 2
        return int(any(codes))

    def conclude(self, places: Sequence[Path]) -> None:
        """Print what runs that differ in their checkpoints come to together."""
        from seer_bench.report import print_checkpoints

        with suppress(OSError, SystemExit):
            self.console.print()
            print_checkpoints(places, self.console)
            together = os.path.commonpath(places) if len(places) > 1 else str(places[0])
            self.say_refused()
            self.say(f"\nrecords: {together}\nnext: seer-bench report {shlex.quote(together)}")

    def say_refused(self) -> None:
        """Say once more what was left out, below all that has been printed since."""
        for name, reason in self.refused.items():
            self.say(f"left out: {name}: {reason}")

    def say(self, text: str) -> None:
        """Print plain words, as long as somebody reads them."""
        with suppress(OSError, SystemExit):
            self.console.print(text, markup=False, soft_wrap=True)

    def _monitor(self) -> Monitor:
        """What shows the progress of the next run."""
        from seer_bench.report import monitor_for

        return self._json or monitor_for(self.console)

    def _announce(self, number: int, of: int, what: str, job: Job) -> None:
        """Say which run comes next."""
        self.say(f"{what} {number} of {of}: {job.name}" if number == 1 else f"\n{what} {number} of {of}: {job.name}")
        if self._json is not None:
            self._json.checkpoint(number, of, job.name, job.request.out)

    def _refuse(self, what: str, job: Job, reason: str) -> None:
        """Say that a run cannot be played."""
        self.refused[job.name] = reason
        self.say(f"{what} {job.name} is left out: {reason}")
        if self._json is not None:
            self._json.refused(job.name, reason)

    def _film(self, outcome: RunOutcome) -> bool:
        """Film what is asked for; False where a unit could not be filmed."""
        if self._videos is Videos.none or not outcome.played:
            return True
        from seer_bench.cli.video import film_run
        from seer_bench.engine.request import devices
        from seer_bench.video import ForesightRequest

        asked = outcome.request
        again = ForesightRequest(asked.checkpoint, devices(asked.device)[0], asked.threads) if asked.foresight else None
        which = self._videos.value
        try:
            film_run(asked.out, units=outcome.played, which=which, size=None, foresight=again, console=self.console)
        except typer.Exit:
            return False
        return True
