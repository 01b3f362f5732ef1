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
    size: Annotated[
        int | None, typer.Option(min=64, max=2048, help="Height of each camera's picture, pixels; 320 if not given.")
    ] = None,
) -> None:
    """Film recorded units by replaying their actions; a film that is there already is not made again.

    Exits with 1 when a unit could not be filmed; the others are filmed all the same.
    """
    film_run(run, units=units, which="failed" if units is None else "all", size=size, console=stdout())


def film_run(
    path: Path,
    *,
    units: str | None,
    which: Literal["failed", "all"],
    size: int | None,
    console: Console,
) -> None:
    """Film what is asked for, with progress.

    Raises:
        typer.Exit: with code 1, at the end, where a unit could not be filmed.
    """
    from rich.progress import Progress

    from seer_bench.video import DEFAULT_SIZE, plan_films

    films = plan_films(path, units=units, which=which, size=DEFAULT_SIZE if size is None else size)
    if not films.units:
        console.print(f"no {'failed ' if which == 'failed' else ''}units to film in {path}", markup=False)
        return
    failed = 0
    with Progress(console=console) as progress:
        bar = progress.add_task("filming", total=len(films.units))
        for film in films.make():
            progress.advance(bar)
            failed += film.path is None
            progress.console.print(str(film), markup=False, soft_wrap=True)
    if failed:
        console.print(f"{failed} of {len(films.units)} units could not be filmed", markup=False)
        raise typer.Exit(1)
