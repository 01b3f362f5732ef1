"""From key presses to runs: a run directory a policy, in the store that simulated runs use.

The runs are derived, never edited: `derive_runs` makes the same directories from the same log however often it is
called, and replaces those that an earlier state of the log gave. A void attempt is recorded as an error of the
infrastructure, which the repeated attempt supersedes; its reason stays in the record.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.seal import Arm
from real_robot_benchmark.state import Attempt, CampaignState
from real_robot_benchmark.tasks import RealTask
from seer_bench.contracts import Array, SubtaskResult, UnitError, UnitResult
from seer_bench.errors import StoreError
from seer_bench.protocol import EvaluationProtocol, fingerprint
from seer_bench.real_robot import Trial, stage_id
from seer_bench.store import Manifest, PolicyId, RunWriter, actions_sha256, read_run, to_line

BACKEND = "real robot"
ACTION_DIM = 7
"""Columns of the empty array that stands for actions which nobody recorded."""


def derive_runs(campaign: Campaign, state: CampaignState, arms: Mapping[str, Arm]) -> dict[str, Path]:
    """Write `<campaign>/runs/<policy>` for every policy that was tried; letter -> directory.

    Args:
        campaign: the plan.
        state: where it stands.
        arms: letter -> policy.

    Raises:
        StoreError: a directory cannot be written, or is no run of this campaign.
    """
    runs = {}
    for letter, arm in sorted(arms.items()):
        attempts = [attempt for attempt in state.attempts if attempt.trial.arm == letter]
        if attempts:
            results = [make_result(campaign, attempt) for attempt in attempts]
            facts = _facts(campaign, state, attempts)
            runs[letter] = write_run(
                campaign.runs, arm, campaign.protocol, campaign.seed, campaign.created, results, facts
            )
    return runs


def write_run(
    folder: Path,
    arm: Arm,
    protocol: EvaluationProtocol,
    seed: int,
    created: str,
    results: Sequence[tuple[UnitResult, Array | None]],
    facts: Mapping[str, Any],
) -> Path:
    """Write one run, or leave the one that is there where it would be the same.

    Args:
        folder: where run directories are.
        arm: the policy.
        protocol: what was played.
        seed: of the campaign.
        created: when it was planned, ISO 8601 in UTC.
        results: every attempt with its executed actions (T, dim); None for an error.
        facts: what the report says of the campaign, as JSON values.

    Raises:
        StoreError: the directory cannot be written, or holds something else.
    """
    manifest = Manifest(
        protocol=protocol,
        simulation={},
        backend=BACKEND,
        policy=PolicyId(arm.policy, arm.distribution, arm.version, options=dict(arm.options)),
        checkpoint=arm.checkpoint,
        seed=seed,
        arm=dict(arm.attributes),
        created=created,
    )
    path = folder / slug(arm.label)
    lines = sorted(to_line(result) for result, _ in results)
    digest = fingerprint({"manifest": manifest.to_json(), "units": lines, "facts": dict(facts)})
    if path.exists() and _derived_digest(path) == digest:
        return path
    beside = folder / f".{path.name}.new"
    shutil.rmtree(beside, ignore_errors=True)
    with RunWriter.open(beside, manifest) as writer:
        told = {**facts, "units": len({result.unit_id for result, _ in results}), "done": 0, "digest": digest}
        session = writer.start_session(told)
        for result, actions in results:
            writer.append(result.with_run_info(session=session), actions)
    if path.exists():
        shutil.rmtree(path)
    beside.replace(path)
    return path


def make_result(campaign: Campaign, attempt: Attempt) -> tuple[UnitResult, Array | None]:
    """One attempt as the store records it, with its actions."""
    planned = attempt.trial
    task = campaign.plan.task(planned.task)
    unit = Trial(planned.task, planned.case - 1, planned.trial - 1).unit_id(campaign.protocol.name)
    info = {
        "letter": planned.arm,
        "number": planned.number,
        "setup_s": attempt.setup_s,
        "seconds": attempt.seconds,
        "paused_s": attempt.paused_s,
        "stage_seconds": [mark.seconds for mark in attempt.marks],
        "started": attempt.started,
        "ended": attempt.ended,
        "finished": _unix(attempt.ended),
        "reason": attempt.reason,
        "notes": list(attempt.notes),
        "facts": dict(attempt.facts),
    }
    seed = campaign.unit_seed(planned)
    if attempt.outcome == "void":
        void = UnitError("infrastructure_error", f"void: {attempt.reason}")
        return UnitResult(unit, attempt.attempt, "error", (), seed, 0, None, void, info), None
    actions = _actions(campaign.path, attempt)
    error = UnitError("policy_error", attempt.reason) if attempt.policy_error else None
    out_of_range = int(np.sum(np.any(np.abs(actions) > 1, axis=1)))
    stages = make_stages(task, [mark.step for mark in attempt.marks], _steps(attempt, actions))
    return (
        UnitResult(
            unit, attempt.attempt, attempt.outcome, stages, seed, out_of_range, actions_sha256(actions), error, info
        ),
        actions,
    )


def make_stages(task: RealTask, steps: Sequence[int | None], total: int = 0) -> tuple[SubtaskResult, ...]:
    """The stages that were tried: the completed ones, then the one that was not.

    Args:
        task: the task.
        steps: a control step for each completed stage, None where nobody counted.
        total: control steps of the whole trial.
    """
    done, results, before = len(steps), [], 0
    for number, text in enumerate(task.stages[: done + 1]):
        until = steps[number] if number < done else total
        until = before if until is None else max(until, before)
        results.append(SubtaskResult(stage_id(task.name, number + 1), text, number < done, until - before))
        before = until
    return tuple(results)


def slug(label: str) -> str:
    """The directory of a policy."""
    return label.replace("/", "-")


def no_actions() -> Array:
    """What stands for actions that nobody recorded."""
    return np.zeros((0, ACTION_DIM))


def remarks(campaign: Campaign, state: CampaignState, attempts: Sequence[Attempt]) -> list[str]:
    """What every report says of a policy's trials: blinding, order, void attempts, human time."""
    block = "every policy meets a case before the next one is set up"
    group = "task after task" if campaign.group_by == "task" else "all tasks mixed"
    sentences = [
        blinding(campaign, state),
        f"Order: random from seed {campaign.seed}, {group}; {block}.",
    ]
    if campaign.blind and state.key_uses:
        sentences.append(f"The robot's driver read the key {_times(state.key_uses)} without showing it.")
    void = Counter(attempt.reason for attempt in attempts if attempt.outcome == "void")
    if void:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(void.items()))
        sentences.append(f"{_counted(sum(void.values()), 'attempt')} voided, not counted: {reasons}.")
    valid = [attempt for attempt in attempts if attempt.outcome != "void"]
    if valid:
        setup, run = (sum(getattr(a, name) for a in valid) / len(valid) for name in ("setup_s", "seconds"))
        sentences.append(f"Mean time a trial: {setup:.0f} s to set up, {run:.0f} s of execution.")
    return sentences


def blinding(campaign: Campaign, state: CampaignState) -> str:
    """What the operator knew, in one sentence."""
    if not campaign.blind:
        return "Not blind: the operator knew which policy was tried."
    seal = "" if campaign.encrypted else " The key was not encrypted, so the blinding is tamper-evident only."
    if state.opened_key is None:
        return f"Blind: the key is sealed.{seal}"
    at = state.opened_key[0]
    if at < state.total:
        return f"Unblinded after {at} of {state.total} trials.{seal}"
    return f"Blind: the key was opened after the last of {state.total} trials.{seal}"


def _facts(campaign: Campaign, state: CampaignState, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What a report must know beside the trials."""
    return {
        "real_robot": {
            "remarks": remarks(campaign, state, attempts),
            "plan_sha256": campaign.genesis,
            "blind": campaign.blind,
            "encrypted": campaign.encrypted,
            "unblinded_after": state.opened_key[0] if state.opened_key else None,
            "planned": state.total,
            "done": state.done,
        }
    }


def _derived_digest(path: Path) -> object:
    """The digest that a derived run was written from; None where its records are not whole."""
    run = read_run(path)
    facts = run.sessions[-1].facts if run.sessions else {}
    if "real_robot" not in facts:
        raise StoreError(f"{path}: is a run that was not derived from a campaign. Move it away.")
    return None if run.problems or facts.get("units") != len(run.results) else facts.get("digest")


def _actions(folder: Path, attempt: Attempt) -> Array:
    """The executed actions that a driver attached; none where nobody recorded them.

    Raises:
        StoreError: the attached file is missing, outside the campaign, or no array of actions.
    """
    name = attempt.facts.get("actions")
    if name is None:
        return no_actions()
    path = (folder / str(name)).resolve()
    where = f"trial {attempt.trial.number}: its actions {name}"
    if not path.is_relative_to(folder.resolve()):
        raise StoreError(f"{where} lie outside the campaign.")
    try:
        actions: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StoreError(f"{where} cannot be read ({error}). Restore the file and repeat the command.") from error
    if not isinstance(actions, np.ndarray) or actions.ndim != 2 or not np.issubdtype(actions.dtype, np.floating):
        raise StoreError(f"{where} are no floating array (T, dim).")
    return actions


def _steps(attempt: Attempt, actions: Array) -> int:
    """Control steps of an attempt, by its actions or as the driver counted them; 0 where nobody did."""
    counted = attempt.facts.get("steps")
    return len(actions) if len(actions) or type(counted) is not int else max(0, counted)


def _unix(at: str) -> float:
    """ISO 8601 as UNIX time."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def _counted(count: int, what: str) -> str:
    """E.g. "1 attempt was", "2 attempts were"."""
    return f"1 {what} was" if count == 1 else f"{count} {what}s were"


def _times(count: int) -> str:
    """E.g. "once", "3 times"."""
    return "once" if count == 1 else f"{count} times"
