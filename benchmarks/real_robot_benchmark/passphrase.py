"""The passphrase of a blind campaign's key: from a file, or asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from seer_bench.errors import UsageError


def read_passphrase(file: Path | None, *, ask: bool, confirm: bool = False) -> str | None:
    """The passphrase; None where there is no file and nobody is to be asked.

    Args:
        file: its first line is the passphrase.
        ask: ask at the keyboard where there is no file.
        confirm: ask twice.

    Raises:
        UsageError: the file cannot be read or begins with an empty line, or there is no keyboard.
    """
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: the passphrase cannot be read: {error}.") from error
        if not lines or not lines[0]:
            raise UsageError(f"{file}: its first line is empty; it is the passphrase.")
        return lines[0]
    if not ask:
        return None
    if not sys.stdin.isatty():
        raise UsageError("the passphrase cannot be asked for without a keyboard; name a file: --passphrase-file FILE")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm))
