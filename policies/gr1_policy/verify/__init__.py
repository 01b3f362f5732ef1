"""`seer-bench verify gr1`: the proof that our network and policy equal what was recorded of the published code.

A recording holds seeds instead of weights and inputs: `network` builds what the record describes, and what comes out
is compared with what the published code put out: by `outputs` (the network) and `wrapper` (from observations to
actions).
"""

from __future__ import annotations

from collections.abc import Mapping

from seer_bench.verification.recording import Index, Recording
from seer_bench.verification.records import Comparator
from seer_bench_nn.recordings.verifier import GoldenVerifier

__all__ = ["Gr1Verifier"]


class Gr1Verifier(GoldenVerifier):
    """Replays recordings of GR-1's network and wrapper, on the CPU."""

    command, title = "gr1", "GR-1"

    def comparators(self, index: Index) -> Mapping[str, Comparator[Recording]]:
        """See `GoldenVerifier`."""
        from seer_bench_nn.recordings.networks import guarded

        from .outputs import compare_outputs
        from .wrapper import compare_wrapper

        return {"gr1_model": guarded(compare_outputs), "wrapper_gr1": guarded(compare_wrapper)}
