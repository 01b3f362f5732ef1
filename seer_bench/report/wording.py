"""Sentences and tables that the reports of all benchmarks share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from seer_bench.report.audit import audit_paper
from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.comparison import Measure
from seer_bench.report.counts import Estimate, RunSummary
from seer_bench.report.document import Cell, Column, Row, Table, count, counted, interval, plain
from seer_bench.store import Manifest

PLAIN_BACKENDS = ("own", "pinned")
"""Backends that need no remark: our own simulator, or upstream's in its pinned versions."""

_JOINT = "All intervals of this row are Agresti and Coull's for the checkpoints together, which played the same units."


def paper_note(metric: str) -> str:
    """What a reader must know before comparing with the paper's rows."""
    return (
        f"As printed in the paper: {metric.rstrip('.')}. Checkpoints picked by their scores on the test itself "
        "are favoured over one that was fixed beforehand. The paper prints no intervals, so verdicts take its values "
        "as exact but for rounding."
    )


def origin_notes(summary: RunSummary) -> list[str]:
    """What a row is: comparable or not, privileged, fast."""
    notes = []
    protocol = summary.protocol
    if protocol.comparable != "yes":
        reason = protocol.comparable.rstrip(".")
        notes.append(f"Not comparable with the paper's rows ({protocol.name}): {reason}.")
    if summary.manifest.policy.privileged:
        notes.append("Privileged policy: it reads the simulator's state, which a robot's policy cannot.")
    if summary.manifest.policy.fast:
        notes.append("Fast: batches depended on timing, so another run may give other outcomes.")
    return notes


def audit_notes(key: str, row: str | None) -> tuple[str, ...]:
    """What the audit of the paper found in one row of a table, or (None) in the table as a whole."""
    return tuple(finding.text for finding in audit_paper() if finding.key == key and finding.row == row)


def estimate_text(estimate: Estimate, measure: Measure) -> str:
    """A value with its interval, e.g. "3.98 (3.91–4.05)"."""
    ends = interval(estimate.low, estimate.high, digits=measure.interval_digits, scale=measure.scale)
    return f"{measure.scale * estimate.value:.{measure.digits}f} ({ends})"


def checkpoint_note(row: ArmRow[RunSummary], measure: Measure, unit: str) -> str:
    """How many checkpoints a row stands for, and what choosing them was worth; "" for a policy without weights."""
    choice = row.choice
    if choice is None:
        return "" if row.summary.manifest.checkpoint is None else "One checkpoint, not selected."
    if not choice.made:
        return f"Mean over all {choice.of} checkpoints; none was selected. {_JOINT}"
    return (
        f"Mean of the best {len(choice.chosen)} of {choice.of} checkpoints, selected on the test set, as the paper "
        f"does: by {measure.heading} on these very {unit}s, which favours them by up "
        f"to {measure.scale * choice.optimism:.{measure.digits}f} on average. The interval of {measure.heading} allows "
        f"for the choice, those of the other columns do not. Unselected mean over all {choice.of}: "
        f"{estimate_text(choice.unselected, measure)}. {_JOINT}"
    )


def checkpoint_table(
    rows: Sequence[ArmRow[RunSummary]], values: Sequence[Sequence[Estimate | None]], measure: Measure
) -> Table:
    """Every checkpoint of the rows that have several, then their means, selected and not.

    Args:
        rows: those with a choice.
        values: of each row the values of its runs, one a run.
        measure: what checkpoints are chosen by.
    """
    columns = (
        Column("Checkpoint", align="left"),
        Column(measure.heading),
        Column("n"),
        Column("Selected on the test set", align="left"),
    )
    groups = []
    for row, estimates in zip(rows, values, strict=True):
        choice = row.choice
        if choice is None:
            continue
        lines: list[Row] = []
        for i, (run, estimate) in enumerate(zip(row.runs, estimates, strict=True)):
            cell = Cell("n/a") if estimate is None else _estimate_cell(estimate, measure)
            mark = "yes" if choice.made and i in choice.chosen else "no"
            lines.append((Cell(run.label), cell, Cell(str(run.n)), Cell(mark)))
        n = Cell(str(len(choice.units)))
        if choice.made:
            best = Cell(f"Mean of the best {len(choice.chosen)}")
            lines.append((best, _estimate_cell(choice.selected, measure), n, Cell("yes")))
        everything = Cell(f"Mean of all {choice.of}")
        lines.append((everything, _estimate_cell(choice.unselected, measure), n, Cell("no")))
        groups.append(tuple(lines))
    return Table(f"Checkpoints: {measure.heading}", columns, tuple(groups))


def _estimate_cell(estimate: Estimate, measure: Measure) -> Cell:
    """A value above its interval."""
    ends = interval(estimate.low, estimate.high, digits=measure.interval_digits, scale=measure.scale)
    return Cell(f"{measure.scale * estimate.value:.{measure.digits}f}", ends)


def excluded_note(summary: RunSummary, unit: str, bounds: str) -> str:
    """Units that the infrastructure cost, and what they could have made of the score."""
    return (
        f"Excluded: {counted(summary.errors, unit)} without an outcome because the infrastructure failed; had all of "
        f"them failed or been solved, {bounds}."
    )


def simulation_notes(summary: RunSummary) -> list[str]:
    """What was simulated otherwise than usual."""
    notes = []
    if summary.manifest.backend not in PLAIN_BACKENDS:
        notes.append(f"Simulated by the backend '{summary.manifest.backend}'.")
    if summary.mixed:
        notes.append(f"Merged over sessions whose simulations differ in: {', '.join(summary.mixed)}.")
    return notes


def hints(table: str, summaries: Sequence[RunSummary], unit: str, *, found: int, first: str) -> tuple[str, ...]:
    """What is missing in a table, each with the command that fills it.

    Args:
        table: how the paper calls it.
        summaries: the rows.
        unit: what a unit is called.
        found: run directories that were found for the table, those left out among them.
        first: a command that makes a first row.
    """
    if not summaries:
        if found:
            return (f"{table}: every run that was found had to be left out; the reason for each is listed.",)
        return (f"{table}: no runs were found. Add a row to those of the paper with: {first}",)
    return tuple(
        plain(
            f"{summary.label} on {summary.protocol.name}: {counted(summary.planned - summary.n, unit)} of "
            f"{count(summary.planned)} to go. Continue with: {_continue(summary)}"
        )
        for summary in summaries
        if not summary.complete
    )


def error_table(summaries: Sequence[RunSummary], unit: str) -> Table:
    """What went wrong apart from failing."""
    columns = (
        Column("Run", align="left"),
        Column("Infrastructure errors", f"{unit}s left out"),
        Column("Policy errors", f"{unit}s failed by them"),
        Column("Out of range", "actions beyond ±1"),
        Column("Protocol", align="left", fold=True),
    )
    rows: tuple[Row, ...] = tuple(
        (
            Cell(s.label),
            Cell(count(s.errors)),
            Cell(count(s.policy_errors)),
            Cell(count(s.actions_out_of_range)),
            Cell(plain(s.protocol.name)),
        )
        for s in summaries
    )
    return Table("Errors", columns, (rows,))


def _continue(summary: RunSummary) -> str:
    """The command that goes on with a run; shards need theirs, which their sessions hold."""
    if len(summary.paths) > 1:
        return "the commands of its shards, which are in their sessions/"
    manifest = summary.manifest
    command = ["seer-bench", "run", manifest.protocol.benchmark, *_arguments(manifest), "--out", str(summary.paths[0])]
    return shlex.join(command)


def _arguments(manifest: Manifest) -> list[str]:
    """The options that identify a run; of the checkpoint the name alone is recorded."""
    policy = manifest.policy
    arguments = ["--policy", policy.name, "--protocol", manifest.protocol.name]
    if manifest.checkpoint is not None:
        arguments += ["--ckpt", manifest.checkpoint.name]
    if manifest.seed:
        arguments += ["--seed", str(manifest.seed)]
    if manifest.backend not in PLAIN_BACKENDS:
        arguments += ["--backend", manifest.backend]
    for option, values in (("--policy-arg", policy.arguments), ("--arm", manifest.arm)):
        for key, value in sorted(values.items()):
            arguments += [option, f"{key}={value}"]
    return [*arguments, "--fast"] if policy.fast else arguments
