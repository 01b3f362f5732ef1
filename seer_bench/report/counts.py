"""What a run came to, whatever its benchmark: counts, rates and intervals, still without words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seer_bench.contracts import UnitResult
from seer_bench.protocol import EvaluationProtocol
from seer_bench.report.arms import own_attributes
from seer_bench.report.document import plain
from seer_bench.stats import wilson
from seer_bench.store import Manifest, RunData


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
    """Times that a unit reached the task."""
    rate: Estimate
    """Fraction of attempts, with a Wilson interval."""


@dataclass(frozen=True)
class RunSummary:
    """One row of a table: all runs of one identity, merged. Every kind of table adds its own score."""

    label: str
    """Name of the row; with the protocol it is unique in a report."""
    manifest: Manifest
    """Of the first of the merged runs."""
    paths: tuple[Path, ...]
    """Directories that the records come from."""
    n: int
    """Units with an outcome; every score is about these."""
    planned: int
    """Units of the protocol."""
    tasks: tuple[TaskScore, ...]
    """By name; only tasks that were tried."""
    errors: int
    """Units without an outcome because the infrastructure failed; not in `n`."""
    policy_errors: int
    """Units that ended by the policy's own fault; scored as failures, so in `n`."""
    actions_out_of_range: int
    """Executed actions with a component outside [-1, 1]."""
    mixed: tuple[str, ...]
    """Parts of the simulation's fingerprint that differ between the sessions; empty for a run of one piece."""
    scores: Mapping[str, int]
    """Solved subtasks of every unit with an outcome, by unit."""

    @property
    def protocol(self) -> EvaluationProtocol:
        """The protocol that was played."""
        return self.manifest.protocol

    @property
    def complete(self) -> bool:
        """Every unit of the protocol has an outcome."""
        return self.n == self.planned


def scored(results: Iterable[UnitResult]) -> list[UnitResult]:
    """Those with an outcome, by unit."""
    return sorted((r for r in results if r.outcome != "error"), key=lambda r: r.unit_id)


def estimate_rate(successes: int, n: int) -> Estimate:
    """A rate with its 95 % Wilson interval; `n` must be at least 1."""
    bounds = wilson(successes=successes, n=n)
    return Estimate(successes / n, bounds.low, bounds.high)


def count_run(run: RunData, paths: Sequence[Path], *, planned: int) -> RunSummary:
    """Count what every kind of run has.

    Args:
        run: the merged run, with at least one outcome.
        paths: the directories that it was merged from.
        planned: units of the protocol.
    """
    results = scored(run.results.values())
    return RunSummary(
        label=base_label(run.manifest),
        manifest=run.manifest,
        paths=tuple(sorted(paths)),
        n=len(results),
        planned=planned,
        tasks=score_tasks(results),
        errors=len(run.results) - len(results),
        policy_errors=sum(r.error is not None and r.error.kind == "policy_error" for r in results),
        actions_out_of_range=sum(r.actions_out_of_range for r in results),
        mixed=_mixed(run),
        scores={result.unit_id: result.solved for result in results},
    )


def score_tasks(results: Iterable[UnitResult]) -> tuple[TaskScore, ...]:
    """Successes and attempts of every task that was tried, by name."""
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


def base_label(manifest: Manifest) -> str:
    """Policy, checkpoint and what the arm has of its own, e.g. "seer · epoch_19.pth · data=10%"."""
    return label(manifest, "" if manifest.checkpoint is None else manifest.checkpoint.name)


def label(manifest: Manifest, weights: str) -> str:
    """As `base_label`, with other words for the checkpoint."""
    parts = [manifest.policy.name, weights, pairs(own_attributes(manifest))]
    return plain(" · ".join(part for part in parts if part))


def pairs(mapping: Mapping[str, str]) -> str:
    """The pairs, "key=value, key=value", in the order of the keys."""
    return ", ".join(f"{key}={value}" for key, value in sorted(mapping.items()))


def _mixed(run: RunData) -> tuple[str, ...]:
    """Names of the hashes that differ between the simulations of the sessions."""
    simulations = [run.manifest.simulation, *(session.simulation for session in run.sessions)]
    names = sorted({name for simulation in simulations for name in simulation})
    return tuple(name for name in names if len({simulation.get(name) for simulation in simulations}) > 1)
