"""What printed numbers must satisfy: sums, means and falling rates, each within the rounding of the print."""

from __future__ import annotations

from collections.abc import Sequence

RATE_ROUNDING = 0.05
"""Rates are printed with one decimal, so each may be off by this many percent."""
LENGTH_ROUNDING = 0.005
"""Average lengths are printed with two decimals."""
_EPSILON = 1e-9
"""What binary floating point adds to a difference of decimals."""


def complete(values: Sequence[float | None]) -> tuple[float, ...] | None:
    """`values` without None, or None where one of them is not known."""
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def average_length(rates: Sequence[float]) -> float:
    """Mean number of solved subtasks a chain, from the percent of chains with at least 1, 2, ... solved subtasks."""
    return sum(rates) / 100


def length_slack(positions: int) -> float:
    """How far a printed average length may lie from the sum of `positions` printed rates, by rounding alone."""
    return positions * RATE_ROUNDING / 100 + LENGTH_ROUNDING


def agrees(printed: float, computed: float, slack: float) -> bool:
    """Whether rounding explains the difference of a printed value from the computed one."""
    return abs(printed - computed) <= slack + _EPSILON


def first_rise(rates: Sequence[float | None]) -> int | None:
    """The position (from 0) at which a rate exceeds the one before it; None where rates fall or stay.

    A chain with k solved subtasks has k - 1 solved subtasks too, so a rise is a misprint. Unknown rates are skipped.
    """
    last = None
    for position, rate in enumerate(rates):
        if rate is None:
            continue
        if last is not None and rate > last + _EPSILON:
            return position
        last = rate
    return None


def is_rounded_share(percent: float, trials: int, rounding: float = RATE_ROUNDING) -> bool:
    """Whether `percent` can be the rounded percentage of a whole number of `trials`."""
    return agrees(percent, 100 * round(percent * trials / 100) / trials, rounding)
