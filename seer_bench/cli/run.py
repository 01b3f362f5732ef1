"""`seer-bench run`: play a protocol's units with a policy."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from seer_bench.cli.console import key_values, stdout


class Videos(str, Enum):
    """Which units are filmed after a run."""

    failed = "failed"
    all = "all"
    none = "none"


def run(
    benchmark: Annotated[str, typer.Argument(help="Benchmark, e.g. calvin.")],
    policy: Annotated[str, typer.Option(help="Policy plugin; see: seer-bench list")],
    ckpt: Annotated[Path | None, typer.Option(help="Checkpoint file or directory of the policy.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Protocol; the benchmark's default if not given.")] = None,
    units: Annotated[str | None, typer.Option(help="Units to play: 17, 0:200 or 0:10,50,990: (all).")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; results/runs/... if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the run; policies draw from it.")] = 0,
    video: Annotated[Videos, typer.Option(help="Units to film afterwards, by exact replay.")] = Videos.none,
    backend: Annotated[
        str | None, typer.Option(help="Simulation behind the benchmark; its default if not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="Device of the policy: cpu, cuda:0 ...")] = "cpu",
    policy_arg: Annotated[list[str] | None, typer.Option(help="key=value for the policy; may be repeated.")] = None,
    arm: Annotated[list[str] | None, typer.Option(help="key=value that names the row in tables; repeatable.")] = None,
    allow_mixed: Annotated[bool, typer.Option(help="Continue although the simulation differs.")] = False,
) -> None:
    """Play every unit that has no outcome yet; the same command again continues."""
    from seer_bench.engine import RunRequest
    from seer_bench.engine import run as play_run
    from seer_bench.report import monitor_for, print_summary

    request = RunRequest(
        benchmark=benchmark,
        policy=policy,
        out=out or default_out(benchmark, policy, protocol, ckpt),
        protocol=protocol,
        checkpoint=ckpt,
        units=units,
        seed=seed,
        backend=backend,
        device=device,
        options=key_values(policy_arg or [], "--policy-arg"),
        arm=key_values(arm or [], "--arm"),
        allow_mixed=allow_mixed,
    )
    console = stdout()
    outcome = play_run(request, monitor_for(console))
    print_summary(outcome.path, console, interrupted=outcome.interrupted)
    if outcome.interrupted:
        raise typer.Exit(130)
    if video is not Videos.none:
        from seer_bench.cli.video import film_run

        film_run(outcome.path, units=units, which=video.value, size=None, console=console)
    if outcome.errors:
        raise typer.Exit(1)


def default_out(benchmark: str, policy: str, protocol: str | None, ckpt: Path | None) -> Path:
    """Where a run goes when `--out` is not given: one directory a protocol, policy and checkpoint."""
    from seer_bench.registry import find_protocol, load_benchmark

    parts = [find_protocol(load_benchmark(benchmark), protocol).name.replace("/", "-"), policy]
    if ckpt is not None:
        parts.append(ckpt.stem)
    return Path("results/runs") / "_".join(parts)
