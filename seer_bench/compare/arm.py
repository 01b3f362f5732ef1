"""One side of a comparison: an arm with the outcomes of all its checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seer_bench.contracts import UnitResult
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import BLOCK, Campaign, Trial
from seer_bench.report.arms import arm_of_run
from seer_bench.report.counts import base_label, label, scored
from seer_bench.report.document import counted, plain
from seer_bench.store import Manifest, RunData, find_runs, merge_runs, read_run, simulation_differences


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of an arm; a policy without weights has one as well."""

    paths: tuple[Path, ...]
    """Run directories that the outcomes come from; several where the run is in shards."""
    manifest: Manifest
    """Of the first of them."""
    outcomes: Mapping[str, UnitResult]
    """By unit, sorted; errors are not among them."""
    errors: int = 0
    """Units without an outcome because the infrastructure failed."""
    mixed: tuple[str, ...] = ()
    """Parts of the simulation's fingerprint that differ between its sessions."""
    problems: tuple[str, ...] = ()
    """Records that could not be used, in words."""


@dataclass(frozen=True)
class ComparedArm:
    """An arm, whose score of a unit is the mean over its checkpoints; none of them is selected."""

    letter: str
    """What tables call it: "A" for the first."""
    label: str
    """Policy, checkpoint and what the arm has of its own."""
    checkpoints: tuple[Checkpoint, ...]
    """At least one, by name."""

    @property
    def protocol(self) -> EvaluationProtocol:
        """The protocol that was played."""
        return self.checkpoints[0].manifest.protocol

    @property
    def paths(self) -> tuple[Path, ...]:
        """All run directories."""
        return tuple(path for checkpoint in self.checkpoints for path in checkpoint.paths)

    @property
    def units(self) -> tuple[str, ...]:
        """Units with an outcome under every checkpoint, sorted."""
        first, *others = (checkpoint.outcomes for checkpoint in self.checkpoints)
        return tuple(unit for unit in first if all(unit in other for other in others))

    def scores(self, units: Sequence[str], score: Callable[[UnitResult], float]) -> NDArray[np.float64]:
        """(m, n) score of every checkpoint on some of `self.units`."""
        rows = [[score(checkpoint.outcomes[unit]) for unit in units] for checkpoint in self.checkpoints]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(units))

    def task_of(self, unit: str) -> str:
        """The task of a unit that has one; "" where it ended before any was tried."""
        if is_campaign(self.protocol):
            return Trial.parse(unit).task
        subtasks = self.checkpoints[0].outcomes[unit].subtasks
        return subtasks[0].task if subtasks else ""


def load_arm(path: Path, letter: str) -> ComparedArm:
    """Read a run directory, or a folder with the shards and checkpoints of one arm.

    Runs merge as in a report: those that differ in nothing are shards of one run, those that differ in the checkpoint
    alone are checkpoints of one arm.

    Raises:
        UsageError: there is no run, no outcome, more than one arm, or one arm written in two ways.
        StoreError: a run cannot be read or merged.
    """
    found = find_runs([path])
    if not found:
        raise UsageError(f"{path}: holds no run. Name a directory that `seer-bench run` made, or one above it.")
    shards: defaultdict[str, list[RunData]] = defaultdict(list)
    for run in map(read_run, found):
        shards[run.manifest.identity].append(run)
    checkpoints = [_checkpoint(runs) for runs in shards.values()]
    _check_one_arm(path, checkpoints)
    for checkpoint in checkpoints:
        if not checkpoint.outcomes:
            where = ", ".join(map(str, checkpoint.paths))
            lost = f" Of {counted(checkpoint.errors, 'unit')} the infrastructure failed." if checkpoint.errors else ""
            why = "".join(f"\n  {plain(problem)}" for problem in checkpoint.problems)
            raise UsageError(f"{where}: no unit has an outcome yet, so there is nothing to compare.{lost}{why}")
    checkpoints.sort(key=lambda c: (base_label(c.manifest), c.paths))
    first = checkpoints[0].manifest
    several = len(checkpoints) > 1
    arm = ComparedArm(
        letter, label(first, f"mean of {len(checkpoints)}") if several else base_label(first), tuple(checkpoints)
    )
    if not arm.units:
        raise UsageError(
            f"{path}: no unit has an outcome with all {len(checkpoints)} checkpoints, and only such units have a mean "
            "over checkpoints. Play the same units with each, or name the run directory of one."
        )
    return arm


def planned_units(protocol: EvaluationProtocol) -> int | None:
    """Units of a protocol; None where it does not declare them."""
    if is_campaign(protocol):
        return len(Campaign.of(protocol).trials())
    chain, trials = protocol.settings.get("chain"), protocol.settings.get("trials")
    if isinstance(chain, Mapping) and "count" in chain:
        return int(chain["count"])
    if isinstance(trials, Mapping) and {"tasks", "per_task"} <= trials.keys():
        return int(trials["tasks"]) * int(trials["per_task"])
    return None


def is_campaign(protocol: EvaluationProtocol) -> bool:
    """Whether it is played on a real robot, in trials of cases."""
    return BLOCK in protocol.settings


def unit_noun(protocol: EvaluationProtocol) -> str:
    """What a unit is called."""
    if is_campaign(protocol):
        return "trial"
    return "chain" if protocol.chain_length > 1 else "rollout"


def arm_notes(arm: ComparedArm) -> list[str]:
    """What a reader must know about one arm before believing a comparison, in words."""
    noun, first, m = unit_noun(arm.protocol), arm.checkpoints[0].manifest, len(arm.checkpoints)
    planned = planned_units(arm.protocol)
    notes = []
    if first.policy.privileged:
        notes.append("Privileged policy: it reads the simulator's state, which a robot's policy cannot.")
    if first.policy.fast:
        notes.append("Fast: batches depended on timing, so another run may give other outcomes.")
    if m > 1:
        notes.append(
            f"Unselected: a {noun}'s score is the mean over all {m} checkpoints. The best of them, chosen on these "
            f"{noun}s, against a single checkpoint of another arm would be no fair comparison: chance would count in "
            "favour of the chosen ones."
        )
        dropped = len(set().union(*(c.outcomes for c in arm.checkpoints))) - len(arm.units)
        if dropped:
            notes.append(f"Left out: {counted(dropped, noun)} without an outcome under every checkpoint.")
    if planned is not None and len(arm.units) < planned:
        notes.append(f"Partial: {len(arm.units):,} of the protocol's {counted(planned, noun)} have an outcome.")
    if errors := sum(c.errors for c in arm.checkpoints):
        notes.append(f"Excluded: {counted(errors, noun)} without an outcome because the infrastructure failed.")
    failed = [r for c in arm.checkpoints for r in c.outcomes.values() if r.error is not None]
    if failed:
        notes.append(f"{counted(len(failed), noun)} ended by the policy's own fault; scored as failures.")
    if mixed := sorted({name for c in arm.checkpoints for name in c.mixed}):
        notes.append(f"Merged over sessions whose simulations differ in: {', '.join(mixed)}.")
    notes += [problem for c in arm.checkpoints for problem in c.problems]
    return [plain(note) for note in notes]


def pair_notes(a: ComparedArm, b: ComparedArm) -> list[str]:
    """What sets two arms apart beside their policies, in words."""
    notes = []
    first, second = a.checkpoints[0].manifest, b.checkpoints[0].manifest
    if first.backend != second.backend:
        notes.append(f"Simulated by different backends: '{first.backend}' and '{second.backend}'.")
    shared = first.simulation.keys() & second.simulation.keys()
    ours, theirs = (replace(m, simulation={k: m.simulation[k] for k in shared}) for m in (first, second))
    if different := simulation_differences(ours, theirs):
        names = ", ".join(line.split(":")[0].removeprefix("simulation.") for line in different)
        notes.append(f"Their simulations differ in: {names}. A difference of scores may come from there.")
    counts = len(a.checkpoints), len(b.checkpoints)
    if counts[0] != counts[1] and min(counts) == 1:
        several, single = (a, b) if counts[0] > 1 else (b, a)
        notes.append(
            f"{several.letter} is a mean over checkpoints and {single.letter} a single one. If that one was picked by "
            "its score on these very units, its value is too high."
        )
    return [plain(note) for note in notes]


def _checkpoint(runs: Sequence[RunData]) -> Checkpoint:
    """The shards of one run, merged."""
    run = merge_runs(runs, allow_mixed=True)
    outcomes = scored(run.results.values())
    simulations = [run.manifest.simulation, *(session.simulation for session in run.sessions)]
    names = sorted({name for simulation in simulations for name in simulation})
    return Checkpoint(
        paths=tuple(sorted(r.path for r in runs)),
        manifest=run.manifest,
        outcomes={result.unit_id: result for result in outcomes},
        errors=len(run.results) - len(outcomes),
        mixed=tuple(name for name in names if len({s.get(name) for s in simulations}) > 1),
        problems=run.problems,
    )


def _check_one_arm(path: Path, checkpoints: Sequence[Checkpoint]) -> None:
    """Refuse a folder that holds several arms."""
    arms: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for checkpoint in checkpoints:
        manifest = checkpoint.manifest
        arms[replace(manifest, checkpoint=None, arm=dict(arm_of_run(manifest).pairs)).identity].append(checkpoint)
    if len(arms) > 1:
        held = "\n".join(
            f"  {base_label(same[0].manifest)} on {same[0].manifest.protocol.name}, seed {same[0].manifest.seed}: "
            f"{', '.join(str(p) for c in same for p in c.paths)}"
            for same in arms.values()
        )
        raise UsageError(
            f"{path}: holds {len(arms)} arms, and each argument of a comparison is one arm:\n{held}\n"
            "Name the folder of each arm on its own."
        )
    weights = [c.manifest.checkpoint.sha256 if c.manifest.checkpoint else None for c in checkpoints]
    twin = next((i for i, sha in enumerate(weights) if sha in weights[:i]), None)
    if twin is not None:
        other = checkpoints[weights.index(weights[twin])]
        raise UsageError(
            f"{path}: {checkpoints[twin].paths[0]} and {other.paths[0]} are the same checkpoint and arm, where the arm "
            "is written otherwise. Name one of the two."
        )
