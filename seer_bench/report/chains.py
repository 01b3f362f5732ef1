"""What a run of a chain benchmark came to: rates by position and the average length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seer_bench.errors import DamagedRecordError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.checkpoints import Choice, choose, joint_rate, merged
from seer_bench.report.counts import Estimate, RunSummary, count_run, declared, estimate_rate
from seer_bench.stats import bootstrap_mean, chain_rates, rate_bounds
from seer_bench.store import RunData, merge_runs


@dataclass(frozen=True)
class ChainSummary(RunSummary):
    """One row of a table of chains; the unit is the chain."""

    rates: tuple[Estimate, ...]
    """Fraction of chains with at least 1, 2, ... solved subtasks, with Wilson intervals."""
    average_length: Estimate
    """Mean number of solved subtasks, with a bootstrap interval over chains."""
    average_length_bounds: tuple[float, float]
    """Average length if every one of `errors` had solved nothing, or everything."""


def estimate_mean(values: Sequence[float]) -> Estimate:
    """A mean with its 95 % bootstrap interval over `values`, which must not be empty."""
    low, high = bootstrap_mean(values=values)
    known = not math.isnan(low)
    return Estimate(sum(values) / len(values), low if known else None, high if known else None)


def estimate_chain_rates(solved: Sequence[int], length: int) -> tuple[Estimate, ...]:
    """Fractions of chains with at least 1, 2, ... `length` solved subtasks; `solved` must not be empty."""
    rates = chain_rates(solved=np.asarray(solved), length=length)
    return tuple(estimate_rate(round(rate * len(solved)), len(solved)) for rate in rates)


def summarise(runs: Sequence[RunData]) -> ChainSummary | None:
    """Merge the runs of one identity on a chain protocol and count; None where no chain has an outcome.

    Raises:
        RunMismatchError: they are different runs.
        DamagedRecordError: two of them hold different outcomes of one chain, or a chain solved more than it has.
        UsageError: the protocol declares no chains.
    """
    run = merge_runs(runs, allow_mixed=True)
    length, planned = _shape(run.manifest.protocol)
    counts = count_run(run, [run.path for run in runs], planned=planned)
    if not counts.n:
        return None
    solved = list(counts.scores.values())
    if longest := next((unit for unit, count in counts.scores.items() if count > length), None):
        raise DamagedRecordError(f"{longest} solved {counts.scores[longest]} subtasks of a chain of {length}.")
    bounds = rate_bounds(successes=sum(solved), n=counts.n * length, errors=counts.errors * length)
    return ChainSummary(
        **vars(counts),
        rates=estimate_chain_rates(solved, length),
        average_length=estimate_mean(solved),
        average_length_bounds=(bounds.low * length, bounds.high * length),
    )


def combine(runs: Sequence[ChainSummary]) -> tuple[ChainSummary, Choice]:
    """One row for several checkpoints: means over those that `choose` picks by their average length.

    Raises:
        UsageError: no chain has an outcome with all of them.
    """
    length = len(runs[0].rates)
    choice, solved = choose(runs, top=length)
    chosen = [runs[i] for i in choice.chosen]
    low, high = (sum(run.average_length_bounds[end] for run in chosen) / len(chosen) for end in (0, 1))
    row = merged(
        runs,
        choice,
        tasks=(),
        rates=tuple(joint_rate(solved >= position) for position in range(1, length + 1)),
        average_length=choice.selected,
        average_length_bounds=(low, high),
    )
    return row, choice


def _shape(protocol: EvaluationProtocol) -> tuple[int, int]:
    """Subtasks of a chain, and chains of the protocol."""
    length, count = declared(protocol, "chain", "length", "count")
    return length, count
