"""What a run of a chain benchmark came to: counts, rates and intervals, still without words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seer_bench.contracts import UnitResult
from seer_bench.errors import DamagedRecordError, UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.document import plain
from seer_bench.stats import bootstrap_mean, chain_rates, rate_bounds, wilson
from seer_bench.store import Manifest, RunData, merge_runs


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float | None
    """None where there is too little to say, e.g. the mean of a single chain."""
    high: float | None
    """None exactly where `low` is."""


@dataclass(frozen=True)
class TaskScore:
    """How often one task was solved when it was tried."""

    task: str
    successes: int
    attempts: int
    """Times that a chain reached the task."""
    rate: Estimate
    """Fraction of attempts, with a Wilson interval."""


@dataclass(frozen=True)
class ChainSummary:
    """One row: all runs of one identity, merged."""

    label: str
    """Name of the row; with the protocol it is unique in a report."""
    manifest: Manifest
    """Of the first of the merged runs."""
    paths: tuple[Path, ...]
    """Directories that the records come from."""
    n: int
    """Chains with an outcome; everything below is about these."""
    planned: int
    """Chains of the protocol."""
    rates: tuple[Estimate, ...]
    """Fraction of chains with at least 1, 2, ... solved subtasks, with Wilson intervals."""
    average_length: Estimate
    """Mean number of solved subtasks, with a bootstrap interval over chains."""
    tasks: tuple[TaskScore, ...]
    """By name; only tasks that were tried."""
    errors: int
    """Chains without an outcome because the infrastructure failed; not in `n`."""
    average_length_bounds: tuple[float, float]
    """Average length if every one of `errors` had solved nothing, or everything."""
    policy_errors: int
    """Chains that ended by the policy's own fault; scored as failures, so in `n`."""
    actions_out_of_range: int
    """Executed actions with a component outside [-1, 1]."""
    mixed: tuple[str, ...]
    """Parts of the simulation's fingerprint that differ between the sessions; empty for a run of one piece."""

    @property
    def protocol(self) -> EvaluationProtocol:
        """The protocol that was played."""
        return self.manifest.protocol

    @property
    def complete(self) -> bool:
        """Every chain of the protocol has an outcome."""
        return self.n == self.planned


def scored(results: Iterable[UnitResult]) -> list[UnitResult]:
    """Those with an outcome, by unit."""
    return sorted((r for r in results if r.outcome != "error"), key=lambda r: r.unit_id)


def estimate_rate(successes: int, n: int) -> Estimate:
    """A rate with its 95 % Wilson interval; `n` must be at least 1."""
    bounds = wilson(successes=successes, n=n)
    return Estimate(successes / n, bounds.low, bounds.high)


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
    length, planned = _chain_settings(run.manifest.protocol)
    results = scored(run.results.values())
    if not results:
        return None
    if longest := next((r for r in results if r.solved > length), None):
        raise DamagedRecordError(f"{longest.unit_id} solved {longest.solved} subtasks of a chain of {length}.")
    n, errors = len(results), len(run.results) - len(results)
    solved = [result.solved for result in results]
    bounds = rate_bounds(successes=sum(solved), n=n * length, errors=errors * length)
    return ChainSummary(
        label=base_label(run.manifest),
        manifest=run.manifest,
        paths=tuple(sorted(run.path for run in runs)),
        n=n,
        planned=planned,
        rates=estimate_chain_rates(solved, length),
        average_length=estimate_mean(solved),
        tasks=_task_scores(results),
        errors=errors,
        average_length_bounds=(bounds.low * length, bounds.high * length),
        policy_errors=sum(r.error is not None and r.error.kind == "policy_error" for r in results),
        actions_out_of_range=sum(r.actions_out_of_range for r in results),
        mixed=_mixed(run),
    )


def base_label(manifest: Manifest) -> str:
    """Policy, checkpoint and arm, e.g. "seer · epoch_19.pth · data=10%"."""
    parts = [manifest.policy.name]
    if manifest.checkpoint is not None:
        parts.append(manifest.checkpoint.name)
    if manifest.arm:
        parts.append(pairs(manifest.arm))
    return plain(" · ".join(parts))


def pairs(mapping: Mapping[str, str]) -> str:
    """The pairs, "key=value, key=value", in the order of the keys."""
    return ", ".join(f"{key}={value}" for key, value in sorted(mapping.items()))


def _mixed(run: RunData) -> tuple[str, ...]:
    """Names of the hashes that differ between the simulations of the sessions."""
    simulations = [run.manifest.simulation, *(session.simulation for session in run.sessions)]
    names = sorted({name for simulation in simulations for name in simulation})
    return tuple(name for name in names if len({simulation.get(name) for simulation in simulations}) > 1)


def _chain_settings(protocol: EvaluationProtocol) -> tuple[int, int]:
    """Subtasks in a chain, and chains in the protocol."""
    chain = protocol.settings.get("chain")
    if not isinstance(chain, Mapping) or not {"length", "count"} <= chain.keys():
        raise UsageError(f"{protocol.name} declares no chain.length and chain.count, which a table of chains needs.")
    return int(chain["length"]), int(chain["count"])


def _task_scores(results: Iterable[UnitResult]) -> tuple[TaskScore, ...]:
    """Successes and attempts of every task that was tried."""
    attempts: Counter[str] = Counter()
    successes: Counter[str] = Counter()
    for result in results:
        for subtask in result.subtasks:
            attempts[subtask.task] += 1
            successes[subtask.task] += subtask.success
    return tuple(
        TaskScore(task, successes[task], attempts[task], estimate_rate(successes[task], attempts[task]))
        for task in sorted(attempts)
    )
