"""`seer-bench reproduce`: play what a table of the paper lacks, then print it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.options import Device, Threads, Trackers
from seer_bench.cli.series import INTERRUPTED, Job, Player
from seer_bench.errors import UsageError

_IN_FULL = 2
"""Tables that are printed in full; of more, those without rows get a line."""


def reproduce(
    table: Annotated[
        str, typer.Argument(help="table1, table2, table3 (or 3a, 3b: table3a), table4, figure3, figure5 or all.")
    ],
    checkpoints: Annotated[
        Path,
        typer.Option(help="YAML file with the policy and checkpoints of each arm: docs/reproduce.md."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and play nothing.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the runs; what is there already is not played again.")] = Path(
        "results/reproduce"
    ),
    units: Annotated[str | None, typer.Option(help="Units to play instead of the file's: 17, 0:200 ...")] = None,
    workers: Annotated[int | None, typer.Option(help="Environments side by side; one a core if not given.")] = None,
    device: Device = "cpu",
    threads: Threads = 1,
    tracker: Trackers = None,
) -> None:
    """Play whatever a table or figure of the paper lacks, then print it; the same command again continues.

    The plan comes first: for each row its arm and how much of it is done, how long the rest takes, and what has no
    entry in the file. An arm that fails does not stop the others. The report's files are written to OUT/report.

    Exits with 1 when an arm could not be played or a unit has no outcome, and with 130 after Ctrl-C.
    """
    from seer_bench.registry import POLICIES, plugins
    from seer_bench.reproduce import Settings, make_plan, print_plan, read_experiments, tables_of

    tables = tables_of(table)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is no folder. Choose another one.")
    experiments = read_experiments(checkpoints)
    player = Player(trackers=tracker or [])
    with player.console.status("reading checkpoints and runs"):
        plan = make_plan(tables, experiments, Settings(out, units, workers, device, threads))
    with suppress(OSError, SystemExit):  # nobody reads stdout any more
        print_plan(plan, player.console, file=str(checkpoints), policies=plugins(POLICIES))
    if dry_run:
        return
    jobs = [Job(f"{arm.experiment.name} {run.name}".rstrip(), run.request) for arm, run in plan.runs]
    player.say("")
    code = player.play_all(jobs, what="run", alike=False) if jobs else 0
    if code == INTERRUPTED:
        raise typer.Exit(code)
    reported = _report(player, [each.key for each in tables], out)
    player.say_refused()
    if code or not reported or any(arm.obstacle is not None for arm in plan.arms):
        raise typer.Exit(1)


def _report(player: Player, keys: Sequence[str], out: Path) -> bool:
    """Print and write the tables with every run below `out`; False where one had to be left out."""
    from seer_bench.registry import POLICIES, plugins
    from seer_bench.report import build_report, print_report, write_report

    built = build_report([out] if out.is_dir() else [], policies=plugins(POLICIES))
    chosen = replace(built, tables=tuple(built.table(key) for key in keys))
    files = write_report(chosen, out / "report", whole=built)
    with suppress(OSError, SystemExit):  # nobody reads stdout any more
        for part in [chosen] if len(keys) > _IN_FULL else [chosen.only(key) for key in keys]:
            player.console.print()
            print_report(part, player.console)
    player.say(f"\nwritten: {len(files)} files to {out / 'report'}")
    return not built.problems
