"""`seer-bench video`: films of recorded units, by exact replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from seer_bench.cli.console import stdout


def video(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    units: Annotated[
        str | None, typer.Option(help="Units to film: 17, 0:10 ...; the failed ones if not given.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Height of each camera's picture, pixels; 320 if not given.")] = None,
) -> None:
    """Film recorded units by replaying their actions; a film that is there already is not made again."""
    film_run(run, units=units, which="failed" if units is None else "all", size=size, console=stdout())


def film_run(
    path: Path,
    *,
    units: str | None,
    which: Literal["failed", "all"],
    size: int | None,
    console: Console,
) -> None:
    """Film what is asked for, with progress."""
    from rich.progress import Progress

    from seer_bench.video import DEFAULT_SIZE, plan_films

    films = plan_films(path, units=units, which=which, size=size or DEFAULT_SIZE)
    if not films.units:
        console.print(f"no {'failed ' if which == 'failed' else ''}units to film in {path}", markup=False)
        return
    with Progress(console=console) as progress:
        bar = progress.add_task("filming", total=len(films.units))
        for film in films.make():
            progress.advance(bar)
            progress.console.print(str(film), markup=False, soft_wrap=True)
