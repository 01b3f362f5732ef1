"""What the commands print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from real_robot_benchmark.arms import ELSEWHERE
from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.finishing import Finished
from real_robot_benchmark.importing import Import
from real_robot_benchmark.reading import close_match
from real_robot_benchmark.records import blinding
from real_robot_benchmark.seal import KEY_FILE, Arm
from real_robot_benchmark.state import CampaignState
from real_robot_benchmark.tasks import TaskSet
from real_robot_benchmark.view import remaining_seconds
from seer_bench.registry import POLICIES, plugins
from seer_bench.report.arms import Arm as Row
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.paper_real_robot import load_real_robot_table
from seer_bench.store import is_being_written

_SHOWN = 3
"""Lines of an imported file that are shown."""


def task_lines(tasks: TaskSet) -> list[str]:
    """What a task file holds."""
    lines = [f"{tasks.name}: {tasks.trials} trials a case, aggregation {tasks.aggregation}"]
    for task in tasks.tasks:
        limit = f", {task.time_limit_s} s" if task.time_limit_s else ""
        lines.append(f"  {task.name:<20} {len(task.cases)} cases{limit}: {task.instruction}")
        lines += [f"      {number}. {stage}" for number, stage in enumerate(task.stages, start=1)]
        lines += [f"      disturbance {change.name}: {change.setup}" for change in task.disturbances]
    return lines


def plan_lines(campaign: Campaign) -> list[str]:
    """What was planned."""
    plan = campaign.plan
    cases = sorted({len(task.cases) for task in plan.tasks})
    each = _counted(cases[0], "case") if len(cases) == 1 else f"{cases[0]} to {cases[-1]} cases"
    lines = [
        f"{campaign.path}: {len(plan.trials)} trials: {_counted(len(plan.tasks), 'task')} x {each} x "
        f"{_counted(campaign.trials, 'trial')} x {_counted(len(plan.arms), 'policy')}.",
        f"Order: seed {campaign.seed}, "
        + ("task after task" if campaign.group_by == "task" else "all tasks mixed")
        + ", all policies on a case before the next one is set up.",
    ]
    if not campaign.blind:
        return [*lines, "Not blind: the operator sees which policy is tried. For letters instead: --blind"]
    key = campaign.path / KEY_FILE
    if campaign.encrypted:
        return [*lines, f"Blind: who is who is encrypted in {key}. Without the passphrase nobody can open it."]
    return [
        *lines,
        f"Blind: who is who is in {key}, encoded and not encrypted: it is tamper-evident only. Give the file to a "
        "second person, or plan with --passphrase.",
    ]


def arm_lines(arms: Sequence[Arm]) -> list[str]:
    """The policies in the order in which they were named, which says nothing about letters."""
    lines, installed = [], plugins(POLICIES)
    for arm in arms:
        weights = f" with {arm.checkpoint.name} (sha256 {arm.checkpoint.sha256[:12]})" if arm.checkpoint else ""
        runs = (
            ""
            if arm.distribution != ELSEWHERE
            else (f"; no plugin of that name is installed, so it runs elsewhere.{close_match(arm.policy, installed)}")
        )
        lines.append(f"  {arm.label}{weights}: {row_text(arm)}{runs}")
    return lines


def row_text(arm: Arm) -> str:
    """Which row of Table 4 a policy's run will stand beside."""
    row = Row.of({"method": arm.policy, **arm.attributes})
    for printed in load_real_robot_table().rows:
        if arm_of_paper(printed.method, demos=str(printed.demos)) == row:
            return f"beside the row '{printed.method}, {printed.demos} demos' of Table 4"
    told = ", ".join(f"{key}={value}" for key, value in row.pairs)
    return f"no row of Table 4 is {told} (attributes of rows: --arm {arm.label}:demos=100 and so on)"


def status_lines(campaign: Campaign) -> list[str]:
    """How far a campaign is, without a word about policies."""
    history = campaign.history()
    state = campaign.state()
    held = " A console has it open." if is_being_written(campaign.path) else ""
    lines = [f"{campaign.path}: {state.done} of {state.total} trials are done.{held}"]
    done = Counter(attempt.trial.task for attempt in state.valid)
    planned = Counter(trial.task for trial in campaign.plan.trials)
    lines += [f"  {task.name:<28} {done[task.name]:>4} of {planned[task.name]}" for task in campaign.plan.tasks]
    lines += _times(state)
    if state.trial is not None:
        scene = campaign.scene(state.trial)
        phase = f"{state.phase}, paused" if state.paused else state.phase
        lines.append(f"Next: trial {scene.number}, {scene.task}, case {scene.case}, policy {scene.policy} ({phase}).")
    void = Counter(attempt.reason for attempt in state.voided)
    if void:
        lines.append(f"Void: {', '.join(f'{reason} ({count})' for reason, count in sorted(void.items()))}.")
    lines.append(blinding(campaign, state))
    if history.torn:
        lines.append(f"The last press was not finished ({history.torn} bytes); it was never shown as done.")
    return [*lines, f"Log: {len(history.events)} lines, head {history.head}"]


def finish_lines(done: Finished) -> list[str]:
    """Who was who, and where the runs are."""
    state, lines = done.state, [f"{done.blinding}"]
    if state.done < state.total:
        lines.append(f"Partial: {state.done} of {state.total} trials are done.")
    valid = Counter(attempt.trial.arm for attempt in state.valid)
    for letter, arm in sorted(done.arms.items()):
        where = done.runs.get(letter, "not tried")
        lines.append(f"  {letter} = {arm.label}: {_counted(valid[letter], 'trial')}, {where}")
    return [*lines, f"Report them with: seer-bench report {done.campaign.runs}"]


def import_lines(found: Import, tasks: TaskSet) -> list[str]:
    """What is taken from which column, and the first lines as they are understood."""
    stages = {task.name: len(task.stages) for task in tasks.choose((), "both")}
    lines = [f"{found.path}: {_counted(len(found.trials), 'trial')}, {found.void} void.", "Taken from:"]
    lines += [f"  {field:<8} <- column '{column}'" for field, column in found.mapping.items()]
    if found.ignored:
        lines.append(f"  ignored: {', '.join(found.ignored)}")
    lines.append("So the first lines say:")
    for trial in found.trials[:_SHOWN]:
        done, total = trial.stages, stages[trial.task]
        result = "success" if done == total else "failure"
        lines.append(
            f"  line {trial.line}: {trial.policy}, {trial.task}, case {trial.case}, trial {trial.trial}: {result}, "
            f"{done} of {total} stages"
        )
    counts: Mapping[str, int] = Counter(trial.policy for trial in found.trials)
    return [*lines, "Trials: " + ", ".join(f"{policy} {count}" for policy, count in counts.items())]


def _times(state: CampaignState) -> list[str]:
    """Mean times and what is left."""
    valid = state.valid
    if not valid:
        return []
    setup, run = (sum(getattr(a, name) for a in valid) / len(valid) for name in ("setup_s", "seconds"))
    left = remaining_seconds(state) or 0.0
    return [f"Mean time a trial: {setup:.0f} s to set up, {run:.0f} s of execution; about {left / 3600:.1f} h to go."]


def _counted(count: int, what: str) -> str:
    """E.g. "1 trial", "2 policies"."""
    if count == 1:
        return f"1 {what}"
    return f"{count} {what[:-1]}ies" if what.endswith("y") else f"{count} {what}s"
