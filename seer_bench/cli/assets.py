"""`seer-bench assets`: fetch, check and install files that the package may not ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


def assets(
    name: Annotated[str, typer.Argument(help="Whose files, e.g. calvin.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Directory or archive to take them from, instead of the download.")
    ] = None,
) -> None:
    """Install pinned files into the cache, every one checked by its sha256."""
    from rich.progress import Progress

    from seer_bench.registry import load_assets

    console = stdout()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        folder = load_assets(name)(
            source,
            progress=lambda what, done, total: progress.update(
                bar, description=what, completed=done, total=total or None
            ),
        )
    console.print(f"{name}: all files are in {folder}", markup=False, soft_wrap=True)
