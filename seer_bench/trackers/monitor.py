"""Watching a run on behalf of trackers."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from seer_bench.contracts import Unit, UnitResult
from seer_bench.errors import SeerBenchError, UsageError
from seer_bench.monitor import Monitor
from seer_bench.protocol import EvaluationProtocol
from seer_bench.registry import TRACKERS, load_plugin
from seer_bench.store import read_run
from seer_bench.trackers.contract import TrackedRun, Tracker
from seer_bench.trackers.process import TrackerProcess
from seer_bench.trackers.scores import RunningScore

FINISH_S = 30.0
"""Seconds that all trackers together are given at the end of a run."""
PATIENCE_S = 3.0
"""Of these, seconds without a word about the waiting."""


def track(monitor: Monitor, names: Sequence[str], run: Path) -> Monitor:
    """`monitor`, extended by the trackers of these names; itself where there are none.

    Args:
        monitor: what shows the run; it is told where the trackers are found, and of failures while the run goes on.
        names: as `--tracker` gives them; a repeated one counts once.
        run: the run directory, which need not exist yet.

    Raises:
        UnknownNameError: nothing is registered under a name.
        MissingExtraError: a tracker's library is not installed.
        UsageError: a tracker cannot be built, or is none.
    """
    trackers = {name: load_tracker(name) for name in dict.fromkeys(names)}
    return TrackingMonitor(monitor, trackers, run) if trackers else monitor


def load_tracker(name: str) -> Tracker:
    """Build the tracker that is registered as `name`; raises as `track` does."""
    factory: Callable[[], object] = load_plugin(TRACKERS, "tracker", name)
    try:
        tracker = factory()
        pickle.dumps(tracker)  # it will be sent to a process
    except SeerBenchError:
        raise
    except Exception as error:
        raise UsageError(f"the tracker '{name}' could not be built: {type(error).__name__}: {error}") from error
    if not isinstance(tracker, Tracker):
        raise UsageError(
            f"the plugin '{name}' built {type(tracker).__name__}, which is no seer_bench.trackers.Tracker."
        )
    return tracker


class TrackingMonitor:
    """Hands every event on to a monitor, and attempts to trackers as well.

    Args:
        monitor: what shows the run.
        trackers: by the name that the user knows them under.
        run: the run directory.
    """

    def __init__(self, monitor: Monitor, trackers: Mapping[str, Tracker], run: Path) -> None:
        self._monitor = monitor
        self._trackers = trackers
        self._run, self._folder = run.absolute(), Path.cwd()  # a policy may change the working directory
        self._processes: list[TrackerProcess] = []
        self._score = RunningScore(1, ())
        self._open = 0

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """Start the trackers, which from now on work beside the run."""
        self._monitor.started(protocol, total, recorded)
        self._open = total - len(recorded)
        try:
            held = read_run(self._run)
        except (SeerBenchError, OSError) as error:
            self._monitor.noted(f"no tracker is used: {error}")
            return
        self._score = RunningScore(protocol.chain_length, held.results.values())
        for name, tracker in self._trackers.items():
            try:
                process = TrackerProcess(name, tracker, TrackedRun(held.manifest, self._run), self._folder)
            except Exception as error:  # out of memory or processes, or an object that cannot be pickled
                self._monitor.noted(f"{name}: its process cannot be started ({error}); the run is not affected.")
            else:
                self._processes.append(process)

    def stepped(self, steps: int) -> None:
        """Tell what the trackers had to say."""
        self._monitor.stepped(steps)
        for process in self._processes:
            self._tell(process.news())

    def noted(self, text: str) -> None:
        """Hand on a note."""
        self._monitor.noted(text)

    def busy(self, units: Mapping[int, Unit]) -> None:
        """Hand on what the workers play."""
        self._monitor.busy(units)

    def finished(self, result: UnitResult) -> None:
        """Send an attempt."""
        self._monitor.finished(result)
        self._open -= result.outcome != "error"
        self._score.add(result)
        for process in self._processes:
            process.send(result, self._score.progress)

    def closed(self) -> None:
        """Close the monitor, then let the trackers finish, for a limited time; their last words go to stderr."""
        self._monitor.closed()
        begin = time.monotonic()
        for process in self._processes:
            process.ask_to_finish(begin + FINISH_S, complete=self._open <= 0)
        for process in self._processes:
            _say(process.news(until=begin + PATIENCE_S))
        if late := [process.name for process in self._processes if not process.over]:
            _say([f"waiting up to {FINISH_S - PATIENCE_S:.0f} s for {', '.join(late)}"])
        for process in self._processes:
            _say(process.close(begin + FINISH_S))
        self._processes.clear()

    def _tell(self, texts: Iterable[str]) -> None:
        """Show words of a tracker."""
        for text in texts:
            self._monitor.noted(text)


def _say(texts: Iterable[str]) -> None:
    """Show words of a tracker when no monitor is there any more."""
    for text in texts:
        with suppress(OSError, AttributeError):  # nobody reads it, or it was closed before we started
            sys.stderr.write(f"note: {text}\n")
