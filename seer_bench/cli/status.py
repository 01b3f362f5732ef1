"""`seer-bench status`: how far a run is, from any terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


def status(
    dir: Annotated[Path, typer.Argument(help="Run directory, or a folder that holds some, e.g. shards.")],
) -> None:
    """Print what is done, the score so far, errors, speed and time left; nothing is written or held up."""
    from seer_bench.report import print_status

    print_status(dir, stdout())
