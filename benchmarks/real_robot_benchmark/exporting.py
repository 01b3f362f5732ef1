"""A campaign as a table: every attempt as CSV, or Table 4 as the reports print it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.seal import Key
from real_robot_benchmark.state import Attempt, CampaignState
from seer_bench.errors import UsageError

COLUMNS = (
    "number", "policy", "task", "case", "trial", "attempt", "outcome", "stages", "stages_total", "seconds", "setup_s",
    "paused_s", "stage_seconds", "reason", "notes", "started", "ended",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def attempts_csv(campaign: Campaign, state: CampaignState, key: Key | None) -> str:
    """One line an attempt, void ones too, in the order in which they ended; `seer-bench real import` reads it.

    Args:
        campaign: the plan.
        state: where it stands.
        key: letter -> policy; None for a blind campaign, whose policies stay letters.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for attempt in state.attempts:
        letter = attempt.trial.arm
        writer.writerow(_row(campaign, attempt, letter if key is None else key[letter].label))
    return out.getvalue()


def table4(runs: Path, *, latex: bool) -> str:
    """Table 4 with the runs below `runs`, as LaTeX or as CSV.

    Raises:
        UsageError: there is none.
    """
    from seer_bench.report import build_report
    from seer_bench.report.writers import latex as writer

    if not runs.is_dir():
        raise UsageError(f"{runs}: no runs yet. Make them first: seer-bench real finish {runs.parent}")
    report = build_report([runs]).table("table4")
    return writer.render(report.document) if latex else dict(report.table.csv(report.rows))[""]


def _row(campaign: Campaign, attempt: Attempt, policy: str) -> dict[str, object]:
    """One attempt; texts that a spreadsheet would run as a formula get an apostrophe."""
    planned = attempt.trial
    return {
        "number": planned.number,
        "policy": policy,
        "task": planned.task,
        "case": planned.case,
        "trial": planned.trial,
        "attempt": attempt.attempt,
        "outcome": attempt.outcome,
        "stages": attempt.stages_done,
        "stages_total": len(campaign.plan.task(planned.task).stages),
        "seconds": attempt.seconds,
        "setup_s": attempt.setup_s,
        "paused_s": attempt.paused_s,
        "stage_seconds": " ".join(f"{mark.seconds:g}" for mark in attempt.marks),
        "reason": _harmless(attempt.reason),
        "notes": _harmless(" | ".join(attempt.notes)),
        "started": attempt.started,
        "ended": attempt.ended,
    }


def _harmless(text: str) -> str:
    """Text that stays text in a spreadsheet."""
    return f"'{text}" if text.startswith(_FORMULA) else text
