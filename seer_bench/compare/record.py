"""A comparison for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seer_bench.compare.comparison import Comparison, PairComparison, Row
from seer_bench.compare.difference import Difference
from seer_bench.compare.measures import Measure
from seer_bench.compare.tasks import TaskDifference, Tries
from seer_bench.compare.wording import conclusion, verdict_word
from seer_bench.report.counts import Estimate

SCHEMA = "seer-bench/comparison/1"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as a JSON tree; rates are fractions, differences are A minus B, null is what is not known."""
    return {
        "schema": SCHEMA,
        "protocol": comparison.protocol.name,
        "protocol_fingerprint": comparison.protocol.fingerprint,
        "arms": [_row(row) for row in comparison.rows],
        "comparisons": [_pair(pair) for pair in comparison.pairs],
    }


def _row(row: Row) -> dict[str, Any]:
    """One arm."""
    return {
        "letter": row.arm.letter,
        "label": row.arm.label,
        "paths": [str(path) for path in row.arm.paths],
        "checkpoints": len(row.arm.checkpoints),
        "n": row.n,
        "errors": sum(checkpoint.errors for checkpoint in row.arm.checkpoints),
        **_estimate(row.estimate),
        "notes": list(row.notes),
    }


def _pair(pair: PairComparison) -> dict[str, Any]:
    """Two arms."""
    return {
        "a": pair.a.letter,
        "b": pair.b.letter,
        "paired": pair.paired,
        "common_units": pair.common,
        "only_in_a": pair.only_in[0],
        "only_in_b": pair.only_in[1],
        "clustered": pair.clustered,
        "units_with_same_actions": pair.same_actions,
        "units_with_other_starts": pair.other_starts,
        "differ_in": list(pair.differ_in),
        "verdict": verdict_word(pair),
        "conclusion": " ".join(conclusion(pair)),
        "p_holm": pair.p_holm,
        "comparisons": pair.tests,
        "measures": [
            _line(measure, line, p) for (measure, line), p in zip(pair.lines, (pair.p_holm, *pair.p_rates), strict=True)
        ],
        "tasks": [_task(task) for task in pair.tasks],
        "notes": list(pair.notes),
    }


def _line(measure: Measure, line: Difference, p_holm: float) -> Mapping[str, Any]:
    """One measure."""
    return {
        "measure": measure.key,
        "a": line.a,
        "b": line.b,
        "difference": _estimate(line.estimate),
        "interval": line.interval,
        "test": line.test,
        "p": line.p_value,
        "p_holm": p_holm,
        "n_a": line.n_a,
        "n_b": line.n_b,
        "a_ahead": line.ahead_a,
        "b_ahead": line.ahead_b,
        "detectable": line.detectable,
    }


def _task(task: TaskDifference) -> Mapping[str, Any]:
    """One task."""
    return {
        "task": task.task,
        "a": _tries(task.a),
        "b": _tries(task.b),
        "both_tried": task.both,
        "only_a": task.only_a,
        "only_b": task.only_b,
        "difference": None if task.estimate is None else _estimate(task.estimate),
        "p": task.p_value,
        "p_holm": task.p_holm,
    }


def _tries(tries: Tries) -> Mapping[str, Any]:
    """Attempts of one arm."""
    return {"successes": tries.successes, "attempts": tries.attempts, "rate": tries.rate}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    """A value and its interval."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
