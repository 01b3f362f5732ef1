"""`seer-bench verify seer`: the proof that our networks and wrappers equal what was recorded of the published code.

A recording holds seeds instead of weights and inputs: `recipe` makes both out of them, `network` builds the network
that the record describes, and what comes out is compared with what upstream's code put out: by `networks` (outputs,
losses, a training step), `wrappers` (from observations to actions), `files` (the published file layouts) and `tables`
(masks, text encoder, image transform). `tolerances` says how far outputs may lie apart and why.
"""

from __future__ import annotations

from collections.abc import Mapping

from seer_bench.verification.recording import Index, Recording
from seer_bench.verification.records import Comparator
from seer_bench_nn.recordings.verifier import GoldenVerifier

__all__ = ["SeerVerifier"]


class SeerVerifier(GoldenVerifier):
    """Replays recordings of Seer's networks and wrappers, on the CPU."""

    command, title = "seer", "Seer"

    def comparators(self, index: Index) -> Mapping[str, Comparator[Recording]]:
        """See `GoldenVerifier`."""
        from seer_bench_nn.recordings.networks import guarded

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
        return {kind: guarded(compare) for kind, compare in comparators.items()}
