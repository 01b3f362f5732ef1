"""The way of a record to what compares its kind, and back as a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from seer_bench.errors import UsageError

from . import Progress, Verdict
from .compare import RECORD_FAULTS, Comparison, OnUnit
from .recording import Recording
from .round_off import Bounds

R = TypeVar("R", bound=Recording)

Comparator = Callable[[R, Comparison], None]
"""Compares one record; `RECORD_FAULTS` that it raises make the record `different`."""


def verify_records(
    recordings: Iterable[R],
    comparators: Mapping[str, Comparator[R]],
    bounds: Bounds | None,
    *,
    folder: Path,
    progress: Progress | None = None,
) -> Iterator[Verdict]:
    """One verdict a record, as soon as it is known; records of other kinds are listed as skipped.

    Args:
        recordings: what to compare.
        comparators: by kind of record.
        bounds: of what another processor explains; None where it explains nothing.
        folder: where the recordings lie, for messages.
        progress: told the record's name and how many of its units are done.

    Raises:
        UsageError: nothing at all could be compared; after the last verdict.
    """
    compared = False
    for recording in recordings:
        verdict = verify_record(recording, comparators, bounds, progress=progress)
        compared = compared or verdict.status != "skipped"
        yield verdict
    if not compared:
        raise UsageError(f"nothing in {folder} could be compared; known kinds: {', '.join(comparators)}")


def verify_record(
    recording: R, comparators: Mapping[str, Comparator[R]], bounds: Bounds | None, *, progress: Progress | None = None
) -> Verdict:
    """The verdict on one record; see `verify_records`."""
    if recording.kind not in comparators:
        detail = f"unknown kind; known: {', '.join(comparators)}"
        return Verdict(recording.name, recording.kind, "skipped", "nothing", detail=detail)
    comparison = Comparison(bounds, on_unit=_on_unit(recording.name, progress))
    try:
        comparators[recording.kind](recording, comparison)
        comparison.note_unused(recording.unused_arrays())
    except RECORD_FAULTS as error:
        comparison.fault(str(error))
    return comparison.verdict(recording.name, recording.kind)


def _on_unit(record: str, progress: Progress | None) -> OnUnit | None:
    """Progress of one record."""
    if progress is None:
        return None
    report = progress
    return lambda done, total: report(record, done, total)
