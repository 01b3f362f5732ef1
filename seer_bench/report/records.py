"""A report for machines: JSON and CSV, numbers unrounded, rates as fractions.

The JSON tree of one table, schema "seer-bench/table/3":

    schema      "seer-bench/table/3"
    table       key of the paper's table or figure, e.g. "table2"
    notes       remarks on the paper's rows
    paper       one element a row of the paper:
                  {label, arm: {key: value}, values: {measure: number or null}, notes}
                  null where the paper's text is not legible
    arms        one element a row of ours, an arm under one protocol:
                  {label, arm, paper_row: label or null, protocol, n, planned, complete,
                   values: {measure: {value, low, high, verdict, reason, difference} or null},
                   checkpoints: [labels of its runs], selection, notes}
                  verdict is one of "agrees", "differs", "not run", "not comparable";
                  difference is ours less the paper's;
                  selection is null for one checkpoint, else
                  {made, chosen: [labels], of, selected: {value, low, high}, unselected: {value, low, high}, optimism}
    runs        one element a run of ours, i.e. a checkpoint:
                  {label, policy: {name, version, privileged, fast, options, settings, chunk, batch, threads},
                   checkpoint: {name, sha256} or null, arm, seed, backend,
                   protocol: {name, fingerprint, comparable}, paths, n, planned, complete,
                   tasks: [{task, successes, attempts, rate: {value, low, high}}],      95 % Wilson
                   errors, policy_errors, actions_out_of_range, mixed, notes,
                   values: {measure: {value, low, high} or null}}
                  and what else the table knows:
                   table 2, 3a, 3b: average_length_if_errors_failed, average_length_if_errors_solved
                   table 1:         successes, tasks_planned, solved_if_errors_failed, solved_if_errors_solved
                   table 4:         aggregation, cases, planned_cases; here "tasks" are about trials where aggregation
                                    is "mean", else about cases, and their intervals know of the cases
    measures    [{name, heading, scale}], the columns; a value times scale has the unit of the paper's print
                  of chains: rate_1 ... rate_5, average_length; of tasks: one a task, named as records hold it, average;
                  of the real robot: ID_success and ID_score of each task, average_score, average_success
    published   tables 1 and 2: results of other policies in print, a list of groups. Each is one evaluation protocol,
                and values of two groups, or of a group and of ours, are not to be ranked in one list:
                  {group, summary, protocols: [ours that play it], ranked: false where units or steps are not known,
                   rows: [{method, values: {measure: number or null}, checkpoints, source: {title, where, table},
                           verified, seen, notes}]}
    problems    what could not be reported, one sentence each
    hints       what is missing, each with the command that fills it

Figure 3 and Figure 5 have notes, paper, arms, runs, problems and hints too. Elements of "paper" are: Figure 3
{benchmark, series, fraction, value: null}, and beside "paper" the "statements" about them; Figure 5 {task, disturbance,
value: null}. Elements of "arms" are: Figure 3 {label, arm, benchmark, series, fraction, protocol, n, estimate: {value,
low, high} or null, obstacles}; Figure 5 {label, arm, protocol, n, planned, complete, obstacles, aggregation,
checkpoints, selection, notes, tasks: [{task, of, disturbance, cases, planned_cases, trials, success, score,
undisturbed_success}]} with estimates in the last three. The runs of Figure 3 are labels; tables 1 and 2 hold the rest.

The tree of a report, schema "seer-bench/report/4": {schema, tables: {key: tree of the table}, problems}.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from seer_bench.report.checkpoints import ArmRow
from seer_bench.report.counts import Estimate, RunSummary
from seer_bench.report.document import plain
from seer_bench.report.paper_table import TableReport

SCHEMA = "seer-bench/report/4"
TABLE_SCHEMA = "seer-bench/table/3"
_FORMULA = ("=", "+", "-", "@")


def report_record(tables: Sequence[TableReport], problems: Sequence[str]) -> dict[str, Any]:
    """The tree of a report."""
    return {
        "schema": SCHEMA,
        "tables": {report.table.key: table_record(report) for report in tables},
        "problems": list(problems),
    }


def table_record(report: TableReport) -> dict[str, Any]:
    """The tree of one table."""
    return {
        "schema": TABLE_SCHEMA,
        "table": report.table.key,
        **report.table.record(report.rows),
        "problems": list(report.document.problems),
        "hints": list(report.document.hints),
    }


def tasks_csv(summaries: Sequence[RunSummary], printed: Sequence[Mapping[str, Any]] = ()) -> str:
    """One line a row and task; `printed` are the paper's lines, which come first."""
    lines: list[Mapping[str, Any]] = list(printed)
    lines += [
        {
            "method": summary.label,
            "protocol": summary.protocol.name,
            "task": score.task,
            "successes": score.successes,
            "attempts": score.attempts,
            **interval_columns("rate", score.rate),
        }
        for summary in summaries
        for score in summary.tasks
    ]
    return csv_text(["method", "protocol", "task", "successes", "attempts", "rate", "rate_low", "rate_high"], lines)


def run_record(summary: RunSummary, notes: Sequence[str]) -> dict[str, Any]:
    """What an element of "runs" holds in every table."""
    manifest, protocol = summary.manifest, summary.protocol
    checkpoint = manifest.checkpoint
    return {
        "label": summary.label,
        "policy": {
            "name": manifest.policy.name,
            "version": manifest.policy.version,
            "privileged": manifest.policy.privileged,
            "fast": manifest.policy.fast,
            "options": dict(manifest.policy.options),
            "settings": dict(manifest.policy.settings),
            "chunk": manifest.policy.chunk,
            "batch": manifest.policy.batch,
            "threads": manifest.policy.threads,
        },
        "checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256} if checkpoint else None,
        "arm": dict(manifest.arm),
        "seed": manifest.seed,
        "backend": manifest.backend,
        "protocol": {
            "name": protocol.name,
            "fingerprint": protocol.fingerprint,
            "comparable": protocol.comparable,
        },
        "paths": [str(path) for path in summary.paths],
        "n": summary.n,
        "planned": summary.planned,
        "complete": summary.complete,
        "tasks": [asdict(score) for score in summary.tasks],
        "errors": summary.errors,
        "policy_errors": summary.policy_errors,
        "actions_out_of_range": summary.actions_out_of_range,
        "mixed": list(summary.mixed),
        "notes": list(notes),
    }


def choice_record(row: ArmRow[Any]) -> dict[str, Any] | None:
    """How the checkpoints of a row became one value; None for one checkpoint."""
    choice = row.choice
    if choice is None:
        return None
    return {
        "made": choice.made,
        "chosen": [row.runs[i].label for i in choice.chosen],
        "of": choice.of,
        "selected": asdict(choice.selected),
        "unselected": asdict(choice.unselected),
        "optimism": choice.optimism,
    }


def fraction(rate: float | None) -> float | None:
    """A percentage of the paper as a fraction; rounded to undo the noise of the division."""
    return None if rate is None else round(rate / 100, 4)


def fractions(rates: Iterable[float | None]) -> list[float | None]:
    """Several of them."""
    return [fraction(rate) for rate in rates]


def interval_columns(name: str, estimate: Estimate) -> dict[str, float | None]:
    """A value and the ends of its interval under their column names."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def csv_text(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    """CSV text; absent values stay empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: _harmless(value) for key, value in line.items()})
    return out.getvalue()


def _harmless(value: object) -> object:
    """Texts that a spreadsheet would run as a formula get the apostrophe that makes them text again."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
