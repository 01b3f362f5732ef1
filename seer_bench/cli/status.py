"""`seer-bench status`: how far a run is, from any terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


def status(
    dir: Annotated[Path, typer.Argument(help="Run directory, or a folder that holds some, e.g. shards.")],
) -> None:
    """Print what is done, the score so far, errors, speed and time left; nothing is written or held up.

    Exits with 1 when a run could not be read; the others are shown all the same.
    """
    from seer_bench.report import print_status

    if not print_status(dir, stdout()):
        raise typer.Exit(1)
