"""Where the command line writes: results on stdout, errors on stderr."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.text import Text

from seer_bench.errors import SeerBenchError


def stdout() -> Console:
    """For results."""
    return Console(highlight=False)


def fail(error: SeerBenchError) -> None:
    """Print an error as text; it may hold brackets that are no markup."""
    Console(stderr=True, highlight=False).print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)


def key_values(texts: Sequence[str], option: str) -> dict[str, str]:
    """Read repeated `key=value` options; raises typer.BadParameter."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{text!r} is not of the form key=value.", param_hint=option)
        if key in pairs:
            raise typer.BadParameter(f"{key!r} is given twice.", param_hint=option)
        pairs[key] = value
    return pairs
