"""Which units two arms are compared on, and which of them belong together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seer_bench.compare.arm import ComparedArm, is_campaign
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Aggregation, Campaign, Trial, aggregate

ClusterOf = Callable[[str], str]
"""Gives the cluster of a unit by its id. Units of one cluster are repetitions, not independent ones."""


def case_of(unit_id: str) -> str:
    """The id without its trial where it names a case, which trials repeat: "p:task=1,case=3"; else the id itself."""
    head, _, slug = unit_id.rpartition(":")
    parts = slug.split(",")
    keys = {part.partition("=")[0] for part in parts}
    if not {"case", "trial"} <= keys:
        return unit_id
    return f"{head}:{','.join(part for part in parts if not part.startswith('trial='))}"


@dataclass(frozen=True)
class Groups:
    """What a mean over units counts: clusters of units, in strata."""

    members: NDArray[np.intp]
    """(n,) cluster of every unit, from 0."""
    strata: NDArray[np.str_] | None
    """(clusters,) task of every cluster where tasks count alike, else None."""
    rule: Aggregation = "mean"
    """What the units of one cluster count as."""

    @property
    def n(self) -> int:
        """Number of clusters; that of the units where each is its own."""
        return int(self.members.max(initial=-1)) + 1

    @property
    def clustered(self) -> bool:
        """Whether any cluster has more than one unit."""
        return self.n < self.members.size

    @property
    def whole(self) -> int:
        """A number that makes every cluster's mean of whole scores whole."""
        return math.lcm(*map(int, np.bincount(self.members))) if self.rule == "mean" else 1

    def rows(self) -> list[NDArray[np.intp]]:
        """Clusters of every stratum, in the order of their names."""
        if self.strata is None:
            return [np.arange(self.n)]
        return [np.flatnonzero(self.strata == name) for name in np.unique(self.strata)]

    def means(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, n) scores of checkpoints on units -> (clusters,) what each cluster counts, on average of checkpoints."""
        if not self.clustered:
            # One unit a cluster: the clusters' order is that of their names.
            return np.asarray(scores.mean(axis=0)[np.argsort(self.members)], dtype=np.float64)
        inside = [np.flatnonzero(self.members == i) for i in range(self.n)]
        return np.array(
            [np.mean([np.mean(aggregate(list(row[units]), self.rule)) for row in scores]) for units in inside]
        )


def group_units(arm: ComparedArm, units: Sequence[str], *, cluster: ClusterOf = case_of) -> Groups:
    """Clusters and strata of some units; chains have no strata, single tasks are their own.

    Args:
        arm: it knows the task of each unit.
        units: at least one.
        cluster: gives the cluster of a unit; all units of a cluster have one task.
    """
    names = [cluster(unit) for unit in units]
    _, first, members = np.unique(names, return_index=True, return_inverse=True)
    if arm.protocol.chain_length > 1:
        return Groups(members, None)
    rule = Campaign.of(arm.protocol).aggregation if is_campaign(arm.protocol) else "mean"
    return Groups(members, np.array([arm.task_of(units[i]) for i in first]), rule)


def common_units(a: ComparedArm, b: ComparedArm) -> tuple[str, ...]:
    """Units with an outcome in both arms, sorted; of a real robot those of cases that both finished."""
    theirs = set(b.units)
    return finished(a.protocol, tuple(unit for unit in a.units if unit in theirs))


def finished(protocol: EvaluationProtocol, units: Sequence[str]) -> tuple[str, ...]:
    """Those units whose every repetition is among them: of a real robot, cases with all of their trials."""
    if not is_campaign(protocol):
        return tuple(units)
    trials = {plan.id: plan.trials for plan in Campaign.of(protocol).tasks}
    played = Counter(map(case_of, units))
    return tuple(unit for unit in units if played[case_of(unit)] == trials[Trial.parse(unit).task])


def same_actions(a: ComparedArm, b: ComparedArm, units: Sequence[str]) -> int | None:
    """Units that both arms played with the very same actions.

    None where an arm has several checkpoints, and on a real robot, whose records need not hold actions.
    """
    if max(len(a.checkpoints), len(b.checkpoints)) > 1 or is_campaign(a.protocol):
        return None
    first, second = a.checkpoints[0].outcomes, b.checkpoints[0].outcomes
    hashes = ((first[unit].actions_sha256, second[unit].actions_sha256) for unit in units)
    return sum(ours is not None and ours == theirs for ours, theirs in hashes)


def other_starts(a: ComparedArm, b: ComparedArm, units: Sequence[str]) -> int:
    """Units whose start states were drawn differently for the two arms."""
    first, second = a.checkpoints[0].outcomes, b.checkpoints[0].outcomes
    return sum(first[unit].initial != second[unit].initial for unit in units)
