"""Where the command line writes: results on stdout, errors on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import typer
from rich.console import Console
from rich.text import Text

from seer_bench.errors import SeerBenchError


def open_streams() -> None:
    """Open what is closed of stdin, stdout and stderr, lest a file of ours takes its number and gets its text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(fd, True)  # the workers need it as well
            setattr(sys, name, os.fdopen(fd, mode))


def stdout() -> Console:
    """For results."""
    return Console(highlight=False)


def stderr() -> Console:
    """For words where stdout belongs to a machine."""
    return Console(stderr=True, highlight=False)


def take_stdout() -> TextIO:
    """A stream to stdout that nobody else writes to: what simulators and policies print goes to stderr from now on."""
    sys.stdout.flush()
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


def fail(error: SeerBenchError) -> None:
    """Print an error as text; it may hold brackets that are no markup."""
    stderr().print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)


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
