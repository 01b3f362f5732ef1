"""A plan in words, for a terminal of 80 columns."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seer_bench.report.arms import HEAD_OF_OURS, policy_of
from seer_bench.report.document import count, counted, plain
from seer_bench.report.missing import Wanted
from seer_bench.report.served import SERVED
from seer_bench.report.tally import duration
from seer_bench.reproduce.plan import Plan, PlannedArm, PlannedTable
from seer_bench.reproduce.rows import REAL_ROBOT

NO_ENTRY = "no entry"


def print_plan(plan: Plan, console: Console, *, file: str, policies: Collection[str]) -> None:
    """Print every table's rows with what fills them, then the runs, what cannot be played, and what has no entry.

    Args:
        plan: what to print.
        console: where to.
        file: the name of the file with the arms.
        policies: names of installed policies.
    """
    for i, table in enumerate(plan.tables):
        if i:
            console.print()
        console.print(Text(f"{table.table.number}: {_title(table)}", style="bold"))
        if table.table.key in REAL_ROBOT:
            _say(console, "comes from a real robot; no command plays it.")
        else:
            console.print(_rows(table))
    for arm in plan.arms:
        console.print()
        for line in arm_lines(arm):
            _say(console, line)
        if arm.obstacle is not None:
            _prose(console, f"cannot be played here: {arm.obstacle}")
    if plan.notes:
        console.print()
    for note in plan.notes:
        _prose(console, f"note: {note}")
    lines = list(entry_lines(plan.tables, file=file, policies=policies))
    if lines:
        console.print()
    for line in lines:
        _say(console, line)
    console.print()
    _say(console, total_line(plan))


def arm_lines(arm: PlannedArm) -> list[str]:
    """What is known of one arm but its obstacle: its runs one by one, and the time that they take."""
    head = f"{arm.experiment.name}: policy {arm.experiment.policy}, {arm.protocol}"
    if arm.obstacle is not None:
        return [head]
    lines = [head]
    if arm.comparable != "yes":
        lines.append(f"  not comparable with the paper: {arm.comparable}")
    width = max(len(run.name) for run in arm.runs)
    for run in arm.runs:
        if not run.missing:
            state = f"complete, {counted(run.total, 'unit')}"
        elif run.done:
            state = f"{count(run.done)} of {counted(run.total, 'unit')}"
        else:
            state = f"nothing yet of {counted(run.total, 'unit')}"
        lines.append(f"  {run.name:<{width}}  {state}" if run.name else f"  {state}")
    if arm.missing:
        lines += [f"  {line}" for line in _time(arm)]
    return [plain_indented(line) for line in lines]


def entry_lines(tables: Sequence[PlannedTable], *, file: str, policies: Collection[str]) -> Iterable[str]:
    """For rows without an entry: the entries that an installed policy could fill, then who is missing for the rest."""
    rows = {(row.arm, row.benchmark): row for table in tables for row, arms in table.rows if not arms}
    known = {row: policy for row in rows.values() if (policy := policy_of(row.arm.method)) in policies}
    mine = {row: policy for row, policy in known.items() if row.arm.method not in HEAD_OF_OURS}
    if mine:
        yield f"Rows without an entry in {file}; fill in the checkpoints and add under 'arms:'"
    for row, policy in mine.items():
        attributes = ", ".join(f"{key}: {value}" for key, value in sorted(row.arm.options.items()))
        arm = f"arm: {{{attributes}}}, " if attributes else ""
        yield f"  {_slug(row)}: {{method: {row.arm.method}, policy: {policy},"
        yield f"    benchmark: {row.benchmark}, {arm}checkpoints: PATH}}"
    planned = {(arm.experiment.method, arm.benchmark) for table in tables for arm in table.others}
    beside = [
        (row, policy)
        for row, policy in known.items()
        if row not in mine and (row.arm.method, row.benchmark) not in planned
    ]
    if beside:
        yield f"Nothing public can fill the rows {', '.join(row.label for row, _ in beside)}: no policies on these"
        yield "encoders were published. Entries for rows beside them, with a head of ours"
        yield "that you train (docs/encoders.md):"
    for row, policy in beside:
        yield f"  {_slug(row)}-head-ours: {{method: {row.arm.method}, policy: {policy}, arm: {{head: ours}},"
        yield f"    benchmark: {row.benchmark}, options: {{encoder: FILE}}, checkpoints: PATH}}"
    yield from _absent_lines([row for row in rows.values() if row not in known])


def _absent_lines(rows: Sequence[Wanted]) -> Iterable[str]:
    """Who is missing for rows that no installed policy fills by itself."""
    absent = {row.arm.method: policy_of(row.arm.method) for row in rows}
    plugins = [f"{method} ({policy})" for method, policy in absent.items() if policy]
    if plugins:
        yield f"Policy plugins that are not installed: {', '.join(plugins)}."
    served = {
        row.arm.method: played
        for row in rows
        if (played := SERVED.get(row.arm.method)) and played.benchmark == row.benchmark
    }
    if served:
        yield f"Played from their own environments, behind a server: {', '.join(served)}."
        yield f"See {' and '.join(dict.fromkeys(played.docs for played in served.values()))}."
    unknown = [method for method, policy in absent.items() if not policy and method not in served]
    if unknown:
        yield f"No policy plugin is known for: {', '.join(unknown)}."
        yield "An entry of your own plugin fills such a row by its method."


def total_line(plan: Plan) -> str:
    """How much there is to play."""
    playable = [arm for arm in plan.arms if arm.missing]
    stuck = sum(arm.obstacle is not None for arm in plan.arms)
    end = f" {counted(stuck, 'arm')} cannot be played here." if stuck else ""
    if not playable:
        return f"Nothing to play.{end}"
    units = f"To play: {counted(sum(arm.missing for arm in playable), 'unit')} in {counted(len(plan.runs), 'run')}"
    known = sum(arm.seconds for arm in playable if arm.seconds is not None)
    unknown = [arm.experiment.name for arm in playable if arm.seconds is None]
    if len(unknown) == len(playable):
        return f"{units}, time not known.{end}"
    more = f", and unknown time for {', '.join(dict.fromkeys(unknown))}" if unknown else ""
    return f"{units}, about {duration(known)}{more}.{end}"


def plain_indented(line: str) -> str:
    """As `plain`, with the spaces in front."""
    return " " * (len(line) - len(line.lstrip(" "))) + plain(line)


def _time(arm: PlannedArm) -> list[str]:
    """How long the missing units take, or how to find out."""
    if arm.pace is not None and arm.seconds is not None:
        each, units = arm.pace
        workers = counted(arm.workers, "worker")
        return [
            f"time: about {duration(arm.seconds)} ({each:.1f} s a unit, mean of {count(units)} recorded; {workers})"
        ]
    command = ["seer-bench", "bench", arm.benchmark, "--policy", arm.experiment.policy, "--protocol", arm.protocol]
    request = arm.runs[0].request
    if request.checkpoint is not None:
        command += ["--ckpt", str(request.checkpoint)]
    if request.device != "cpu":
        command += ["--device", request.device]
    for key, value in sorted(request.options.items()):
        command += ["--policy-arg", f"{key}={value}"]
    return ["time: not known, as no unit of it is recorded. This measures it:", f"  {shlex.join(command)}"]


def _rows(table: PlannedTable) -> Table:
    """The paper's rows, and below them the arms that it does not have."""
    rich = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("Row of the paper", "Arm", "State"):
        rich.add_column(heading, overflow="fold")
    for row, arms in table.rows:
        if not arms:
            rich.add_row(Text(row.label), Text("–"), Text(NO_ENTRY, style="dim"))
        for i, arm in enumerate(arms):
            rich.add_row(Text(row.label if i == 0 else ""), Text(arm.experiment.name), Text(state_text(arm)))
    if table.others:
        rich.add_section()
    for arm in table.others:
        rich.add_row(Text("(not in the paper)", style="dim"), Text(arm.experiment.name), Text(state_text(arm)))
    return rich


def state_text(arm: PlannedArm) -> str:
    """How far an arm is, in a few words."""
    if arm.obstacle is not None:
        return "cannot be played here"
    total, done = sum(run.total for run in arm.runs), sum(run.done for run in arm.runs)
    state = "complete" if done == total else "nothing yet" if not done else f"{count(done)} of {count(total)} units"
    runs = f", {counted(len(arm.runs), 'checkpoint')}" if arm.runs[0].name else ""
    return f"{state}{runs}{'' if arm.comparable == 'yes' else ', not comparable'}"


def _title(table: PlannedTable) -> str:
    """The paper's title, with the protocols that compare with it."""
    protocols = dict.fromkeys(row.protocol for row, _ in table.rows)
    return f"runs of {' and '.join(protocols)}" if protocols else "real robot"


def _slug(row: Wanted) -> str:
    """A name for the entry that would fill a row."""
    parts = [row.arm.method, row.benchmark, *(f"{key} {value}" for key, value in sorted(row.arm.options.items()))]
    return re.sub(r"[^a-z0-9_]+", "-", " ".join(parts).lower()).strip("-")


def _prose(console: Console, text: str) -> None:
    """Print a paragraph that keeps its indentation."""
    console.print(Padding(Text(plain(text), overflow="fold"), (0, 0, 0, 2)))


def _say(console: Console, text: str) -> None:
    """Print plain words."""
    console.print(text, markup=False, soft_wrap=True)
