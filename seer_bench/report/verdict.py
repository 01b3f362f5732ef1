"""The words that compare one measured value with one printed value; there are no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seer_bench.report.counts import Estimate, RunSummary

Word = Literal["agrees", "differs", "not run", "not comparable"]

NO_VALUE = "the paper's text gives no value"
NO_ROW = "the paper has no such row"
FEW = "too few units for an interval"


@dataclass(frozen=True)
class Verdict:
    """What one comparison came to."""

    word: Word
    reason: str = ""
    """Why the two are not comparable; empty otherwise."""
    difference: float | None = None
    """Ours less the paper's, in the unit of the print; None where there is nothing to compare."""


def judge(
    printed: float | None, ours: Estimate | None, *, scale: float, rounding: float, obstacles: Sequence[str] = ()
) -> Verdict:
    """Compare a printed value with a measured one.

    They agree where the printed value lies inside our 95 % interval, widened at both ends by what rounding may have
    done to the print. So "agrees" says that the data do not contradict the paper, and the narrower the interval the
    more it means.

    Args:
        printed: the paper's value; None where its text gives none.
        ours: our value; None where nothing was run.
        scale: what ours is multiplied with to have the unit of the print.
        rounding: how far the printed value may be from the exact one.
        obstacles: why the two do not compare, see `obstacles`.
    """
    if obstacles:
        return Verdict("not comparable", "; ".join(obstacles))
    if ours is None:
        return Verdict("not run")
    if printed is None:
        return Verdict("not comparable", NO_VALUE)
    difference = scale * ours.value - printed
    if ours.low is None or ours.high is None:
        return Verdict("not comparable", FEW, difference)
    inside = scale * ours.low - rounding <= printed <= scale * ours.high + rounding
    return Verdict("agrees" if inside else "differs", difference=difference)


def obstacles(summary: RunSummary) -> tuple[str, ...]:
    """Why a row does not compare with the paper's rows; empty where it does."""
    reasons = []
    if summary.protocol.comparable != "yes":
        reasons.append(summary.protocol.comparable.rstrip("."))
    if summary.manifest.policy.privileged:
        reasons.append("privileged policy")
    if summary.manifest.policy.fast:
        reasons.append("fast: outcomes depended on timing")
    reasons += summary.unlike_paper
    if not summary.complete:
        reasons.append("partial run")
    return tuple(reasons)
