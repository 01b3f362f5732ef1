"""`seer-bench report`: the paper's table with every run in it."""

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
    out: Annotated[Path, typer.Option(help="Where Markdown, CSV, LaTeX and HTML are written.")] = Path(
        "results/report"
    ),
    format: Annotated[Format, typer.Option(help="table for people, json for scripts.")] = Format.table,
) -> None:
    """Print Table 2 with the paper's rows and every run found, and write it as Markdown, CSV, LaTeX and HTML.

    Exits with 1 when a run had to be left out, a named directory holds none, or records were damaged; everything else
    is reported and written all the same.
    """
    from seer_bench.report import build_report, print_report, report_json, write_report

    built = build_report(dirs or [Path("results/runs")])
    console = stdout()
    files = write_report(built, out)
    if format is Format.json:
        typer.echo(json.dumps(report_json(built), indent=2))
    else:
        print_report(built, console)
        console.print("\nwritten: " + ", ".join(str(path) for path in files), markup=False)
    if built.problems and (dirs or built.found):
        raise typer.Exit(1)
