"""`seer-bench verify`: the proof that a simulation or model equals what was recorded upstream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import stdout

if TYPE_CHECKING:
    from seer_bench.verification import Verdict


def verify(
    subject: Annotated[str, typer.Argument(help="What to verify, e.g. calvin.")],
    golden: Annotated[Path | None, typer.Option(help="Folder of recordings; a packaged set if not given.")] = None,
    against: Annotated[str | None, typer.Option(help="Compare live with this backend, e.g. upstream.")] = None,
) -> None:
    """Replay recordings and compare; exit code 0 identical or agreeing, 1 different, 3 round-off only.

    A simulation has to be identical. The outputs of a network agree where they lie within the tolerance of the
    recording: no library sums in the same order on every machine.
    """
    from rich.progress import Progress

    from seer_bench.registry import load_verifier
    from seer_bench.verification import exit_code

    console = stdout()
    verifier = load_verifier(subject)
    facts = verifier.facts()
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        console.print(f"{name:<{width}} {value}", markup=False, soft_wrap=True)
    verdicts = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(bar, description=what, completed=done, total=total or None)

        for verdict in verifier.verify(golden, against=against, progress=show):
            verdicts.append(verdict)
            console.print(_in_words(verdict), markup=False, soft_wrap=True)
    for line in _legend(verdicts):
        console.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(exit_code(verdicts))


def _legend(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How many records got each verdict, and what it says."""
    from seer_bench.verification import MEANINGS

    yield ""
    for status, meaning in MEANINGS.items():
        if count := sum(verdict.status == status for verdict in verdicts):
            yield f"{status:<10} {count:>3}  {meaning}"


def _in_words(verdict: Verdict) -> str:
    """One line."""
    largest = "" if verdict.largest is None else f", largest difference {verdict.largest:.3g}"
    detail = f" ({verdict.detail})" if verdict.detail else ""
    return f"{verdict.status:<10} {verdict.record} [{verdict.kind}]: {verdict.compared}{largest}{detail}"
