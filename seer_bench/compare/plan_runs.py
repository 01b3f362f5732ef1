"""What runs tell a plan: scores, their spread, what two runs have in common, and how long a unit takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seer_bench.compare.arm import ComparedArm, is_campaign, load_arm, unit_noun
from seer_bench.compare.measures import solved_subtasks, success
from seer_bench.compare.units import common_units, finished, group_units
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Campaign
from seer_bench.store import read_run

Metric = Literal["rate", "length"]


def plan_noun(protocol: EvaluationProtocol) -> str:
    """What is counted: of a real robot its cases, since the trials of one case are no independent units."""
    return "case" if is_campaign(protocol) else unit_noun(protocol)


def seconds_a_unit(paths: Sequence[Path]) -> float | None:
    """Wall-clock seconds a unit over the sessions of some run directories; None where they do not tell."""
    units, seconds = 0, 0.0
    for run in map(read_run, paths):
        for session in run.sessions:
            ends = [
                result.run_info["finished"]
                for result in run.results.values()
                if result.run_info.get("session") == session.id and "finished" in result.run_info
            ]
            if ends:
                started = datetime.fromisoformat(session.started.replace("Z", "+00:00")).timestamp()
                units += len(ends)
                seconds += max(0.0, max(ends) - started)
    return seconds / units if units else None


def scores_of(arm: ComparedArm, units: Sequence[str], metric: Metric) -> NDArray[np.float64]:
    """What a mean counts: solved or not, or solved subtasks, one a unit (of a real robot, a case)."""
    units = finished(arm.protocol, units)
    if not units:
        raise UsageError(f"{arm.paths[0]}: no case has an outcome of all its trials yet. Finish a case first.")
    measure = success if metric == "rate" else solved_subtasks
    return group_units(arm, units).means(arm.scores(units, measure))


def spread_of(arm: ComparedArm, lengths: NDArray[np.float64]) -> float:
    """Standard deviation of the lengths of an arm's chains."""
    if lengths.size < 2 or lengths.min() == lengths.max():
        raise UsageError(
            f"{arm.paths[0]}: all of its {lengths.size:,} chains solved {lengths[0]:.0f} subtasks, which shows no "
            "spread to plan with. Plan with --rate, or with a run whose chains differ."
        )
    return float(lengths.std(ddof=1))


def seconds_of(arms: Sequence[ComparedArm], protocol: EvaluationProtocol) -> float | None:
    """Wall-clock time of what is counted, in the first run."""
    pace = seconds_a_unit(arms[0].paths) if arms else None
    if pace is None or not is_campaign(protocol):
        return pace
    tasks = Campaign.of(protocol).tasks
    return pace * sum(task.cases * task.trials for task in tasks) / sum(task.cases for task in tasks)


def correlation_of(arms: Sequence[ComparedArm], metric: Metric) -> float:
    """Correlation of two arms' scores on the units of both."""
    a, b = arms
    if set(a.paths) & set(b.paths):
        raise UsageError(f"--run {a.paths[0]} was given twice; what two runs have in common takes two runs.")
    units = common_units(a, b)
    if len(units) < 2:
        raise UsageError(
            f"{a.paths[0]} and {b.paths[0]} have {len(units)} units in common, which says nothing about what their "
            "scores have in common. Give runs of the same units, or --correlation."
        )
    scores = [scores_of(arm, units, metric) for arm in arms]
    for arm, values in zip(arms, scores, strict=True):
        if values.min() == values.max():
            raise UsageError(
                f"{arm.paths[0]}: all of its {len(units):,} units in common with the other run ended alike, so what "
                "they have in common cannot be measured. Give --correlation, or a single run."
            )
    return float(np.corrcoef(scores[0], scores[1])[0, 1])


def load_run(path: Path, letter: str, protocol: EvaluationProtocol) -> ComparedArm:
    """A run to plan with."""
    arm = load_arm(path, letter)
    if len(arm.checkpoints) > 1:
        raise UsageError(
            f"{path}: holds {len(arm.checkpoints)} checkpoints; name the run directory of one to plan with."
        )
    if arm.protocol.fingerprint != protocol.fingerprint:
        raise UsageError(
            f"{path}: was played on {arm.protocol.name} and the plan is about {protocol.name}. Leave --protocol and "
            "--benchmark out to plan for the run's own."
        )
    return arm
