"""How far runs are, read from their records alone; whoever writes to them is neither asked nor held up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seer_bench.contracts import UnitResult
from seer_bench.errors import StoreError
from seer_bench.report.counts import base_label, scored
from seer_bench.report.document import counted, plain
from seer_bench.report.score_lines import score_lines
from seer_bench.report.tally import duration
from seer_bench.store import RunData, Session, find_runs, is_being_written, merge_runs, read_run


@dataclass(frozen=True)
class Pace:
    """How fast an open session goes, up to the last outcome that it recorded."""

    units: int
    """Outcomes of the session."""
    steps: int
    """Control steps in them."""
    seconds: float
    """From its start to the last of them."""
    last: float
    """UNIX time of the last of them."""

    def remaining_seconds(self, missing: int) -> float:
        """Time that so many units take at this pace."""
        return self.seconds / self.units * missing


@dataclass(frozen=True)
class RunStatus:
    """One run directory at one moment."""

    run: RunData
    written: bool
    """A process writes to it now."""

    @property
    def session(self) -> Session | None:
        """The last start of the command."""
        return self.run.sessions[-1] if self.run.sessions else None

    @property
    def total(self) -> int | None:
        """Units that the last session was asked for; None where it did not say."""
        units = self.session.facts.get("units") if self.session else None
        return units if isinstance(units, int) else None

    @property
    def done(self) -> int:
        """Units with an outcome, among those that the last session was asked for."""
        before = self.session.facts.get("done") if self.session else None
        return before + sum(map(self._is_new, self.scored)) if isinstance(before, int) else len(self.scored)

    @property
    def scored(self) -> list[UnitResult]:
        """Units with an outcome."""
        return scored(self.run.results.values())

    @property
    def errors(self) -> list[UnitResult]:
        """Units without one, in the order in which they failed."""
        failed = [result for result in self.run.results.values() if result.outcome == "error"]
        return sorted(failed, key=lambda result: result.run_info.get("finished", 0.0))

    @property
    def missing(self) -> int | None:
        """Units that the last session has still to play; None where it is not known how many it was asked for."""
        return None if self.total is None else max(0, self.total - self.done - sum(map(self._is_new, self.errors)))

    @property
    def pace(self) -> Pace | None:
        """Speed of the session that is open now; None without one, or before its first outcome."""
        session = self.session
        if not self.written or session is None or session.ended is not None:
            return None
        ours = [r for r in self.scored if self._is_new(r) and "finished" in r.run_info]
        if not ours:
            return None
        last = max(r.run_info["finished"] for r in ours)
        started = datetime.fromisoformat(session.started.replace("Z", "+00:00")).timestamp()
        steps = sum(subtask.steps for r in ours for subtask in r.subtasks)
        return Pace(len(ours), steps, max(last - started, 1e-3), last)

    def _is_new(self, result: UnitResult) -> bool:
        """The last session has made it."""
        return self.session is not None and result.run_info.get("session") == self.session.id


def read_status(root: Path) -> tuple[list[RunStatus], list[str]]:
    """The run directory `root`, or every one below it, and in words those that cannot be read.

    Raises:
        StoreError: `root` is no directory.
    """
    statuses, problems = [], []
    for path in find_runs([root]):
        try:
            statuses.append(RunStatus(read_run(path), is_being_written(path)))
        except StoreError as error:
            problems.append(str(error))
    return statuses, problems


def print_status(root: Path, console: Console, *, clock: Callable[[], float] = time.time) -> bool:
    """Print how far the runs are; shards of one run get a common score.

    Returns:
        Whether every run could be read.

    Raises:
        StoreError: `root` is no directory.
    """
    statuses, problems = read_status(root)
    blocks = []
    for group in _groups(statuses):
        try:
            blocks.append(status_lines(group, now=clock()))
        except StoreError as error:  # shards that contradict one another
            problems.append(str(error))
    blocks += [[f"cannot be read: {plain(problem)}"] for problem in problems]
    for number, block in enumerate(blocks or [[f"no run in {root}; seer-bench run makes one"]]):
        for line in ([""] if number else []) + block:
            console.print(Text(line), soft_wrap=True)
    return not problems


def status_lines(group: Sequence[RunStatus], *, now: float) -> list[str]:
    """The lines of one run, or of the shards of one.

    Args:
        group: one or more directories of the same run.
        now: UNIX time.
    """
    manifest = group[0].run.manifest
    merged = merge_runs([status.run for status in group], allow_mixed=True)
    results = scored(merged.results.values())
    lines = [plain(f"{base_label(manifest)} on {manifest.protocol.name}")]
    for status in group:
        lines += [f"  {line}" for line in _directory_lines(status, now)]
    if len(group) > 1:
        lines.append(f"  together: {counted(len(results), 'unit')} done")
    if results:
        lines += [f"  {line}" for line in score_lines(manifest.protocol, results)]
    return lines


def _directory_lines(status: RunStatus, now: float) -> list[str]:
    """Where one directory stands."""
    lines = [f"{plain(str(status.run.path))}: units {_units(status)}, {_state(status)}"]
    if (pace := status.pace) is not None:
        speed = f"  {pace.steps / pace.seconds:,.0f} steps/s, last outcome {duration(max(0.0, now - pace.last))} ago"
        if status.missing is not None:
            speed += f", ETA {duration(pace.remaining_seconds(status.missing))}"
        lines.append(speed)
    if errors := status.errors:
        last = errors[-1]
        message = last.error.message if last.error is not None else "no reason was recorded"
        lines.append(f"  errors {len(errors)}, the last at {last.unit_id}: {plain(message)}")
    if not status.written:  # a line that is being written at this moment is no problem
        lines += [f"  {plain(problem)}" for problem in status.run.problems]
    return lines


def _units(status: RunStatus) -> str:
    """How many units are done, of how many."""
    if status.total is None:
        return f"{len(status.scored)}"
    others = len(status.scored) - status.done
    return f"{status.done}/{status.total}" + (f" and {others} that were asked for before" if others else "")


def _state(status: RunStatus) -> str:
    """What happens to the directory now, or how its last session ended."""
    session = status.session
    if status.written:
        return "running" if session is not None and session.ended is None else "being opened or closed"
    if session is None:
        return "no session"
    if session.ended is None:
        return f"killed (its session of {session.started} never ended); the same command continues"
    return f"last session ended {session.ended}: {plain(session.reason or 'no reason')}"


def _groups(statuses: Sequence[RunStatus]) -> list[list[RunStatus]]:
    """Directories of the same run, together."""
    groups: dict[str, list[RunStatus]] = {}
    for status in statuses:
        groups.setdefault(status.run.manifest.identity, []).append(status)
    return list(groups.values())
