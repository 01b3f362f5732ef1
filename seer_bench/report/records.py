"""A report for machines: JSON and CSV, numbers unrounded, rates as fractions.

The JSON tree, schema "seer-bench/report/1":

    schema      "seer-bench/report/1"
    table       key of the paper's table, "table2"
    notes       remarks on the paper's rows
    paper       [{method, rates: [5 fractions or null], average_length}]
    runs        [{label, policy: {name, version, privileged, options}, checkpoint: {name, sha256} or null,
                  arm, seed, backend, protocol: {name, fingerprint, comparable}, paths,
                  n, planned, complete,
                  rates: [{value, low, high}],               95 % Wilson
                  average_length: {value, low, high},        95 % bootstrap over chains
                  tasks: [{task, successes, attempts, rate: {value, low, high}}],
                  errors, average_length_bounds: [low, high],
                  policy_errors, actions_out_of_range, mixed, notes}]
    problems    what could not be reported, one sentence each
    hint        why no run is shown and what to do; empty where one is
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from seer_bench.report.chains import ChainSummary, Estimate
from seer_bench.report.document import Document, plain
from seer_bench.report.paper_tables import PaperChainRow, PaperChainTable
from seer_bench.report.table2 import paper_notes, run_notes

SCHEMA = "seer-bench/report/1"
_FORMULA = ("=", "+", "-", "@")


def to_json(paper: PaperChainTable, summaries: Sequence[ChainSummary], document: Document) -> dict[str, Any]:
    """The tree above."""
    return {
        "schema": SCHEMA,
        "table": paper.key,
        "notes": list(paper_notes(paper)),
        "paper": [
            {"method": row.method, "rates": _fractions(row), "average_length": row.average_length} for row in paper.rows
        ],
        "runs": [_run(summary) for summary in summaries],
        "problems": list(document.problems),
        "hint": document.hint,
    }


def chains_csv(paper: PaperChainTable, summaries: Sequence[ChainSummary]) -> str:
    """One line a row of the table; intervals are columns of their own, notes the last one."""
    lines: list[dict[str, Any]] = []
    for row in paper.rows:
        rates = {f"rate_{i}": rate for i, rate in enumerate(_fractions(row), start=1)}
        notes = " ".join(paper_notes(paper))
        lines.append(
            {"method": row.method, "protocol": "paper", **rates, "avg_len": row.average_length, "notes": notes}
        )
    for summary in summaries:
        line: dict[str, Any] = {"method": summary.label, "protocol": summary.protocol.name}
        for i, rate in enumerate(summary.rates, start=1):
            line |= _interval_columns(f"rate_{i}", rate)
        line |= _interval_columns("avg_len", summary.average_length)
        low, high = summary.average_length_bounds
        line |= {
            "n": summary.n,
            "planned": summary.planned,
            "errors": summary.errors,
            "avg_len_if_errors_failed": low,
            "avg_len_if_errors_solved": high,
            "policy_errors": summary.policy_errors,
            "actions_out_of_range": summary.actions_out_of_range,
            "notes": " ".join(run_notes(summary)),
        }
        lines.append(line)
    values = [f"rate_{i}" for i in range(1, paper.length + 1)] + ["avg_len"]
    columns = [f"{value}{suffix}" for value in values for suffix in ("", "_low", "_high")]
    counts = ["n", "planned", "errors", "avg_len_if_errors_failed", "avg_len_if_errors_solved"]
    last = ["policy_errors", "actions_out_of_range", "notes"]
    return _csv(["method", "protocol", *columns, *counts, *last], lines)


def tasks_csv(summaries: Sequence[ChainSummary]) -> str:
    """One line a row and task."""
    lines = [
        {
            "method": summary.label,
            "protocol": summary.protocol.name,
            "task": score.task,
            "successes": score.successes,
            "attempts": score.attempts,
            **_interval_columns("rate", score.rate),
        }
        for summary in summaries
        for score in summary.tasks
    ]
    return _csv(["method", "protocol", "task", "successes", "attempts", "rate", "rate_low", "rate_high"], lines)


def _run(summary: ChainSummary) -> dict[str, Any]:
    """One element of "runs"."""
    manifest, protocol = summary.manifest, summary.protocol
    checkpoint = manifest.checkpoint
    return {
        "label": summary.label,
        "policy": {
            "name": manifest.policy.name,
            "version": manifest.policy.version,
            "privileged": manifest.policy.privileged,
            "options": dict(manifest.policy.options),
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
        "rates": [asdict(rate) for rate in summary.rates],
        "average_length": asdict(summary.average_length),
        "tasks": [asdict(score) for score in summary.tasks],
        "errors": summary.errors,
        "average_length_bounds": list(summary.average_length_bounds),
        "policy_errors": summary.policy_errors,
        "actions_out_of_range": summary.actions_out_of_range,
        "mixed": list(summary.mixed),
        "notes": list(run_notes(summary)),
    }


def _fractions(row: PaperChainRow) -> list[float | None]:
    """The paper's percentages as fractions; rounded to undo the noise of the division."""
    return [None if rate is None else round(rate / 100, 4) for rate in row.rates]


def _interval_columns(name: str, estimate: Estimate) -> dict[str, float | None]:
    """A value and the ends of its interval under their column names."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _csv(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
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
