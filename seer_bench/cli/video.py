"""`seer-bench video`: films of recorded units, by exact replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from seer_bench.cli.console import stdout
from seer_bench.errors import UsageError

if TYPE_CHECKING:
    from seer_bench.video import ForesightRequest


def video(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    units: Annotated[
        str | None, typer.Option(help="Units to film: 17, 0:10 ...; the failed ones if not given.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=64, max=2048, help="Height of each camera's picture, pixels; 320 if not given.")
    ] = None,
    foresight: Annotated[
        bool,
        typer.Option("--foresight", help="Ask the policy again and film what it expected to see beside what came."),
    ] = False,
    ckpt: Annotated[
        Path | None, typer.Option("--ckpt", help="With --foresight: the checkpoint that the run was made with.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --foresight: device of the policy; cpu if not given.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="With --foresight: CPU threads of the policy; the run's if not given.")
    ] = None,
) -> None:
    """Film recorded units by replaying their actions; a film that is there already is not made again.

    Exits with 1 when a unit could not be filmed; the others are filmed all the same.
    """
    from seer_bench.video import ForesightRequest

    for option, value in (("--ckpt", ckpt), ("--device", device), ("--threads", threads)):
        if value is not None and not foresight:
            raise UsageError(f"{option} {value}: a replay asks no policy; add --foresight, or leave it out.")
    again = ForesightRequest(ckpt, device or "cpu", threads) if foresight else None
    which: Literal["failed", "all"] = "failed" if units is None else "all"
    film_run(run, units=units, which=which, size=size, foresight=again, console=stdout())


def film_run(
    path: Path,
    *,
    units: str | None,
    which: Literal["failed", "all"],
    size: int | None,
    foresight: ForesightRequest | None,
    console: Console,
) -> None:
    """Film what is asked for, with progress.

    Raises:
        typer.Exit: with code 1, at the end, where a unit could not be filmed.
    """
    from rich.progress import Progress

    from seer_bench.video import DEFAULT_SIZE, plan_films

    films = plan_films(path, units=units, which=which, size=DEFAULT_SIZE if size is None else size, foresight=foresight)
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
