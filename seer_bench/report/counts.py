"""What a run came to, whatever its benchmark: counts, rates and intervals, still without words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seer_bench.contracts import UnitResult
from seer_bench.errors import UsageError
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

    @property
    def unlike_paper(self) -> tuple[str, ...]:
        """Why the run's settings do not compare with the paper's, beyond what its protocol says of itself."""
        return ()


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
        run: the merged run.
        paths: the directories that it was merged from.
        planned: units of the protocol.
    """
    results = scored(run.results.values())
    scores, tasks = _scores_and_tasks(results)
    return RunSummary(
        label=base_label(run.manifest),
        manifest=run.manifest,
        paths=tuple(sorted(paths)),
        n=len(results),
        planned=planned,
        tasks=tasks,
        errors=len(run.results) - len(results),
        policy_errors=sum(r.error is not None and r.error.kind == "policy_error" for r in results),
        actions_out_of_range=sum(r.actions_out_of_range for r in results),
        mixed=_mixed(run),
        scores=scores,
    )


def score_tasks(results: Iterable[UnitResult]) -> tuple[TaskScore, ...]:
    """Successes and attempts of every task that was tried, by name."""
    return _scores_and_tasks(results)[1]


def _scores_and_tasks(results: Iterable[UnitResult]) -> tuple[dict[str, int], tuple[TaskScore, ...]]:
    """Solved subtasks by unit, and the score of every task, in one pass."""
    scores = {}
    tallies: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for result in results:
        solved = 0
        for subtask in result.subtasks:
            tallies[subtask.task][subtask.success] += 1
            solved += subtask.success
        scores[result.unit_id] = solved
    tasks = tuple(
        TaskScore(task, solved, failed + solved, estimate_rate(solved, failed + solved))
        for task, (failed, solved) in sorted(tallies.items())
    )
    return scores, tasks


def declared(protocol: EvaluationProtocol, block: str, *keys: str) -> list[int]:
    """Numbers of a block of the protocol's settings, e.g. chain.length; raises UsageError unless all are at least 1."""
    values = protocol.settings.get(block)
    numbers: list[Any] = [values.get(key) if isinstance(values, Mapping) else None for key in keys]
    if not all(type(number) is int and number >= 1 for number in numbers):
        names = " and ".join(f"{block}.{key}" for key in keys)
        raise UsageError(f"{protocol.name} declares no {names}, at least 1 each, which its table needs.")
    return numbers


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
