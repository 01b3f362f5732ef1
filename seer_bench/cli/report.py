"""`seer-bench report`: the paper's tables and figures with every run in them."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


class Format(str, Enum):
    """What is printed."""

    table = "table"
    json = "json"


def report(
    dirs: Annotated[list[Path] | None, typer.Argument(help="Run directories, or folders that hold some.")] = None,
    out: Annotated[Path, typer.Option(help="Where Markdown, CSV, LaTeX, HTML and JSON are written.")] = Path(
        "results/report"
    ),
    only: Annotated[
        str | None, typer.Option(help="One table or figure alone, and in full: table1, table3a, figure3, ...")
    ] = None,
    format: Annotated[Format, typer.Option(help="table for people, json for scripts.")] = Format.table,
) -> None:
    """Print the paper's tables with every run found, and write them as Markdown, CSV, LaTeX, HTML and JSON.

    What has no runs is printed only where nothing has any, or where it is asked for with --only; else a line says how
    it gets some.

    Exits with 1 when a run had to be left out, a named directory holds none, or records were damaged; everything else
    is reported and written all the same.
    """
    from seer_bench.registry import POLICIES, plugins
    from seer_bench.report import build_report, print_report, report_json, write_report

    built = build_report(dirs or [Path("results/runs")], policies=plugins(POLICIES))
    if only is not None:
        built = built.only(only)
    console = stdout()
    files = write_report(built, out)
    if format is Format.json:
        typer.echo(json.dumps(report_json(built), indent=2))
    else:
        print_report(built, console)
        console.print(f"\nwritten: {len(files)} files to {out}", markup=False, soft_wrap=True)
    if built.problems and (dirs or built.found):
        raise typer.Exit(1)
