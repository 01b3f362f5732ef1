"""How far another processor may lead CALVIN's simulation away from a recording.

Measured: with every result of inverse kinematics changed at random in its last bit, the 40 rollouts of the upstream
recordings first differ by at most 4e-11, and then by anything; with the force that couples the fingers changed by 2e-6
of its value they first differ by at least 4e-8. Over a whole chain, results themselves change, so that chains are
seldom granted round-off. Pictures of 6 initial states stayed identical when the last bits of the joints were changed.
"""

from __future__ import annotations

from seer_bench.verification.round_off import Bounds

BOUNDS = Bounds(onset=1e-9, grown=1e-3, pixel_share=1e-3)
"""`onset` is 10^6 times the last bit of a number near one; `pixel_share` is a choice."""
