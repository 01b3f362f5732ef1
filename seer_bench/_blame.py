"""Where in a policy's own code an exception came from, for messages that have no traceback beside them."""

from __future__ import annotations

import traceback
from pathlib import Path


def described(error: BaseException) -> str:
    """An exception in one line: its type, its words, and the last line of the called code's own folder that it passed.

    Args:
        error: as it was caught by the function that called the foreign code; the frame of that function is left out.
    """
    words = f"{type(error).__name__}: {error}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)[1:]
    if not frames:  # the call itself failed
        return words
    home = Path(frames[0].filename).parent  # libraries that it calls lie elsewhere
    last = [frame for frame in frames if Path(frame.filename).parent == home][-1]
    return f"{words} ({last.filename}, line {last.lineno}, in {last.name})"
