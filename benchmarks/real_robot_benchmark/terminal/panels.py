"""What stands in each part of the terminal console: pure functions of the view."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from real_robot_benchmark.terminal.big import draw, fits
from real_robot_benchmark.view import View

_KEY = "bold reverse"


def top(view: View, campaign: str, address: str, width: int) -> Text:
    """Which trial of which campaign, and where the page is."""
    left = f" {view.headline}"
    if view.phase != "finished":
        left += f" · {view.task}"
    right = f"{address} (w) " if address else f"{campaign} "
    room = max(0, width - cell_len(left) - cell_len(right))
    return Text(left + " " * room + right if room else left, "bold", no_wrap=True, overflow="ellipsis")


def big(view: View, width: int) -> Text:
    """The word of the moment: the task, or what has become of it."""
    if view.phase == "finished":
        word = "ALL DONE"
    elif view.paused:
        word = "PAUSED"
    elif view.result:
        word = "SUCCESS" if view.result == "success" else "NOT SOLVED"
    else:
        word = view.task
    return _big(word, width - 1, indent=1)


def numbers(view: View, width: int) -> Text:
    """Policy, case, trial and clock."""
    if view.phase == "finished":
        return Text("")
    letter, _, name = view.policy.partition(" · ")
    limit = f" of {_minutes(view.time_limit_s)}" if view.time_limit_s else ""
    attempt = f", attempt {view.attempt}" if view.attempt > 1 else f" of {view.trials}"
    cells = [
        (f"POLICY {name}".rstrip(), letter),
        (f"CASE of {view.cases}", str(view.case)),
        (f"TRIAL{attempt}", str(view.trial)),
        (f"CLOCK{limit}", _minutes(view.clock_s)),
    ]
    column = width // len(cells)
    columns = (column,) * 3 if column > 16 else (11, 12, 13)  # the clock is the widest and takes what is left
    lines = [Text(), Text(), Text(), Text()]
    for (caption, value), column in zip(cells, (*columns, width - sum(columns)), strict=True):
        lines[0].append(f" {caption}"[: column - 1].ljust(column), "dim")
        colour = (
            ("bold red" if view.overtime else "bold green" if view.ticking else "bold") if "CLOCK" in caption else ""
        )
        for line, drawn in zip(lines[1:], draw(value), strict=True):
            line.append(f" {drawn}".ljust(column), colour or "bold")
    return Text("\n", no_wrap=True).join(lines)


def scene(view: View) -> Table:
    """How the scene is set up."""
    table = Table.grid(padding=(0, 1))
    if view.phase == "finished":
        table.add_row("Close the console with q; then: seer-bench real finish CAMPAIGN")
    for line in view.setup:
        table.add_row("•", Text(line, "bold" if view.phase == "setup" else ""))
    for note in view.notes:
        table.add_row("✎", Text(note, "italic"))
    return table


def stages(view: View) -> Table:
    """The stages, a key each."""
    table = Table.grid(padding=(0, 1))
    for stage in view.stages:
        number = Text(f" {stage.number} ", _KEY if view.ticking and not stage.done else "dim")
        words = Text(stage.text, "green" if stage.done else "bold" if view.ticking else "")
        table.add_row(number, Text("✓" if stage.done else "·", "bold green" if stage.done else "dim"), words)
    return table


def message(view: View, notice: str) -> Text:
    """A refusal, how the trial came out, or what should be known now."""
    if notice:
        return Text(f" {notice} ", "bold white on #a40e0e")
    if view.result_text:
        return Text(f" {view.result_text} ", f"bold white on {'#12703a' if view.result == 'success' else '#a40e0e'}")
    return Text(f" {view.message} ", "bold black on yellow") if view.message else Text("")


def upcoming(view: View, width: int) -> Text:
    """The trial after this one."""
    following = view.upcoming
    if following is None:
        return Text("")
    letter = following.policy.partition(" · ")[0]
    text = Text(f"Next: {following.task}, case {following.case}, trial {following.trial}, policy {letter}", "bold")
    text.append(f"  {' '.join(following.lines)}", "not bold")
    text.truncate(2 * width, overflow="ellipsis")
    return text


def progress(view: View, width: int) -> Text:
    """How far the campaign is, and how long it goes on."""
    words = f" {view.done} of {view.total} done"
    words += f" · this task {view.task_done} of {view.task_total}" if view.task_total else ""
    words += f" · {view.voided} void" if view.voided else ""
    if view.remaining_s is not None and view.done < view.total:
        words += f" · {_hours(view.remaining_s)} to go"
    room = max(10, width - cell_len(words))
    full = room * view.done // max(1, view.total)
    return Text.assemble(("━" * full, "green"), ("─" * (room - full), "dim"), words, no_wrap=True)


def keys(view: View, width: int, *, robot: bool) -> Text:
    """What may be pressed now."""
    labels = {"u": f"undo {view.undo_text}", "s": "success", "v": "void"}
    entries = [(key.key, labels.get(key.key, key.label)) for key in view.keys if not key.key.isdecimal()]
    if view.phase != "running" and view.done:
        entries.append(("e", "void earlier"))
    entries += [("?", "help"), ("q", "close")]
    lines = [Text("")]
    if robot:
        lines[0].append(" Esc STOP ROBOT ", "bold white on #c40d0d")
    for key, label in entries:
        entry = Text.assemble(" ", (f" {key} ", _KEY), f" {label[:30]} ")
        if lines[-1].cell_len + entry.cell_len > width:
            lines.append(Text(""))
        lines[-1].append_text(entry)
    return Text("\n", no_wrap=True).join(lines)


def link(address: str, link: str) -> list[str | Text]:
    """The page's address, and its code for a phone's camera."""
    import segno

    lines: list[str | Text] = [f"Open  {link}"]
    if link != address:
        lines.append("The link lets a device in; show it to nobody else. Phone: scan this.")
        lines.append(Text(_code(segno.make(link, error="l", micro=False).matrix), "black on white"))
    else:
        lines.append("It can be reached from this machine alone; for a phone start with: --host 0.0.0.0")
    return lines


def help_lines(*, robot: bool) -> list[str | Text]:
    """All keys."""
    lines: list[str | Text] = [
        "space    the scene is set up: start the policy and the clock",
        "1 to 9   stages 1 to n are completed; the last one ends the trial",
        "s f t    success (all stages), failed, time is up",
        "enter    on to the next trial",
        "u        undo the last press, whatever it was; any number of times",
        "v        void this attempt, with a reason: it is repeated",
        "e        void an earlier trial, with its number and a reason",
        "n        note for this trial",
        "p        pause and resume all clocks",
        "up down  scroll a long scene",
        "w        the address of the page, with its code for a phone",
        "q        close; the same command goes on here",
    ]
    if robot:
        lines.append("escape   STOP THE ROBOT, everywhere")
    return [*lines, "", "Every press is on the disk before the screen changes."]


def _code(matrix: Sequence[Sequence[int]]) -> str:
    """A square code with half blocks, dark on light, with its quiet zone."""
    quiet = 2
    width = len(matrix[0]) + 2 * quiet
    rows = [[0] * width] * quiet + [[0] * quiet + list(row) + [0] * quiet for row in matrix] + [[0] * width] * quiet
    if len(rows) % 2:
        rows.append([0] * width)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(" ▄▀█"[2 * a + b] for a, b in zip(u, v, strict=True)) for u, v in pairs)


def _big(word: str, width: int, indent: int) -> Text:
    """A word in big letters, or as it is where it has none or is too long."""
    lines = draw(word) if fits(word, width - indent) else ["", word, ""]
    return Text("\n".join(" " * indent + line for line in lines), "bold", no_wrap=True)


def _minutes(seconds: float) -> str:
    """Time as "m:ss"."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _hours(seconds: float) -> str:
    """Time as "2 h 10 min"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
