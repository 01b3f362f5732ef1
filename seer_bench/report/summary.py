"""The few lines that end a session."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seer_bench.contracts import UnitResult
from seer_bench.report.counts import base_label, scored
from seer_bench.report.document import counted, plain
from seer_bench.report.score_lines import score_lines
from seer_bench.store import RunData, read_run


def print_summary(path: Path, console: Console, *, interrupted: bool = False, steps: bool = True) -> None:
    """Print score, n, errors, where the records are, and what to do next.

    Args:
        path: the run directory, which may hold units of earlier sessions too; all of them count.
        console: where to print.
        interrupted: the session was stopped before all of its units were played.
        steps: also where the records are, and what to do next.

    Raises:
        StoreError: the directory cannot be read.
    """
    for line in summary_lines(read_run(path), interrupted=interrupted, steps=steps):
        console.print(Text(line), soft_wrap=True)


def summary_lines(run: RunData, *, interrupted: bool = False, steps: bool = True) -> list[str]:
    """The lines of `print_summary`."""
    results = scored(run.results.values())
    errors = len(run.results) - len(results)
    failed = sum(result.outcome == "failure" for result in results)
    lines = [
        plain(f"{base_label(run.manifest)} on {run.manifest.protocol.name}: {counted(len(results), 'unit')} scored")
    ]
    if results:
        lines += score_lines(run.manifest.protocol, results)
    if errors:
        lines.append(
            f"{counted(errors, 'unit')} without an outcome: the infrastructure failed; the same command retries"
        )
        lines.append(_first_error(result for result in run.results.values() if result.outcome == "error"))
    faulty = [result for result in results if result.error is not None]
    if faulty:
        lines.append(f"{counted(len(faulty), 'unit')} failed by the policy's own fault")
        lines.append(_first_error(faulty))
        manifest = run.manifest
        lines.append(
            f"  look for more: seer-bench check {manifest.protocol.benchmark} --policy {manifest.policy.name} ..."
        )
    if interrupted:
        lines.append("interrupted; the same command continues")
    if not steps:
        return lines
    folder = plain(shlex.quote(str(run.path)))
    lines.append(f"records: {plain(str(run.path))}")
    lines.append(f"next: seer-bench report {folder}")
    if failed:
        lines.append(f"      seer-bench video {folder}   (films the {counted(failed, 'unit')} that failed)")
    return lines


def _first_error(results: Iterable[UnitResult]) -> str:
    """Which of the results comes first, and what went wrong there."""
    first = min(results, key=lambda result: result.unit_id)
    message = plain(first.error.message if first.error else "")
    return f"  the first of them, {first.unit_id}: {message} (traceback in units.jsonl)"
