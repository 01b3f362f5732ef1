"""The contracts of `seer-bench verify` and `seer-bench assets`: proofs of parity, and files that are fetched once.

Plugins are found through the entry points `seer_bench.verifiers` and `seer_bench.assets`, under the name of the
benchmark or policy that they belong to. What verifiers have in common is here too: `recording` reads a folder of
recordings, `compare` compares and judges, `records` leads every record to what compares its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["identical", "agrees", "round-off", "different", "skipped"]

MEANINGS: dict[Status, str] = {
    "identical": "every bit equal",
    "agrees": "outputs of a network within the tolerance of the recording, everything else equal",
    "round-off": "equal but for differences that another processor explains",
    "different": "not as recorded",
    "skipped": "not compared",
}
"""What each status says, for a legend."""

EXIT_CODES: dict[Status, int] = {"identical": 0, "agrees": 0, "skipped": 0, "different": 1, "round-off": 3}


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one record gave."""

    record: str
    kind: str
    status: Status
    """See `MEANINGS`."""
    compared: str
    """How much was compared, e.g. "24 rollouts, 2,880 steps, 1.2 M numbers"."""
    largest: float | None = None
    """Largest absolute difference; None where nothing numeric was compared."""
    detail: str = ""
    """From which step on it differs, or why it was skipped."""


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""


class Verifier(Protocol):
    """Replays recordings and compares."""

    def facts(self) -> dict[str, str]:
        """Versions, renderer and drivers under which the comparison runs."""

    def verify(
        self, golden: Path | None, *, against: str | None, progress: Progress | None = None
    ) -> Iterator[Verdict]:
        """Compare record by record.

        Args:
            golden: folder with an `index.json`; None for a small packaged set.
            against: name of a backend to run live beside our own instead of recordings.
            progress: told how far within a record the comparison is.

        Raises:
            UsageError: the folder is no recording folder, or there is no such backend.
            AssetError: assets are missing or altered.
        """


class AssetInstaller(Protocol):
    """A function that fetches files once, each pinned by its sha256."""

    def __call__(self, source: Path | None = None, *, progress: Progress | None = None) -> Path:
        """Install from a directory or archive, or by download where `source` is None; the folder they lie in now.

        Raises:
            AssetError: the download failed, or a file is missing or altered.
        """


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """1 if any record differs, else 3 if any is equal up to round-off only, else 0."""
    codes = {EXIT_CODES[verdict.status] for verdict in verdicts}
    return 1 if 1 in codes else max(codes, default=0)
