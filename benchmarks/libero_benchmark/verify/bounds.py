"""How far another processor may lead LIBERO's simulation away from a recording.

Measured: with OpenBLAS' SkylakeX kernels instead of those that the recordings were made with, positions and velocities
of 15 episodes (tasks 0, 2, 3, 4 and 9) first differ by at most 4e-14, and observations in single precision by at most
4e-7. Final states of an expert's episodes differ by anything then (two of two by more than 5e-3), so that those are
seldom granted round-off. Pictures of states that are equal have to be equal.
"""

from __future__ import annotations

from seer_bench.verification.round_off import Bounds

BOUNDS = Bounds(onset=1e-10, grown=1e-3, pixel_share=0.0)
"""`onset` leaves room for other processors than the one that was measured; `grown` is a choice."""
