"""What the verifiers of several policies are: they replay recordings of networks and wrappers, on the CPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.verification import Progress, Verdict
from seer_bench.verification.recording import Index, Recording, read_index
from seer_bench.verification.records import Comparator, verify_records

from ..needs import needs_torch

SUBJECT = "seer"
"""Of folders of recordings; those of all policies may lie together."""


class GoldenVerifier(ABC):
    """Compares a policy with a folder of recordings."""

    command: ClassVar[str]
    """Its name in `seer-bench verify NAME`."""
    title: ClassVar[str]
    """What it is called in sentences."""

    @abstractmethod
    def comparators(self, index: Index) -> Mapping[str, Comparator[Recording]]:
        """What compares each kind of record; imports PyTorch, which need not be there."""

    def facts(self) -> dict[str, str]:
        """Versions, processor and arithmetic; raises MissingExtraError where PyTorch is not installed."""
        with needs_torch(f"seer-bench verify {self.command}"):
            from .facts import facts
        return facts()

    def verify(
        self, golden: Path | None = None, *, against: str | None = None, progress: Progress | None = None
    ) -> Iterator[Verdict]:
        """Compare record by record; each verdict comes as soon as it is known.

        Args:
            golden: folder of recordings.
            against: there is nothing to compare with live.
            progress: told which record is being compared and how much of it is done.

        Raises:
            UsageError: no folder is given, it is no folder of recordings, its index is broken, nothing in it could be
                compared, or `against` is given.
            MissingExtraError: PyTorch is not installed.
        """
        if against is not None:
            hint = "Give --golden DIR alone."
            raise UnknownNameError(f"backend to compare {self.title} with", against, (), hint=hint)
        if golden is None:
            raise UsageError(
                f"no recordings of {self.title} are packaged, because only the published code can make them. "
                f"Give a folder of them: seer-bench verify {self.command} --golden DIR"
            )
        index = read_index(golden, SUBJECT, self.command)
        with needs_torch(f"seer-bench verify {self.command}"):
            comparators = self.comparators(index)
        yield from verify_records(index.recordings, comparators, None, folder=golden, progress=progress)
