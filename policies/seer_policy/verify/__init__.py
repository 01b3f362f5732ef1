"""`seer-bench verify seer`: the proof that our networks and wrappers equal what was recorded of the published code.

A recording holds seeds instead of weights and inputs: `recipe` makes both out of them, `network` builds the network
that the record describes, and what comes out is compared with what upstream's code put out: by `networks` (outputs,
losses, a training step), `wrappers` (from observations to actions), `files` (the published file layouts) and `tables`
(masks, text encoder, image transform). `tolerances` says how far outputs may lie apart and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.verification import Progress, Verdict
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import Index, RecordError, Recording, read_index
from seer_bench.verification.records import Comparator, verify_records
from seer_bench_nn.needs import needs_torch

__all__ = ["SeerVerifier"]

SUBJECT = "seer"
"""Of recordings that this package compares."""


class SeerVerifier:
    """Replays recordings of Seer's networks and wrappers, on the CPU."""

    def facts(self) -> dict[str, str]:
        """Versions, processor and arithmetic; raises MissingExtraError where PyTorch is not installed."""
        with needs_torch("seer-bench verify seer"):
            from seer_bench_nn.recordings.facts import facts
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
            raise UnknownNameError("backend to compare Seer with", against, (), hint="Give --golden DIR alone.")
        if golden is None:
            raise UsageError(
                "no recordings of Seer are packaged, because only the published code can make them. "
                "Give a folder of them: seer-bench verify seer --golden DIR"
            )
        index = read_index(golden, SUBJECT)
        yield from verify_records(index.recordings, _comparators(index), None, folder=golden, progress=progress)


def _comparators(index: Index) -> Mapping[str, Comparator[Recording]]:
    """What compares each kind of record."""
    with needs_torch("seer-bench verify seer"):
        from .files import CHECKPOINT, MAE, Files
        from .networks import compare_full, compare_reduced
        from .tables import compare_clip_text, compare_images, compare_masks
        from .wrappers import compare_calvin, compare_libero
    files = Files(index.recordings)
    comparators: dict[str, Comparator[Recording]] = {
        "reduced_model": compare_reduced,
        "full_model": compare_full,
        "masks": compare_masks,
        "clip_text": compare_clip_text,
        "image_preprocess": compare_images,
        "wrapper_calvin": compare_calvin,
        "wrapper_libero": compare_libero,
        CHECKPOINT: files.compare_checkpoint,
        MAE: files.compare_mae,
    }
    return {kind: _guarded(compare) for kind, compare in comparators.items()}


def _guarded(compare: Comparator[Recording]) -> Comparator[Recording]:
    """The comparison; what PyTorch refuses, e.g. for its size, becomes the record's verdict."""

    def run(recording: Recording, comparison: Comparison) -> None:
        try:
            compare(recording, comparison)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).partition("\n")[0] or "not enough memory"
            raise RecordError(f"cannot be replayed here: {type(error).__name__}: {reason}") from error

    return run
