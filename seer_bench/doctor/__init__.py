"""What a machine has and lacks for a run, and the command that mends it.

A benchmark brings checks of its own: a function without arguments that gives findings, registered under the
benchmark's name as an entry point `seer_bench.doctors`. It is called in a process of its own, so it may import the
simulator and render for real: a crash costs the findings that were still to come and nothing else. Its module must
be importable without the benchmark's packages, whose absence is a finding too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    subject: str
    """What was looked at, e.g. "pybullet"."""
    level: Level
    """"problem": runs will fail; "warning": some will, or something is unusual."""
    text: str
    """What was found, e.g. a version or a path."""
    command: str = ""
    """What to run next; empty where nothing is to be done."""
    optional: bool = False
    """A problem that counts as a warning unless the benchmark is asked for by name, e.g. that it is not installed."""


Doctor = Callable[[], Iterable[Finding]]
"""The checks of one benchmark; each finding is told as soon as it is there."""
