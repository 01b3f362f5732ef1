"""`seer-bench compare`: arms against one another, unit by unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout
from seer_bench.cli.options import Format, OutputFormat


def compare(
    arms: Annotated[
        list[Path], typer.Argument(help="Two or more arms: run directories, or folders of shards and checkpoints.")
    ],
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Take each arm's units as its own, e.g. where none are in common.")
    ] = False,
    format: OutputFormat = Format.table,
) -> None:
    """Compare the first arm with each of the others: difference, test, which tasks moved, what could have been found.

    Units are paired by id. Arms of different protocols are refused, with what differs. Several checkpoints of an arm
    count as their mean; none is selected.
    """
    from seer_bench.compare import compare_runs, comparison_json, print_comparison

    comparison = compare_runs(arms, unpaired=unpaired)
    if format is Format.json:
        typer.echo(json.dumps(comparison_json(comparison), indent=2))
    else:
        print_comparison(comparison, stdout())
