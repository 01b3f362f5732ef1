"""A comparison for a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seer_bench.compare.arm import planned_units, unit_noun
from seer_bench.compare.comparison import Comparison, PairComparison, Row
from seer_bench.compare.measures import measures
from seer_bench.compare.tasks import TaskDifference, Tries, several_checkpoints
from seer_bench.compare.wording import conclusion, counted_noun, ends_text, join, methods, p_text, tasks_moved
from seer_bench.report.document import ABSENT, counted, interval, shorten, signed

_LABEL = 38
"""Columns for an arm's name."""
_TASK = 24
"""Columns for a task's name; the longest of CALVIN's has 23."""
_WIDE_TASK = 64
"""The same where there is room."""
_WIDE = 120


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the arms, then every comparison with its conclusion and the tasks that moved."""
    console.print(Text(f"Comparison on {comparison.protocol.name}", style="bold"))
    console.print()
    _print_arms(comparison, console)
    legends: set[str] = set()
    for pair in comparison.pairs:
        console.print()
        _print_pair(pair, console, legends)


def new_table(gap: int = 2) -> Table:
    """An empty table in the style of the command line, with so much room between columns."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False)


def paragraph(console: Console, text: str, *, style: str = "", mark: str = " ") -> None:
    """Print text that hangs behind a mark; it is never read as markup."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark), Text(text, style=style))
    console.print(grid)


def _print_arms(comparison: Comparison, console: Console) -> None:
    """Every arm's own score, and what must be known about it."""
    measure = measures(comparison.protocol)[0]
    planned = planned_units(comparison.protocol)
    table = new_table()
    table.add_column("")
    table.add_column("Arm", overflow="fold")
    table.add_column(measure.heading, justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("n", justify="right")
    table.add_column("of", justify="right")
    for row in comparison.rows:
        value = f"{measure.scale * row.estimate.value:.{measure.digits}f}"
        ends = interval(row.estimate.low, row.estimate.high, digits=measure.digits, scale=measure.scale)
        total = "?" if planned is None else f"{planned:,}"
        table.add_row(row.arm.letter, _name(row), value, ends, f"{row.n:,}", total)
    console.print(table)
    for letters, note in _grouped((row.arm.letter, note) for row in comparison.rows for note in row.notes):
        paragraph(console, f"{join(letters)}: {note}", style="dim", mark="·")


def _name(row: Row) -> Text:
    """An arm's label above its directory."""
    more = f" and {len(row.arm.paths) - 1} more" if len(row.arm.paths) > 1 else ""
    text = Text(shorten(row.arm.label, _LABEL))
    text.append("\n" + shorten(str(row.arm.paths[0]), _LABEL - len(more)) + more, style="dim")
    return text


def _print_pair(pair: PairComparison, console: Console, legends: set[str]) -> None:
    """One comparison; `legends` are those that were printed before."""
    a, b, noun = pair.a.letter, pair.b.letter, unit_noun(pair.a.protocol)
    title = f"{a} − {b}: {pair.a.label} against {pair.b.label}"
    console.print(Text(title, style="bold"), soft_wrap=False)
    console.print(Text(_basis(pair, noun), style="dim"))
    console.print()
    first, *others = conclusion(pair)
    paragraph(console, first, style="bold", mark="→")
    for sentence in others:
        paragraph(console, sentence)
    for note in _remarks(pair, noun):
        paragraph(console, note, style="dim", mark="·")
    if pair.alike:
        return
    console.print()
    console.print(_measure_table(pair))
    _print_legend(methods(pair), console, legends)
    console.print()
    if _print_tasks(pair, console):
        _print_legend(_task_legend(pair), console, legends)


def _print_legend(text: str, console: Console, legends: set[str]) -> None:
    """How a table is read, once."""
    if text not in legends:
        legends.add(text)
        paragraph(console, text, style="dim", mark="·")


def _basis(pair: PairComparison, noun: str) -> str:
    """Which units are compared."""
    a, b = pair.a.letter, pair.b.letter
    if not pair.paired:
        kind = counted_noun(pair)
        counts = f"{a}'s {counted(pair.difference.n_a, kind)} and {b}'s {counted(pair.difference.n_b, kind)}"
        shared = f" In common: {counted(pair.common, noun)}; paired, they usually tell more." if pair.common else ""
        return f"Unpaired: {counts}.{shared}"
    left = [f"{n:,} of {letter}" for n, letter in zip(pair.only_in, (a, b), strict=True) if n]
    out = f" Not in common and left out: {' and '.join(left)}." if left else ""
    return f"{counted(pair.common, noun)} that both played, paired by id.{out}"


def _remarks(pair: PairComparison, noun: str) -> list[str]:
    """What else a reader must know."""
    remarks = list(pair.notes)
    if pair.paired and pair.other_starts:
        remarks.append(
            f"{counted(pair.other_starts, noun)} began in different start states, which makes pairing less useful."
        )
    if pair.differ_in:
        remarks.append(f"The runs differ in: {', '.join(pair.differ_in)}.")
    return remarks


def _measure_table(pair: PairComparison) -> Table:
    """Every measure of two arms."""
    a, b = pair.a.letter, pair.b.letter
    table = new_table()
    table.add_column("")
    for heading in (a, b, f"{a} − {b}", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    if pair.paired:
        table.add_column(f"{a} ahead", justify="right")
        table.add_column(f"{b} ahead", justify="right")
    table.add_column("p", justify="right")
    ps = (pair.p_holm, *pair.p_rates)
    for i, ((measure, line), p) in enumerate(zip(pair.lines, ps, strict=True)):
        values = [f"{measure.scale * value:.{measure.digits}f}" for value in (line.a, line.b)]
        difference = signed(measure.scale * line.estimate.value, measure.digits)
        ahead = [f"{line.ahead_a:,}", f"{line.ahead_b:,}"] if pair.paired else []
        style = "bold" if i == 0 and len(pair.lines) > 1 else ""
        table.add_row(measure.heading, *values, difference, ends_text(measure, line), *ahead, p_text(p), style=style)
    return table


def _print_tasks(pair: PairComparison, console: Console) -> bool:
    """The tasks that moved, and in words the others; whether a table was needed."""
    tested = [task for task in pair.tasks if task.p_value is not None]
    shown = [task for task in tested if task.moved] if tested else list(pair.tasks)
    console.print(Text("Tasks", style="bold"))
    if sentence := tasks_moved(pair):
        paragraph(console, sentence)
    if shown:
        console.print(_task_table(pair, shown, console.width))
    rest = []
    if still := sum(not task.moved for task in tested):
        rest.append(f"{counted(still, 'task')} without any difference")
    if tested and (alone := len(pair.tasks) - len(tested)):
        where = "at no place that both reached" if pair.paired else "that one arm alone tried"
        rest.append(f"{counted(alone, 'task')} {where}")
    if rest:
        paragraph(console, f"Not listed: {' and '.join(rest)}.", style="dim", mark="·")
    return bool(shown)


def _task_table(pair: PairComparison, tasks: Sequence[TaskDifference], width: int) -> Table:
    """Attempts of both arms, and what the places say that both reached."""
    a, b = pair.a.letter, pair.b.letter
    places = pair.paired and any(task.both is not None for task in tasks)
    tested = any(task.p_holm is not None for task in tasks)
    table = new_table(gap=2 if width >= _WIDE or not places else 1)
    table.add_column("Task", no_wrap=True)
    headings = [f"{a}\n%", "of", f"{b}\n%", "of"]
    headings += ["both", f"{a}\nonly", f"{b}\nonly"] if places else []
    headings += [f"{a} − {b}", "p"] if tested else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for task in tasks:
        cells = [shorten(task.task, _TASK if width < _WIDE else _WIDE_TASK), *_cells(task.a), *_cells(task.b)]
        cells += [_number(n) for n in (task.both, task.only_a, task.only_b)] if places else []
        if tested:
            cells.append(ABSENT if task.estimate is None else signed(100 * task.estimate.value, 1))
            cells.append(ABSENT if task.p_holm is None else p_text(task.p_holm))
        table.add_row(*cells)
    return table


def _task_legend(pair: PairComparison) -> str:
    """How the task table is read."""
    chains = pair.a.protocol.chain_length > 1
    later = "a later subtask is tried only after the earlier ones were solved, so the arms tried it in different chains"
    if chains and several_checkpoints(pair.a, pair.b):
        return (
            f"Rates over all attempts of all checkpoints. They do not compare and are not tested: {later}. Name one "
            "checkpoint an arm for a test."
        )
    if not pair.paired:
        test = "Rates over all attempts; differences in points. p: Fisher's exact test with Holm's correction."
        return f"{test} Read it with care: {later}." if chains else test
    if chains:
        return (
            f"%, of: rate over all attempts, and their number; they do not compare, since {later}. both: places in "
            "one chain that both reached. only: places at which one arm alone solved it, so the chains part. "
            "Differences, in points, and p (exact McNemar test with Holm's correction) are about these places. What "
            "the subtasks before left behind can still differ."
        )
    return (
        f"%, of: rate and attempts. only: where that arm alone got further. Differences in points. p: "
        f"{pair.difference.test} with Holm's correction."
    )


def _cells(tries: Tries) -> tuple[str, str]:
    """Rate in percent and attempts."""
    return (ABSENT if tries.rate is None else f"{100 * tries.rate:.1f}", f"{tries.attempts:,}")


def _number(number: int | None) -> str:
    """A count, or that there is none."""
    return ABSENT if number is None else f"{number:,}"


def _grouped(notes: Iterable[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """Letters of every distinct note, in the order in which the notes first appear."""
    grouped: dict[str, list[str]] = {}
    for letter, note in notes:
        grouped.setdefault(note, []).append(letter)
    return [(letters, note) for note, letters in grouped.items()]
