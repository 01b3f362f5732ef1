"""The contract of `seer-bench inspect`: a policy's plugin says what a checkpoint holds.

Plugins are found through the entry points `seer_bench.inspectors`, under the policy's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Inspection:
    """What is known about a checkpoint."""

    kind: str
    """What the file is, e.g. "Seer checkpoint"."""
    facts: Mapping[str, Fact]
    """By a name for people, in the order in which they are shown; None means that the file does not tell."""
    faults: tuple[str, ...] = field(default=())
    """Why it cannot be used; empty where it can."""


class Inspector(Protocol):
    """A function that looks into a checkpoint without running anything in it."""

    def __call__(self, path: Path) -> Inspection | None:
        """What the checkpoint holds; None where it is sound but another policy's.

        Raises:
            CheckpointError: the file is missing, damaged, or unsafe to open.
        """
