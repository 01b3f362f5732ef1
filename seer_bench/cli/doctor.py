"""`seer-bench doctor`: what this machine has and lacks, and the command that mends it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import stdout

if TYPE_CHECKING:
    from rich.text import Text

    from seer_bench.doctor import Finding

SCHEMA = "seer-bench/doctor/1"
_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    benchmarks: Annotated[
        list[str] | None, typer.Argument(help="Benchmarks that must work; all that are installed if not given.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder that runs are to be written to.")] = Path("results/runs"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for scripts.")] = False,
) -> None:
    """Check packages, assets, rendering, memory, disk and GPU; exit code 1 where something has to be mended.

    Pictures are rendered for real. What is not installed is a warning, and a problem for a benchmark that is named.
    """
    from seer_bench.doctor.examine import examine

    console = stdout()
    findings: list[tuple[str, Finding]] = []
    for area, finding in examine(benchmarks or [], results=results):
        if not as_json:
            if not findings or findings[-1][0] != area:
                console.print(area, style="bold", markup=False)
            console.print(_line(finding), soft_wrap=True)
        findings.append((area, finding))
    problems = sum(finding.level == "problem" for _, finding in findings)
    if as_json:
        tree = [{"area": area, **asdict(finding)} for area, finding in findings]
        typer.echo(json.dumps({"schema": SCHEMA, "healthy": not problems, "findings": tree}, indent=2))
    if problems:
        raise typer.Exit(1)


def _line(finding: Finding) -> Text:
    """A finding, with the next command below it."""
    from rich.text import Text

    line = Text.assemble("  ", (f"{finding.level:<9}", _STYLES[finding.level]), f"{finding.subject:<12} {finding.text}")
    if finding.command:
        line.append(f"\n{'':<24}run: {finding.command}")
    return line
