"""`seer-bench plan`: how many units it takes to see a difference."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seer_bench.cli.console import stdout
from seer_bench.cli.options import Format, OutputFormat

if TYPE_CHECKING:
    from seer_bench.protocol import EvaluationProtocol


class Metric(str, Enum):
    """What differs."""

    rate = "rate"
    length = "length"


def plan(
    delta: Annotated[
        float, typer.Option(help="Difference to be seen: points of a success rate, or subtasks with --metric length.")
    ],
    metric: Annotated[
        Metric | None, typer.Option(help="rate: units solved to their end; length: average length.")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(help="Benchmark; calvin, or that of the run, if not given.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Protocol; the benchmark's default if not given.")] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Success rate of one arm; with --metric length that of every subtask; 0.9 if not given."),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="A run to take rate, spread and time from; twice, also what two runs have in common."),
    ] = None,
    correlation: Annotated[
        float | None, typer.Option(help="Of two arms' scores on the same unit; some are shown if not given.")
    ] = None,
    power: Annotated[float, typer.Option(help="Probability that the difference is found.")] = 0.8,
    format: OutputFormat = Format.table,
) -> None:
    """Say how many units a comparison of two arms needs, and what the protocol's own units can show."""
    from seer_bench.compare import plan_comparison, plan_json, print_plan

    found = _protocol(benchmark, protocol, run or [])
    asked = _metric(metric, delta, found)
    made = plan_comparison(
        found,
        delta=delta / 100 if asked == "rate" else delta,
        metric=asked,
        rate=rate,
        runs=run or [],
        correlation=correlation,
        power=power,
    )
    if format is Format.json:
        typer.echo(json.dumps(plan_json(made), indent=2))
    else:
        print_plan(made, stdout())


def _protocol(benchmark: str | None, name: str | None, runs: list[Path]) -> EvaluationProtocol:
    """The protocol that is asked for, else that of the first run, else CALVIN's default one."""
    from seer_bench.compare import load_arm
    from seer_bench.registry import BENCHMARKS, find_protocol, load_benchmark, plugins

    if runs and benchmark is None and name is None:
        return load_arm(runs[0], "A").protocol
    if benchmark is None and name is not None:
        for found in map(load_benchmark, sorted(plugins(BENCHMARKS))):
            if name in found.protocols():
                return found.protocols()[name]
    return find_protocol(load_benchmark(benchmark or "calvin"), name)


def _metric(metric: Metric | None, delta: float, protocol: EvaluationProtocol) -> Literal["rate", "length"]:
    """What is planned for; raises UsageError where a small number could mean either."""
    from seer_bench.errors import UsageError

    if metric is not None:
        return metric.value
    if protocol.chain_length > 1 and 0 < delta < 1:
        raise UsageError(
            f"--delta {delta:g}: points of a success rate, or subtasks of the average length? Add --metric length, or "
            "--metric rate."
        )
    return "rate"
