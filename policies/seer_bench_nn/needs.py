"""Imports of PyTorch, where it may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seer_bench.errors import MissingExtraError


@contextmanager
def needs_torch(what: str) -> Iterator[None]:
    """Imports of PyTorch, safetensors and all that needs them go in here; `what` names who asks.

    Raises:
        MissingExtraError: one of the two is not installed; the message holds the pip command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in ("torch", "safetensors"):
            raise
        raise MissingExtraError(what, module, "policies") from error
