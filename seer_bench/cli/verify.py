"""`seer-bench verify`: the proof that a simulation or model equals what was recorded upstream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import stdout


def verify(
    subject: Annotated[str, typer.Argument(help="What to verify, e.g. calvin.")],
    golden: Annotated[Path | None, typer.Option(help="Folder of recordings; a packaged set if not given.")] = None,
    against: Annotated[str | None, typer.Option(help="Compare live with this backend, e.g. upstream.")] = None,
) -> None:
    """Replay recordings and compare; exit code 0 identical, 1 different, 3 round-off only."""
    from seer_bench.registry import load_verifier
    from seer_bench.verification import exit_code

    console = stdout()
    verifier = load_verifier(subject)
    for name, value in verifier.facts().items():
        console.print(f"{name:<12} {value}", markup=False, soft_wrap=True)
    verdicts = []
    for verdict in verifier.verify(golden, against=against):
        verdicts.append(verdict)
        largest = "" if verdict.largest is None else f", largest difference {verdict.largest:.3g}"
        detail = f" ({verdict.detail})" if verdict.detail else ""
        console.print(
            f"{verdict.status:<10} {verdict.record} [{verdict.kind}]: {verdict.compared}{largest}{detail}",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(exit_code(verdicts))
