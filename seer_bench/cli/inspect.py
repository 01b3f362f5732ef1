"""`seer-bench inspect`: what a checkpoint holds and whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import stdout

if TYPE_CHECKING:
    from seer_bench.inspection import Fact, Inspection

SCHEMA = "seer-bench/inspection/1"


def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint file.", metavar="CKPT")],
    policy: Annotated[
        str | None, typer.Option(help="Policy that it belongs to; every installed one is asked if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for scripts.")] = False,
) -> None:
    """Show variant, sizes, parameters, epoch and hash of a checkpoint; exit code 1 where it cannot be used."""
    name, found = _ask(checkpoint, policy)
    if as_json:
        tree = {"schema": SCHEMA, "policy": name, "kind": found.kind, "facts": found.facts, "faults": found.faults}
        typer.echo(json.dumps(tree, indent=2))
    else:
        console = stdout()
        console.print(found.kind, style="bold", markup=False)
        width = max(map(len, found.facts), default=0)
        for key, fact in found.facts.items():
            console.print(f"  {key:<{width}}  {_in_words(fact)}", markup=False, soft_wrap=True)
        for fault in found.faults:
            console.print(f"  cannot be used: {fault}", style="bold red", markup=False, soft_wrap=True)
    if found.faults:
        raise typer.Exit(1)


def _ask(checkpoint: Path, policy: str | None) -> tuple[str, Inspection]:
    """The first policy that knows the checkpoint, and what it says; raises UsageError."""
    from seer_bench.errors import CheckpointError, UsageError
    from seer_bench.registry import INSPECTORS, load_inspector, plugins

    names = [policy] if policy else sorted(plugins(INSPECTORS))
    refusal: UsageError | None = None
    for name in names:
        try:
            if found := load_inspector(name)(checkpoint):
                return name, found
        except UsageError as error:  # another policy may know better, or be installed
            refusal = refusal or error
    if refusal:
        raise refusal
    raise CheckpointError(
        f"{checkpoint}: no installed policy knows this checkpoint; asked: {', '.join(names) or 'none'}. "
        "List them with: seer-bench list"
    )


def _in_words(fact: Fact) -> str:
    """Numbers with separators, and what is not known."""
    if fact is None:
        return "not stated in the file"
    return f"{fact:,}" if isinstance(fact, int) and not isinstance(fact, bool) else str(fact)
