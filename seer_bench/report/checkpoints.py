"""Several checkpoints of one arm as one row: the mean of the best, as the paper has it, and what choosing is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import UsageError
from seer_bench.report.arms import Arm, arm_of_run
from seer_bench.report.counts import Estimate, RunSummary, label
from seer_bench.stats import Selection, select_best

BEST = 3
"""Checkpoints whose mean the paper prints, chosen by their scores on the test itself."""

Summary = TypeVar("Summary", bound=RunSummary)


@dataclass(frozen=True)
class Choice:
    """How several checkpoints became one value."""

    chosen: tuple[int, ...]
    """Positions of the chosen checkpoints among the arm's runs, best first."""
    of: int
    """Checkpoints of the arm."""
    selected: Estimate
    """Mean over the chosen ones; its interval allows for the choice."""
    unselected: Estimate
    """Mean over all of them."""
    optimism: float
    """The most that the choice can have added to `selected`, on average."""
    units: tuple[str, ...]
    """Units with an outcome under every checkpoint; all values are about these."""

    @classmethod
    def among(cls, of: int, found: Selection, units: tuple[str, ...]) -> Choice:
        """What `select_best` found among `of` checkpoints that were played on `units`."""
        return cls(
            chosen=found.chosen,
            of=of,
            selected=Estimate(*found.selected),
            unselected=Estimate(*found.unselected),
            optimism=found.optimism,
            units=units,
        )

    @property
    def made(self) -> bool:
        """Whether any checkpoint was left out."""
        return len(self.chosen) < self.of


@dataclass(frozen=True)
class ArmRow(Generic[Summary]):
    """One row of a table: an arm under one protocol, with one run a checkpoint."""

    arm: Arm
    summary: Summary
    """What the row shows: the only run, or the chosen checkpoints together."""
    runs: tuple[Summary, ...]
    """One a checkpoint, by label."""
    choice: Choice | None
    """None where there is one run."""


def group_arms(
    summaries: Sequence[Summary],
    combine: Callable[[Sequence[Summary]], tuple[Summary, Choice]],
    problems: list[str],
) -> list[ArmRow[Summary]]:
    """Runs that differ in their checkpoints alone become one row; `problems` takes those that cannot."""
    groups: dict[str, dict[str | None, Summary]] = {}
    for summary in sorted(summaries, key=lambda s: (s.label, s.paths)):
        manifest, arm = summary.manifest, arm_of_run(summary.manifest)
        same = groups.setdefault(replace(manifest, checkpoint=None, arm=dict(arm.pairs)).identity, {})
        weights = None if manifest.checkpoint is None else manifest.checkpoint.sha256
        if (twin := same.setdefault(weights, summary)) is not summary:
            problems.append(
                f"{summary.paths[0]}: left out. It is the same checkpoint and arm as {twin.paths[0]}, where the arm is "
                "written otherwise; report one of the two."
            )
    rows = []
    for by_weights in groups.values():
        runs = list(by_weights.values())
        arm = arm_of_run(runs[0].manifest)
        if len(runs) == 1:
            rows.append(ArmRow(arm, runs[0], tuple(runs), None))
            continue
        try:
            summary, choice = combine(runs)
            rows.append(ArmRow(arm, summary, tuple(runs), choice))
        except UsageError as error:
            problems.append(f"{', '.join(str(run.paths[0]) for run in runs)}: left out. {error}")
    return rows


def common_units(runs: Sequence[RunSummary]) -> tuple[str, ...]:
    """Units with an outcome in every run; raises UsageError where there is none."""
    units = [unit for unit in runs[0].scores if all(unit in run.scores for run in runs[1:])]
    if not units:
        raise UsageError(f"No unit has an outcome with all {len(runs)} checkpoints of the arm; play the same units.")
    return tuple(units)


def choose(runs: Sequence[RunSummary], *, top: int, strata: Any = None) -> tuple[Choice, NDArray[np.int64]]:
    """Pick the best `BEST` checkpoints by their mean score over the common units, all of them where there are fewer.

    Args:
        runs: of one arm, at least two.
        top: the highest score of a unit.
        strata: (n,) task of every common unit where tasks count alike, else None.

    Returns:
        The choice, and the scores (chosen, n) of the chosen checkpoints on the common units.
    """
    units = common_units(runs)
    scores = np.array([[run.scores[unit] for unit in units] for run in runs])
    found = select_best(scores=scores, best=min(BEST, len(runs)), top=top, strata=strata)
    return Choice.among(len(runs), found, units), scores[list(found.chosen)]


def joint_rate(solved: NDArray[np.bool_]) -> Estimate:
    """Mean rate of checkpoints (k, n) that were played on the same n units; no allowance for having chosen them."""
    return Estimate(*select_best(scores=solved, best=len(solved)).selected)


def merged(runs: Sequence[Summary], choice: Choice, **fields: Any) -> Summary:
    """The summary of a row of several checkpoints; `fields` are those that a kind of table has of its own."""
    chosen = [runs[i] for i in choice.chosen]
    weights = f"best {len(chosen)} of {choice.of}" if choice.made else f"mean of {choice.of}"
    return replace(
        runs[0],
        label=label(runs[0].manifest, weights),
        paths=tuple(path for run in runs for path in run.paths),
        n=len(choice.units),
        errors=sum(run.errors for run in chosen),
        policy_errors=sum(run.policy_errors for run in chosen),
        actions_out_of_range=sum(run.actions_out_of_range for run in chosen),
        mixed=tuple(sorted({name for run in chosen for name in run.mixed})),
        scores={},
        **fields,
    )
