"""`seer-bench report`: the paper's tables and figures with every run in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seer_bench.cli.console import stderr, stdout
from seer_bench.errors import SeerBenchError

if TYPE_CHECKING:
    from seer_bench.report import Report


class Format(str, Enum):
    """What is printed."""

    table = "table"
    json = "json"


def report(
    dirs: Annotated[list[Path] | None, typer.Argument(help="Run directories, or folders that hold some.")] = None,
    out: Annotated[Path, typer.Option(help="Where the files are written.")] = Path("results/report"),
    only: Annotated[
        str | None, typer.Option(help="One table or figure alone, and in full: table1, table3a, figure3, ...")
    ] = None,
    format: Annotated[Format, typer.Option(help="table for people, json for scripts.")] = Format.table,
    clips: Annotated[
        int,
        typer.Option(min=0, max=36, help="Clips of failures to make by replay, at most so many a run."),
    ] = 0,
) -> None:
    """Print the paper's tables with every run found; write them as Markdown, CSV, LaTeX, JSON, PNG, PDF and pages.

    Parquet files are written as well where pyarrow is installed.

    html/index.html opens the pages: everything above, and every run with its failures, in one folder that can be
    zipped and sent, with --only too. Clips that were made once are kept in the run's folder, and shown by every later
    report.

    What has no runs is printed only where nothing has any, or where it is asked for with --only; else a line says how
    it gets some.

    Exits with 1 when a run had to be left out, a named directory holds none, records were damaged or a clip could not
    be made; everything else is reported and written all the same.
    """
    from seer_bench.registry import POLICIES, plugins
    from seer_bench.report import build_report, not_written, print_report, report_json, write_report

    whole = build_report(dirs or [Path("results/runs")], policies=plugins(POLICIES))
    built = whole if only is None else whole.only(only)
    console = stdout()
    filmed = _film_failures(built, clips, stderr()) if clips else _Filmed()
    files = write_report(built, out, whole=whole)
    if format is Format.json:
        typer.echo(json.dumps(report_json(built), indent=2))
    else:
        print_report(built, console)
        console.print(f"\nwritten: {len(files)} files to {out}", markup=False, soft_wrap=True)
        if missing := not_written():
            console.print(f"         {missing}", markup=False, soft_wrap=True)
        console.print(f"pages:   {out / 'html' / 'index.html'}", markup=False, soft_wrap=True)
    if filmed.interrupted:
        raise KeyboardInterrupt
    if (built.problems and (dirs or built.found)) or filmed.failed:
        raise typer.Exit(1)


@dataclass
class _Filmed:
    """What became of the clips."""

    failed: int = 0
    """Clips that could not be made, and runs of which none could be."""
    interrupted: bool = False


def _film_failures(report: Report, count: int, console: Console) -> _Filmed:
    """Make clips of every run's failures, with progress; whatever stops this, the report can be written."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from seer_bench.report.document import shorten
    from seer_bench.report.pages import run_pages, units_to_film
    from seer_bench.store import merge_runs, read_run
    from seer_bench.video import make_clips

    filmed = _Filmed()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    wanted = [(page, units_to_film(page.summary, count)) for page in run_pages(report)]
    try:
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("clips", total=sum(len(units) for _, units in wanted))
            for page, units in wanted:
                if not units:
                    continue
                progress.update(bar, description=shorten(page.title, 36))
                try:
                    run = merge_runs([read_run(path) for path in page.summary.paths], allow_mixed=True)
                    for film in make_clips(run, units):
                        progress.advance(bar)
                        if film.path is None:
                            filmed.failed += 1
                            progress.console.print(str(film), markup=False, soft_wrap=True)
                except SeerBenchError as error:
                    filmed.failed += 1
                    progress.console.print(f"no clips of {page.title}: {error}", markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        filmed.interrupted = True
        console.print("interrupted: the report is written with the clips that are there; the same command goes on")
    return filmed
