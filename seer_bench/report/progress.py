"""Live progress of a session: a panel that redraws itself on a terminal, sparse lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seer_bench.contracts import Unit, UnitResult
from seer_bench.monitor import Monitor
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.document import plain
from seer_bench.report.tally import Tally, split_text

_REDRAW_S = 0.25
_WORKER_ROWS = 8
_LINE_S = 10.0
_LINE_SHARE = 0.02
"""Lines come at most every ten seconds, and at most every fiftieth of the time since the start: a run of a day
leaves a few hundred lines."""

Clock = Callable[[], float]
Facts = Sequence[tuple[str, str]]


def monitor_for(console: Console) -> Monitor:
    """The progress display that suits where `console` writes."""
    return LiveMonitor(console) if console.is_terminal else LineMonitor(console)


class _TallyMonitor:
    """Keeps the tally; subclasses show it."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._tally = Tally(1, 0, (), clock)
        self._busy: dict[int, tuple[Unit, float]] = {}
        self._blind = False

    def _show(self, draw: Callable[[], object]) -> None:
        """Draw, as long as somebody looks: a full disk or a closed terminal does not end a run."""
        if not self._blind:
            try:
                draw()
            except (OSError, SystemExit):  # the latter is what rich makes of a broken pipe
                self._blind = True

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """Begin counting; what was recorded before counts as done, not as speed."""
        self._tally = Tally(protocol.chain_length, total, recorded, self._clock)

    def stepped(self, steps: int) -> None:
        """Count control steps."""
        self._tally.steps += steps
        self._tick()

    def noted(self, text: str) -> None:
        """Print a note above the progress."""
        self._show(lambda: self._console.print(Text(f"note: {text}"), soft_wrap=True))

    def busy(self, units: Mapping[int, Unit]) -> None:
        """Keep what the workers play, and since when."""
        now = self._clock()
        before = self._busy
        self._busy = {
            worker: before[worker] if worker in before and before[worker][0] == unit else (unit, now)
            for worker, unit in units.items()
        }

    def finished(self, result: UnitResult) -> None:
        """Count an attempt."""
        self._tally.add(result)
        self._busy = {worker: play for worker, play in self._busy.items() if play[0].id != result.unit_id}
        self._tick()

    def _tick(self) -> None:
        """Show the tally if it is time to."""
        raise NotImplementedError

    def _split(self) -> Facts:
        """Where the time went, once that is known."""
        split = self._tally.split
        return [("time", split_text(split))] if split else []


class LiveMonitor(_TallyMonitor):
    """A panel that is redrawn in place a few times a second, between two steps and never in a thread."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        super().__init__(console, clock)
        self._live = Live(console=console, auto_refresh=False)
        self._drawn_at = 0.0

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """Draw the panel for the first time."""
        super().started(protocol, total, recorded)
        self._show(self._live.start)
        self._draw()

    def closed(self) -> None:
        """Leave the last state of the panel on the screen."""
        self._draw(final=True)
        self._show(self._live.stop)

    def _tick(self) -> None:
        if self._clock() - self._drawn_at >= _REDRAW_S:
            self._draw()

    def _draw(self, final: bool = False) -> None:
        """Redraw the panel."""
        self._drawn_at = self._clock()
        workers = [] if final else worker_facts(self._busy, self._drawn_at)
        facts = panel([*self._tally.facts(final=final), *self._split(), *workers])
        self._show(lambda: self._live.update(facts, refresh=True))


class LineMonitor(_TallyMonitor):
    """One line now and then: the first, the last, and sparse ones between."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        super().__init__(console, clock)
        self._printed_at = 0.0

    def started(self, protocol: EvaluationProtocol, total: int, recorded: Sequence[UnitResult]) -> None:
        """Print the first line."""
        super().started(protocol, total, recorded)
        self._print()

    def closed(self) -> None:
        """Print the last line."""
        self._print(final=True)

    def _tick(self) -> None:
        pause = max(_LINE_S, _LINE_SHARE * self._tally.elapsed)
        if self._clock() - self._printed_at >= pause:
            self._print()

    def _print(self, final: bool = False) -> None:
        """Print the state as one line, whatever the width."""
        self._printed_at = self._clock()
        facts = [*self._tally.facts(final=final), *(self._split() if final else ())]
        self._show(lambda: self._console.print(Text(line(facts)), soft_wrap=True))


def worker_facts(busy: Mapping[int, tuple[Unit, float]], now: float) -> Facts:
    """What each worker plays and for how long, the first few of them."""
    facts = [
        (f"worker {worker}", f"{plain(unit.slug)}  {now - since:.0f} s")
        for worker, (unit, since) in sorted(busy.items())
    ]
    shown, more = facts[:_WORKER_ROWS], len(facts) - _WORKER_ROWS
    return [*shown, ("", f"... and {more} more")] if more > 0 else shown


def panel(facts: Facts) -> Table:
    """The state of a session as two columns of names and values."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for name, value in facts:
        style = "bold yellow" if name == "errors" and value != "0" else ""
        grid.add_row(name, Text(value, style=style))
    return grid


def line(facts: Facts) -> str:
    """The state of a session as one line."""
    return " | ".join(f"{name} {value}" for name, value in facts)
